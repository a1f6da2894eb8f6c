"""Masks of reviewed frames, carried to the frames around one of them: what to do, and doing it."""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from napari_sonotempo.label.review import reviewed
from napari_sonotempo.shared.lazy_masks import LazyMasks
from napari_sonotempo.shared.lazy_stack import fitted
from sonotempo.errors import ModelError, RecordingError
from sonotempo.labels.propagate import Propagated, propagate
from sonotempo.live.models.external import card_of
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.recording import Image, Recording
from sonotempo.structures import StructureSet

Side = Literal["before", "after", "both"]
Reach = Literal["reviewed", "frames", "end"]

# Each report has the whole window drawn again, which a computer without a graphics card feels.
_REPORT_EVERY_S = 0.3


@dataclass(frozen=True, slots=True)
class Wanted:
    """How far masks are carried from a frame.

    Attributes:
        side: the frames before it, after it, or both.
        reach: to the next reviewed frame on that side, a number of frames, or all.
        frames: that number.
    """

    side: Side
    reach: Reach
    frames: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PropagationRequest:
    """What the user asked for.

    Attributes:
        recording: whose tissue is followed.
        keys: copies of the masks that are carried, by position.
        within: the positions to fill.
        structures: what the label values mean.
        model: the file of a model that refines outlines, or None.
    """

    recording: Recording
    keys: Mapping[int, Image]
    within: range
    structures: StructureSet
    model: Path | None = None


@dataclass(frozen=True, slots=True)
class PropagationResult:
    """How a propagation ended.

    Attributes:
        seconds: how long it took.
        is_cancelled: whether it was ended early.
        problems: why masks stop or pass over frames, one sentence each.
    """

    seconds: float
    is_cancelled: bool
    problems: tuple[str, ...]


def frames_to_fill(reviewed_at: Sequence[int], position: int, count: int, wanted: Wanted) -> range:
    """Return the frames that a propagation from one of them fills; that one may be among them.

    Args:
        reviewed_at: the reviewed positions, in order.
        position: from where.
        count: how many frames there are.
        wanted: how far.

    >>> frames_to_fill([2, 5, 9], 5, 12, Wanted("after", "reviewed"))
    range(6, 9)
    >>> frames_to_fill([2, 5, 9], 5, 12, Wanted("both", "frames", 4))
    range(1, 10)
    """
    start, stop = 0, count
    if wanted.reach == "reviewed":
        earlier = reviewed_at[: bisect_left(reviewed_at, position)]
        later = reviewed_at[bisect_right(reviewed_at, position) :]
        start = earlier[-1] + 1 if earlier else 0
        stop = later[0] if later else count
    elif wanted.reach == "frames":
        start, stop = max(0, position - wanted.frames), min(count, position + wanted.frames + 1)
    if wanted.side == "after":
        start = position + 1
    elif wanted.side == "before":
        stop = position
    return range(start, max(start, stop))


def planned(
    masks: LazyMasks, structures: StructureSet, position: int, wanted: Wanted, model: Path | None
) -> PropagationRequest:
    """Return what is to be done for a frame of masks.

    Every reviewed frame in the range is carried, and the next one on either side of it if it is
    no farther away than the range is long: between two, both count.

    Raises:
        RecordingError: the frame's mask is no person's, or there is nothing to fill.
    """
    keys = reviewed(masks)
    if position not in keys:
        raise RecordingError(
            "this frame has no mask that somebody drew or accepted: draw, correct or accept it, "
            "then propagate"
        )
    within = frames_to_fill(keys, position, len(masks), wanted)
    if not set(within) - set(keys):
        raise RecordingError("there is no frame to fill on that side: choose another reach or side")
    low, high = min(within.start, position), max(within.stop - 1, position)
    inside = [key for key in keys if low <= key <= high]
    earlier = [key for key in keys if low - len(within) <= key < low][-1:]
    later = [key for key in keys if high < key <= high + len(within)][:1]
    chosen = {key: np.array(masks[key]) for key in (*earlier, *inside, *later)}
    return PropagationRequest(masks.recording, chosen, within, structures, model)


def carry(
    request: PropagationRequest,
    on_frames: Callable[[list[Propagated], int, float], object],
    is_cancelled: Callable[[], bool],
) -> PropagationResult:
    """Carry the masks; cancelled, the frames done so far have been reported.

    Args:
        request: what to do.
        on_frames: called about three times a second with the new frames, how many are done, and the
            seconds since the start.
        is_cancelled: asked before every frame.

    Raises:
        SonotempoError: a key frame or the model cannot be used.
    """
    recording = request.recording
    keys = {key: _in_shape(mask_HW, recording, key) for key, mask_HW in request.keys.items()}
    began_s = reported_s = time.monotonic()
    problems: list[str] = []
    new: list[Propagated] = []
    done, stopped = 0, False
    opened = _opened(request.model, request.structures) if request.model else nullcontext(None)
    with opened as model:
        for one in propagate(recording, keys, request.within, model=model):
            if one.problem:
                problems.append(one.problem)
            new.append(one)
            done += 1
            stopped = is_cancelled()
            if stopped:
                break
            now_s = time.monotonic()
            if now_s - reported_s > _REPORT_EVERY_S:
                reported_s = now_s
                on_frames(new, done, now_s - began_s)
                new = []
    seconds = time.monotonic() - began_s
    on_frames(new, done if stopped else len(request.within), seconds)
    return PropagationResult(seconds, stopped, tuple(dict.fromkeys(problems)))


def _in_shape(mask_HW: Image, recording: Recording, position: int) -> Image:
    """Return a mask in its frame's own shape; frames of several sizes are shown in one."""
    try:
        return fitted(mask_HW, recording.images[position].shape)
    except RecordingError:
        return mask_HW  # the propagation says what is wrong with the frame


def _opened(path: Path, structures: StructureSet) -> OnnxPredictor:
    """Open a model that knows the same structures by the same numbers."""
    found = card_of(path, structures).structures
    if found.names != structures.names:
        raise ModelError(
            f"{path.name} finds {', '.join(found.names)}, but the masks show "
            f"{', '.join(structures.names)}; choose a model of the same structures in the same "
            "order, or none"
        )
    return OnnxPredictor(path, structures=structures)
