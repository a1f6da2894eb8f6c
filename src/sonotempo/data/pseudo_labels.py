"""Pseudo-labels: masks of sparse labels, carried along the tissue's motion to nearby frames.

A person labels a few frames of a video; training then sees those frames only. Carried from each of
them forwards and backwards (:mod:`sonotempo.labels.propagate`), masks label their neighbours too,
as long as they are sure, and never across a cut, a gap, or to a frame that the tracker does not
trust. They serve training alone: scores are of labels that a person made.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from sonotempo.data.cache import CachedRecording
from sonotempo.errors import RecordingError
from sonotempo.folders import whole_file, writing
from sonotempo.guard import guarded
from sonotempo.label_origin import Origin
from sonotempo.labels.propagate import Propagated, propagate
from sonotempo.recording import Image
from sonotempo.structures import NERVE_VESSEL

#: Of every structure of a carried mask, the mean confidence of its pixels.
LEAST_CONFIDENCE = 0.75

# Masks are carried as label values, whatever these stand for.
_ANY = NERVE_VESSEL
# Counts changes of how masks are carried.
_FORMAT = 2


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
    own = frozenset(recording.labelled)
    carried = {index: Origin("propagated") for index in labelled if index not in own}
    return replace(
        recording,
        labelled=tuple(labelled),
        origins={**recording.origins, **carried},
        masks_file=masks.name,
    )


def carried_masks(recording: CachedRecording, reach: int) -> dict[int, Image]:
    """Return the masks of a recording by frame, its own and those carried from them, uint8 SS.

    A frame between two labelled ones takes the masks of both, the more so the nearer it is.
    """
    masks_MSS = recording.masks_MSS()
    found = {index: np.array(masks_MSS[row]) for row, index in enumerate(recording.labelled)}
    own = dict(found)
    frames = recording.as_recording(_ANY)
    for segment in recording.segments():
        keys = {index: own[index] for index in segment if index in own}
        for one in propagate(frames, keys, segment, reach=reach):
            if one.mask_HW is not None and not one.is_key and _is_sure(one):
                found[one.index] = one.mask_HW
    return found


def _is_sure(one: Propagated) -> bool:
    """Whether every structure of a mask is still where it seems to be."""
    if one.mask_HW is None or one.confidence_HW is None:
        return False
    labels = np.unique(one.mask_HW)
    return all(
        float(one.confidence_HW[one.mask_HW == label].mean()) >= LEAST_CONFIDENCE
        for label in labels[labels > 0]
    )


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
