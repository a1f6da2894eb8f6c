"""Which frames to label next: those that models doubt, far from any label, spread over the data.

Three signs of doubt are ranked over all frames and averaged, so that none needs a unit: how much
two models disagree, how unsure they are, and how far the nearest label is. Frames are then taken
from the top, a few of each recording and never close together: neighbours teach the same.

Disagreement as a sign of what to label: Seung et al. 1992 (query by committee); the least sure
frame: Lewis & Gale 1994.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import ConfigError

# A sign is a reason for a frame that is above this share of all frames by it.
_REASON = 0.75


@dataclass(frozen=True, slots=True)
class DoubtfulFrame:
    """One frame without a label, and how much it is in doubt.

    Attributes:
        subject: who was scanned.
        recording: the recording's name.
        frame: its number within the recording.
        seconds: since the recording began.
        dice: between two models' masks, over the structures that either shows; None with one model
            or if neither shows any.
        structure: which of them they agree least on; empty without ``dice``.
        confidence: of the least sure part of the image, 0 to 1.
        distance: frames to the nearest label of the recording; None if it has none.
    """

    subject: str
    recording: str
    frame: int
    seconds: float
    dice: float | None
    structure: str
    confidence: float
    distance: int | None


@dataclass(frozen=True, slots=True)
class QueuedFrame:
    """One frame of the queue.

    Attributes:
        doubt: the frame and its signs.
        score: mean rank of its signs among all frames, 0 to 1.
        reason: why it is here, in a few words.
    """

    doubt: DoubtfulFrame
    score: float
    reason: str


def label_queue(
    frames: Sequence[DoubtfulFrame], count: int, *, per_recording: int = 3, apart: int = 10
) -> list[QueuedFrame]:
    """Return the frames to label next, the most doubtful first.

    Args:
        frames: every frame without a label.
        count: how many at most.
        per_recording: how many of one recording at most.
        apart: two frames of one recording are at least so many frames apart.

    Raises:
        ConfigError: a number is not positive.

    >>> def frame(number, dice, distance):
    ...     return DoubtfulFrame("anna", "anna/one", number, 0.0, dice, "nerve", 0.9, distance)
    >>> found = label_queue([frame(1, 0.9, 1), frame(20, 0.2, 20), frame(21, 0.3, 21)], 2)
    >>> tuple((one.doubt.frame, one.reason) for one in found)
    ((20, 'the arms disagree on nerve'), (1, 'most in doubt of what is left'))
    """
    for name, value in (("count", count), ("per-recording", per_recording), ("apart", apart)):
        if value < 1:
            raise ConfigError(f"--{name} {value} is not positive; give 1 or more")
    if not frames:
        return []
    signs_SF = _signs(frames)
    scores_F = signs_SF.mean(axis=0)
    chosen: list[int] = []
    of_recording: Counter[tuple[str, str]] = Counter()
    for place in np.argsort(-scores_F, kind="stable").tolist():
        one = frames[place]
        key = (one.subject, one.recording)
        near = any(
            (other.subject, other.recording) == key and abs(other.frame - one.frame) < apart
            for other in (frames[earlier] for earlier in chosen)
        )
        if near or of_recording[key] == per_recording:
            continue
        chosen.append(place)
        of_recording[key] += 1
        if len(chosen) == count:
            break
    found = []
    for place in chosen:
        why = _reason(frames[place], signs_SF[:, place], apart)
        found.append(QueuedFrame(frames[place], float(scores_F[place]), why))
    return found


def _signs(frames: Sequence[DoubtfulFrame]) -> NDArray[np.float64]:
    """Rank disagreement, uncertainty and distance (S) of all frames (F), 0 to 1."""
    farthest = max((one.distance for one in frames if one.distance is not None), default=0) + 1
    return np.stack(
        [
            # Where neither model shows anything there is nothing to disagree on.
            _ranks([1 - (1.0 if one.dice is None else one.dice) for one in frames]),
            _ranks([1 - one.confidence for one in frames]),
            _ranks([farthest if one.distance is None else one.distance for one in frames]),
        ]
    )


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Return the share of the other values that are lower, equal ones counted by half.

    >>> _ranks([5, 1, 3, 3]).round(2).tolist()
    [1.0, 0.0, 0.5, 0.5]
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    lower = np.cumsum(counts) - counts
    ranks = (lower + (counts - 1) / 2)[inverse]
    result: NDArray[np.float64] = ranks / max(1, len(values) - 1)
    return result


def _reason(one: DoubtfulFrame, signs_S: NDArray[np.float64], apart: int) -> str:
    disagree, unsure, far = (signs_S >= _REASON).tolist()
    reasons = []
    if disagree and one.dice is not None:
        reasons.append(f"the arms disagree on {one.structure}")
    if unsure:
        reasons.append("low confidence")
    if one.distance is None:
        reasons.append("nothing of this recording is labelled")
    elif far and one.distance >= apart:
        reasons.append("far from any label")
    return "; ".join(reasons) or "most in doubt of what is left"
