"""Reviewing masks frame by frame: which are to be looked at, accept, reject, confirm empty."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from napari_sonotempo.label.edits import Edits
from napari_sonotempo.shared.lazy_masks import LazyMasks
from sonotempo.errors import RecordingError
from sonotempo.label_origin import Origin


def signed(origin: Origin, name: str) -> Origin:
    """Return an origin with who and when; without a name neither is written.

    >>> signed(Origin(), "")
    Origin(kind='human', model='', is_accepted=False, by='', at='')
    """
    at = datetime.now(UTC).isoformat(timespec="seconds") if name else ""
    return replace(origin, by=name, at=at)


def reviewed(masks: LazyMasks) -> list[int]:
    """Return the positions of the masks that a person stands behind, in order."""
    return [position for position, origin in masks.origins.items() if origin.is_truth]


def unreviewed(masks: LazyMasks) -> list[int]:
    """Return the positions of the masks that nobody has accepted, in order."""
    return [position for position, origin in masks.origins.items() if not origin.is_truth]


def next_unreviewed(masks: LazyMasks, position: int) -> int | None:
    """Return the next frame whose mask nobody has accepted, from the beginning after the end."""
    left = unreviewed(masks)
    later = [other for other in left if other > position]
    found = later or left
    return found[0] if found else None


def accept(edits: Edits, positions: list[int], name: str) -> int:
    """Accept the masks of some frames that no person has made; return how many.

    Raises:
        RecordingError: there is nothing to accept.
    """
    step = edits.begin("accept")
    for position in positions:
        origin = edits.masks.origin(position)
        if origin is not None and not origin.is_truth:
            edits.set_origin(step, position, signed(replace(origin, is_accepted=True), name))
    if not step.before:
        raise RecordingError("there is no mask of a model or of motion to accept here")
    return len(step.before)


def accept_up_to(edits: Edits, position: int, name: str) -> int:
    """Accept the masks from the last reviewed frame up to here; return how many.

    Raises:
        RecordingError: there is nothing to accept.
    """
    before = [other for other in reviewed(edits.masks) if other < position]
    start = before[-1] + 1 if before else 0
    return accept(edits, list(range(start, position + 1)), name)


def reject(edits: Edits, position: int) -> None:
    """Remove a mask that no person has made.

    Raises:
        RecordingError: there is none.
    """
    origin = edits.masks.origin(position)
    if origin is None:
        raise RecordingError("this frame has no mask to reject")
    if origin.kind in ("human", "empty"):
        raise RecordingError(
            "a person made the mask of this frame: erase it with napari's tools if it is wrong"
        )
    edits.give(edits.begin("reject"), position, None, None)


def confirm_empty(edits: Edits, position: int, name: str) -> None:
    """Say that nothing is in view; a mask that no person has made is removed.

    Raises:
        RecordingError: a person has marked something.
    """
    origin, masks = edits.masks.origin(position), edits.masks
    is_marked = bool(np.any(masks[position]))
    if origin is not None and origin.use == "human" and is_marked:
        raise RecordingError(
            "a person has marked something in this frame: erase it first if nothing is in view"
        )
    empty_HW = np.zeros(masks.shape[1:], np.uint8)
    step = edits.begin("confirm empty")
    edits.give(step, position, empty_HW, signed(Origin("empty"), name))
