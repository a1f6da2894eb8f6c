"""Time stamps of recordings: from the file where they make sense, else at a nominal rate."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Frames per second of a recording whose files carry no time stamps.
NOMINAL_FRAME_RATE_HZ = 25.0

Nanoseconds = NDArray[np.int64]


def nominal_timestamps(
    frame_numbers: NDArray[np.int64], rate_hz: float = NOMINAL_FRAME_RATE_HZ
) -> Nanoseconds:
    """Return the time of each frame number at a fixed rate, from 0 at the first frame.

    >>> nominal_timestamps(np.array([5, 6, 8])).tolist()
    [0, 40000000, 120000000]
    """
    steps = np.asarray(frame_numbers, np.int64) - int(frame_numbers[0])
    times_ns: Nanoseconds = np.rint(steps * (1e9 / rate_hz)).astype(np.int64)
    return times_ns


def timestamps_from(
    times_ns: Sequence[int] | Nanoseconds | None, frame_numbers: NDArray[np.int64]
) -> Nanoseconds:
    """Return a file's times counted from its first frame, or nominal ones.

    The nominal rate replaces times that are missing or do not increase from frame to frame: some
    writers store the same number everywhere.

    >>> timestamps_from([700, 900], np.array([0, 1])).tolist()
    [0, 200]
    >>> timestamps_from([700, 700], np.array([0, 1])).tolist()
    [0, 40000000]
    """
    if times_ns is None or len(times_ns) != len(frame_numbers):
        return nominal_timestamps(frame_numbers)
    stored: Nanoseconds = np.asarray(times_ns, np.int64)
    if np.any(np.diff(stored) <= 0):
        return nominal_timestamps(frame_numbers)
    stored = stored - stored[0]
    return stored
