"""Time stamps of recordings: from the file where they make sense, else at a nominal rate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Frames per second of a recording whose files carry no time stamps.
NOMINAL_FRAME_RATE_HZ = 25.0

Nanoseconds = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """When the frames of a recording were captured.

    Attributes:
        timestamps_ns: int64, from 0 at the first frame, strictly increasing.
        are_assumed: whether the file does not say, so that the nominal rate was taken.
    """

    timestamps_ns: Nanoseconds
    are_assumed: bool


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


def assumed_times(frame_numbers: NDArray[np.int64]) -> Times:
    """Return nominal times; a single frame has no rate that could be assumed."""
    return Times(nominal_timestamps(frame_numbers), len(frame_numbers) > 1)


def times_from(
    stored_ns: Sequence[int | None] | Nanoseconds | None, frame_numbers: NDArray[np.int64]
) -> Times:
    """Return a file's times counted from its first frame, or nominal ones.

    Times that are missing, or the same as the one before, are filled in from their neighbours by
    frame number. Nominal times replace those of a file with fewer than two different ones (some
    writers store the same number everywhere) or with a clock that runs backwards.

    >>> times_from([700, 900], np.array([0, 1])).timestamps_ns.tolist()
    [0, 200]
    >>> times_from([700, None, 900, 900], np.arange(4)).timestamps_ns.tolist()
    [0, 100, 200, 300]
    >>> times_from([700, 700], np.array([0, 1])).are_assumed
    True
    """
    if stored_ns is None or len(stored_ns) != len(frame_numbers):
        return assumed_times(frame_numbers)
    known: list[tuple[int, int]] = []
    for number, time_ns in zip(frame_numbers.tolist(), list(stored_ns), strict=True):
        if time_ns is None or (known and time_ns == known[-1][1]):
            continue
        known.append((number, int(time_ns)))
    if len(frame_numbers) == 1:
        return Times(np.zeros(1, np.int64), are_assumed=False)
    if len(known) < 2:
        return assumed_times(frame_numbers)
    numbers, times_ns = np.array(known, np.int64).T
    if np.any(np.diff(times_ns) <= 0):
        return assumed_times(frame_numbers)
    filled_ns = _filled(numbers, times_ns - times_ns[0], frame_numbers)
    if np.any(np.diff(filled_ns) <= 0):
        return assumed_times(frame_numbers)
    return Times(filled_ns - filled_ns[0], are_assumed=False)


def _filled(
    numbers: NDArray[np.int64], times_ns: Nanoseconds, wanted: NDArray[np.int64]
) -> Nanoseconds:
    """Interpolate between known times; beyond them continue at their median rate."""
    if len(numbers) == len(wanted):
        return times_ns
    period_ns = float(np.median(np.diff(times_ns) / np.diff(numbers)))
    between_ns = np.interp(wanted, numbers, times_ns)
    beyond = np.clip(wanted - numbers[-1], 0, None) - np.clip(numbers[0] - wanted, 0, None)
    filled_ns: Nanoseconds = np.rint(between_ns + beyond * period_ns).astype(np.int64)
    return filled_ns
