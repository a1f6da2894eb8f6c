"""Time stamps of recordings: taken from the file where they make sense, else a nominal rate."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Frames a second of a recording whose files carry no time stamps.
NOMINAL_FRAME_RATE_HZ = 25.0

Nanoseconds = NDArray[np.int64]


def nominal_timestamps(
    frame_numbers: NDArray[np.int64], rate_hz: float = NOMINAL_FRAME_RATE_HZ
) -> Nanoseconds:
    """Give frames the time of their number at a fixed rate, from 0 at the first one.

    >>> nominal_timestamps(np.array([5, 6, 8])).tolist()
    [0, 40000000, 120000000]
    """
    steps = np.asarray(frame_numbers, np.int64) - int(frame_numbers[0])
    times_ns: Nanoseconds = np.rint(steps * (1e9 / rate_hz)).astype(np.int64)
    return times_ns


def timestamps_from(
    times_ns: Sequence[int] | Nanoseconds | None, frame_numbers: NDArray[np.int64]
) -> Nanoseconds:
    """Return a file's own times counted from its first frame, or nominal ones.

    Times that are missing, or that do not increase from frame to frame (some writers put the same
    number everywhere), say nothing, so the nominal rate takes their place.

    >>> timestamps_from([700, 900], np.array([0, 1])).tolist()
    [0, 200]
    >>> timestamps_from([700, 700], np.array([0, 1])).tolist()
    [0, 40000000]
    """
    if times_ns is None or len(times_ns) != len(frame_numbers):
        return nominal_timestamps(frame_numbers)
    own: Nanoseconds = np.asarray(times_ns, np.int64)
    if np.any(np.diff(own) <= 0):
        return nominal_timestamps(frame_numbers)
    own = own - own[0]
    return own
