"""Pseudo-labels: masks of sparse labels, carried along the tissue's motion to nearby frames.

A person labels a few frames of a video; training then sees those frames only. Carried from each of
them forwards and backwards, masks label their neighbours too. A frame keeps a carried mask only as
long as carrying it one frame back gives the mask before (forward-backward consistency, Kalal 2010,
doi 10.1109/ICPR.2010.675), and never across a cut, a gap, or a frame that the tracker does not
trust. They serve training alone: scores are of labels that a person made.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonotempo.data.cache import CachedRecording
from sonotempo.errors import RecordingError
from sonotempo.flow import HELD, Motion, Track, moved_mask, track
from sonotempo.folders import whole_file, writing
from sonotempo.guard import guarded
from sonotempo.recording import Image

#: The product of the consistencies along the way that ends it.
LEAST_CONSISTENCY = 0.8

# Counts changes of how masks are carried.
_FORMAT = 1


def with_pseudo_labels(recording: CachedRecording, reach: int) -> CachedRecording:
    """Return a recording with more labelled frames; what was carried is kept next to its frames.

    Args:
        recording: on the network grid. A still, or a recording without gaps in its labels, is
            returned as it is.
        reach: how many frames a mask is carried, forwards and backwards.

    Raises:
        RecordingError: the cache cannot be written.
    """
    if not reach or len(recording.labelled) in (0, len(recording)):
        return recording
    name = f"masks-carried-{reach}-{_FORMAT}"
    masks, about = recording.folder / f"{name}.npy", recording.folder / f"{name}.json"
    labelled = _kept(masks, about)
    if labelled is None:
        found = carried_masks(recording, reach)
        labelled = sorted(found)
        with writing(recording.folder, "data.cache", RecordingError):
            with whole_file(masks) as draft:
                np.save(draft, np.stack([found[index] for index in labelled]))
            with whole_file(about) as draft:
                draft.write_text(json.dumps({"labelled": labelled, "sum": _sum(masks)}), "utf-8")
    return replace(recording, labelled=tuple(labelled), masks_file=masks.name)


def carried_masks(recording: CachedRecording, reach: int) -> dict[int, Image]:
    """Return the masks of a recording by frame, its own and those carried from them, uint8 SS.

    A frame between two labelled ones takes the mask of the nearer one.
    """
    frames_TSS, masks_MSS = recording.frames_TSS(), recording.masks_MSS()
    found = {index: np.array(masks_MSS[row]) for row, index in enumerate(recording.labelled)}
    own = frozenset(found)
    distance = dict.fromkeys(own, 0)
    for index in own:
        (segment,) = (run for run in recording.segments() if index in run)
        for step in (1, -1):
            last = (
                min(segment.stop - 1, index + reach)
                if step > 0
                else max(segment.start, index - reach)
            )
            along = range(index, last + step, step)
            for place, mask_SS in _along(frames_TSS, along, found[index]):
                if place in own:
                    break
                far = abs(place - index)
                if far < distance.get(place, reach + 1):
                    found[place], distance[place] = mask_SS, far
    return found


def _along(
    frames_TSS: NDArray[np.uint8], places: Sequence[int], mask_SS: Image
) -> Iterator[tuple[int, Image]]:
    """Carry a mask from the first of some frames to the others, as long as it can be trusted."""
    before_SS = np.array(frames_TSS[places[0]])
    _, state = track(before_SS, None)
    consistency = 1.0
    for place in places[1:]:
        now_SS = np.array(frames_TSS[place])
        motion, state = track(now_SS, state)
        if motion.starts:
            return
        if _is_held(motion):
            continue  # nothing to be seen in it; the frames after it may show the tissue again
        moved_SS = moved_mask(mask_SS, motion)
        consistency *= _agreement(mask_SS, _moved_back(moved_SS, now_SS, before_SS))
        if consistency < LEAST_CONSISTENCY:
            return
        yield place, moved_SS
        mask_SS, before_SS = moved_SS, now_SS


def _is_held(motion: Motion) -> bool:
    """Whether the tracker holds everything: the frame is dark, or nothing explains it."""
    return bool(motion.weight_hw.max() <= np.float32(HELD) + 1e-6)


def _moved_back(mask_SS: Image, now_SS: Image, before_SS: Image) -> Image:
    start: Track
    _, start = track(now_SS, None)
    motion, _ = track(before_SS, start)
    return mask_SS if motion.starts else moved_mask(mask_SS, motion)


def _agreement(one_SS: Image, other_SS: Image) -> float:
    """Return the lowest Dice of any structure in the first mask; 1 if it is empty."""
    labels = np.unique(one_SS)
    worst = 1.0
    for label in labels[labels > 0]:
        mine, theirs = one_SS == label, other_SS == label
        worst = min(worst, 2 * float((mine & theirs).sum()) / float(mine.sum() + theirs.sum()))
    return worst


def _kept(masks: Path, about: Path) -> list[int] | None:
    """Return which frames an earlier run labelled; None if there was none, or it is damaged."""
    try:
        with guarded(f"{about} is damaged", "it is made again", RecordingError):
            facts = json.loads(about.read_text("utf-8"))
            return list(facts["labelled"]) if facts["sum"] == _sum(masks) else None
    except RecordingError:
        return None


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
