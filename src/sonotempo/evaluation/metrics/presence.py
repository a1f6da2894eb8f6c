"""When a structure is found, lost and invented: metrics of yes and no, frame by frame.

All functions take one structure in one run of T consecutive frames:

- ``predicted_T``: bool, a region that counts was predicted;
- ``present_T``: bool, a reference region that counts is there;
- ``found_T``: bool, at least one predicted region is a true positive (so both of the above hold);
- ``invented_T``: bool, at least one predicted region is a false positive;
- ``timestamps_ns``: int64, increasing. A frame lasts until the next one, the last as long as the
  median frame.

Regions, and which of them count, are those of :mod:`~sonotempo.evaluation.metrics.regions`. Onset,
gaps and fragmentation of a track follow CLEAR MOT's idea of misses and fragmentations (Bernardin &
Stiefelhagen 2008, as in TrackEval), applied to one structure; no maintained library has them.
"""

import math

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Times = NDArray[np.int64]

#: A structure counts as found at the first of so many consecutive frames that find it.
FOUND_FRAMES = 3


def runs(flags_T: Flags) -> list[range]:
    """Return the runs of True, in order.

    >>> runs(np.array([True, True, False, True]))
    [range(0, 2), range(3, 4)]
    """
    edges = np.flatnonzero(np.diff(flags_T.astype(np.int8), prepend=0, append=0))
    return [range(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def flicker_per_s(predicted_T: Flags, present_T: Flags, timestamps_ns: Times) -> float:
    """Return the presence flips of the prediction less those of the reference, per second.

    0 is best; a prediction that never notices a true change is negative.

    >>> predicted_T = np.array([True, False, True, True, True])
    >>> flicker_per_s(predicted_T, np.ones(5, bool), np.arange(5) * 500_000_000)
    1.0

    NaN for fewer than two frames.
    """
    _check(predicted_T, present_T, timestamps_ns)
    seconds = (timestamps_ns[-1] - timestamps_ns[0]) / 1e9
    return float((_flips(predicted_T) - _flips(present_T)) / seconds) if seconds else math.nan


def onset_delay_ms(found_T: Flags, present_T: Flags, timestamps_ns: Times) -> float:
    """Return the time from the structure's first frame to the first of three that find it.

    The structure's first frame is the first with it in the reference, be it the recording's first.

    >>> found_T = np.array([False, True, False, True, True, True])
    >>> onset_delay_ms(found_T, np.ones(6, bool), np.arange(6) * 50_000_000)
    150.0

    NaN if the reference never shows it, or if it is never found (a censored delay).
    """
    _check(found_T, present_T, timestamps_ns)
    starts = [run.start for run in runs(found_T) if len(run) >= FOUND_FRAMES]
    if not present_T.any() or not starts:
        return math.nan
    # A true positive needs the reference, so no start lies before the onset.
    return float((timestamps_ns[starts[0]] - timestamps_ns[np.argmax(present_T)]) / 1e6)


def dropouts_per_min(found_T: Flags, present_T: Flags, timestamps_ns: Times) -> float:
    """Return how often the structure is lost again, per minute.

    Counted are runs of frames with the structure in the reference and no true positive, after the
    first true positive; minutes are those for which the reference shows it from there on.

    NaN if it is never found.
    """
    _check(found_T, present_T, timestamps_ns)
    if not found_T.any():
        return math.nan
    later = _from_first(found_T) & present_T
    minutes = _lengths_ns(timestamps_ns)[later].sum() / 60e9
    return len(runs(later & ~found_T)) / float(minutes) if minutes else math.nan


def dropout_p95_ms(found_T: Flags, present_T: Flags, timestamps_ns: Times) -> float:
    """Return the 95th percentile (linear) of how long those losses last; 0 if there are none.

    NaN if the structure is never found.
    """
    _check(found_T, present_T, timestamps_ns)
    if not found_T.any():
        return math.nan
    frame_ns = _lengths_ns(timestamps_ns)
    gaps = runs(_from_first(found_T) & present_T & ~found_T)
    lengths_ms = [frame_ns[gap.start : gap.stop].sum() / 1e6 for gap in gaps]
    return float(np.percentile(lengths_ms, 95)) if gaps else 0.0


def continuity(found_T: Flags, present_T: Flags) -> float:
    """Return the longest run of true positives over the segment's length in frames, 0 to 1.

    A segment is a run of frames with the structure in the reference; of several, lengths and
    longest runs are summed.

    >>> found_T = np.array([True, True, False, True])
    >>> continuity(found_T, np.ones(4, bool))
    0.5

    NaN if the reference never shows the structure.
    """
    _check(found_T, present_T)
    segments = runs(present_T)
    longest = [
        max((len(run) for run in runs(found_T[segment.start : segment.stop])), default=0)
        for segment in segments
    ]
    return sum(longest) / sum(map(len, segments)) if segments else math.nan


def ghosting_ms(invented_T: Flags, present_T: Flags, timestamps_ns: Times) -> float:
    """Return how long a prediction stays on after the structure has gone.

    The time of the frames with a false positive that directly follow the reference's last frame,
    averaged over the structure's ends; 0 where it goes in time.

    NaN if the reference never ends.
    """
    _check(invented_T, present_T, timestamps_ns)
    ends = [segment.stop for segment in runs(present_T) if segment.stop < len(present_T)]
    if not ends:
        return math.nan
    frame_ns = _lengths_ns(timestamps_ns)
    ghosts = {run.start: run for run in runs(invented_T & ~present_T)}
    lengths_ms = [
        frame_ns[ghosts[end].start : ghosts[end].stop].sum() / 1e6 if end in ghosts else 0.0
        for end in ends
    ]
    return float(np.mean(lengths_ms))


def _flips(flags_T: Flags) -> int:
    return int(np.count_nonzero(flags_T[1:] != flags_T[:-1]))


def _from_first(flags_T: Flags) -> Flags:
    """Return True from the first True on."""
    return np.logical_or.accumulate(flags_T)


def _lengths_ns(timestamps_ns: Times) -> NDArray[np.float64]:
    """Return how long each frame is shown; alone, a frame has no length."""
    between = np.diff(timestamps_ns).astype(np.float64)
    return np.append(between, np.median(between) if len(between) else 0.0)


def _check(first_T: Flags, second_T: Flags, timestamps_ns: Times | None = None) -> None:
    lengths = {len(first_T), len(second_T)}
    if timestamps_ns is not None:
        lengths.add(len(timestamps_ns))
    if len(lengths) != 1 or not len(first_T):
        raise ValueError(f"arrays of {sorted(lengths)} frames; expected one value a frame each")
    if timestamps_ns is not None and np.any(np.diff(timestamps_ns) <= 0):
        raise ValueError("time stamps do not increase; metrics per second need times that do")
