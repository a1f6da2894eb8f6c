"""Masks of a few key frames, carried along the tissue's motion to the frames around them.

Each mask goes forwards and backwards until the next key frame. Where two key frames enclose a
stretch, the two labels of a pixel count by how near their key frames are and how surely they were
carried. A mask that was propagated is no truth until somebody has accepted it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import ConfigError, RecordingError, unknown_option
from sonotempo.labels.outlines import (
    FloatArray,
    label_probabilities,
    most_probable,
    signed_distances,
)
from sonotempo.labels.path import Arrival, follow, on_frame, read_frame
from sonotempo.labels.refine import refined
from sonotempo.recording import Image, Predictor, Recording

Direction = Literal["forward", "backward", "both"]

# Backward masks wait in memory for the forward ones, 0.4 MB each at 256x256: at most so many. So
# far from its key frame a mask is no longer worth much.
_LONGEST_WAIT = 250


@dataclass(frozen=True, slots=True, eq=False)
class Propagated:
    """One frame of a propagation.

    Attributes:
        index: position in the recording.
        mask_HW: uint8 label values; None if no mask arrives.
        confidence_HW: float32, how probable the label of every pixel is; None without a mask.
        is_key: whether this is a key frame, with its mask as it was given.
        problem: why a mask passes over this frame, or why it ends here; one sentence, or empty. The
            frame may still have a mask, from the other side.
        ends: whether a mask ends here because of the problem.
    """

    index: int
    mask_HW: Image | None
    confidence_HW: NDArray[np.float32] | None
    is_key: bool = False
    problem: str = ""
    ends: bool = False


def propagate(
    recording: Recording,
    keys: Mapping[int, Image],
    within: range,
    *,
    direction: Direction = "both",
    reach: int | None = None,
    model: Predictor | None = None,
) -> Iterator[Propagated]:
    """Carry the masks of key frames to the frames around them.

    To cancel, stop iterating: nothing is kept. Before the first frame of a stretch between two key
    frames is yielded, the later mask has been carried backwards through it.

    Args:
        recording: its frames are read one by one; its own masks are not read.
        keys: uint8 HW label values by position, each in its frame's shape. An empty mask says that
            nothing is in view.
        within: the frames to fill. Key frames may lie outside.
        direction: ``forward`` from each key frame to the next, ``backward``, or both.
        reach: to fill only frames so near to the key frame that their mask comes from.
        model: refines outlines (:mod:`sonotempo.labels.refine`); it must know label values as the
            masks use them. Of several predictions of a frame, the last counts. It sees frames in
            the order in which they are yielded, and is reset at the start of every stretch and
            after every frame without a mask.

    Yields:
        Key frames within the range, and every frame that a mask reaches or passes over, stretch
        after stretch: from the earlier key frame on, or backwards where there is only the later
        one. A frame where a mask ends on its way to the range is yielded too.

    Raises:
        RecordingError: a mask has another shape than its frame, or a key frame is not there.
        ConfigError: the direction does not exist, or the reach is below 1.
        ModelError: the model fails.
    """
    if direction not in get_args(Direction):
        raise ConfigError(unknown_option("direction", direction, get_args(Direction)))
    if reach is not None and reach < 1:
        raise ConfigError(f"a reach of {reach} frames fills none; give at least 1")
    problems = {index: _problem(recording, index, mask_HW) for index, mask_HW in keys.items()}
    ends = [None, *sorted(keys), None]
    for earlier, later in pairwise(ends):
        if earlier is not None and earlier in within:
            sure_HW = np.ones(keys[earlier].shape, np.float32)
            problem = problems[earlier]
            yield Propagated(earlier, keys[earlier], sure_HW, True, problem, bool(problem))
        after = within.start if earlier is None else max(within.start, earlier + 1)
        before = within.stop if later is None else min(within.stop, later)
        used = {
            index: keys[index]
            for index, wanted in ((earlier, "forward"), (later, "backward"))
            if index is not None and direction in (wanted, "both") and not problems[index]
        }
        if used and after < before:
            yield from _stretch(recording, used, range(after, before), reach, model)


def _problem(recording: Recording, index: int, mask_HW: Image) -> str:
    """Return why nothing can be carried from a key frame; empty if it can."""
    if not 0 <= index < len(recording):
        raise RecordingError(
            f"{recording.name} has frames 0 to {len(recording) - 1}, but a mask is given for "
            f"frame {index}"
        )
    frame, problem = read_frame(recording, index)
    if frame is not None and frame.image_HW.shape != mask_HW.shape:
        raise RecordingError(
            f"the mask of frame {recording.frame_numbers[index]} of {recording.source} is "
            f"{mask_HW.shape[0]}x{mask_HW.shape[1]} pixels but its image is "
            f"{frame.image_HW.shape[0]}x{frame.image_HW.shape[1]} (rows x columns)"
        )
    return problem


def _stretch(
    recording: Recording,
    keys: Mapping[int, Image],
    between: range,
    reach: int | None,
    model: Predictor | None,
) -> Iterator[Propagated]:
    """Fill frames from the key frame before them, the one after them, or both."""
    fill = _Fill(recording, keys, model)
    earlier, later = (
        [index for index in keys if index < between.start],
        [index for index in keys if index >= between.stop],
    )
    far = len(recording) if reach is None else reach
    ways = [follow(recording, range(key, min(between.stop, key + far + 1))) for key in earlier]
    if earlier:
        far = min(far, _LONGEST_WAIT)
    ways += [follow(recording, range(key, max(between.start, key - far) - 1, -1)) for key in later]
    if len(ways) == 1:
        yield from (fill.frame((one,)) for one in ways[0] if one.index in between or one.ends)
        return
    ahead, back = ways
    waiting = {one.index: one.packed() for one in back if one.index in between or one.ends}
    for one in ahead:
        if one.index in between or one.ends:
            other = waiting.pop(one.index, None)
            yield fill.frame((one,) if other is None else (one, other.unpacked()))
    for index in sorted(waiting):
        yield fill.frame((waiting[index].unpacked(),))


class _Fill:
    """Turns what arrives at a frame into its mask; holds what the frames of a stretch share."""

    def __init__(
        self, recording: Recording, keys: Mapping[int, Image], model: Predictor | None
    ) -> None:
        found = {int(label) for mask_HW in keys.values() for label in np.unique(mask_HW)}
        self._labels = sorted(found | {0})
        self._distances = {
            index: signed_distances(mask_HW, self._labels) for index, mask_HW in keys.items()
        }
        self._recording = recording
        self._model = model
        self._model_follows = False

    def frame(self, arrivals: Sequence[Arrival]) -> Propagated:
        """Return the mask of one frame from what arrives there, from one side or both."""
        index = arrivals[0].index
        problem = "; ".join(dict.fromkeys(one.problem for one in arrivals if one.problem))
        ends = any(one.ends for one in arrivals)
        probabilities_KHW = self._blended([one for one in arrivals if one.origin is not None])
        if probabilities_KHW is None:
            self._model_follows = False
            return Propagated(index, None, None, problem=problem, ends=ends)
        if self._model is not None:
            frame = arrivals[0].frame or self._recording[index]
            if not self._model_follows:
                self._model.reset()
            self._model_follows = True
            prediction = self._model.step(frame)[-1]
            probabilities_KHW = refined(probabilities_KHW, self._labels, prediction)
        mask_HW, confidence_HW = most_probable(probabilities_KHW, self._labels)
        return Propagated(index, mask_HW, confidence_HW, problem=problem, ends=ends)

    def _blended(self, arrivals: Sequence[Arrival]) -> FloatArray | None:
        """Return the probability of every label; a nearer key frame counts more."""
        nearness = [1 / abs(one.index - one.start) for one in arrivals]
        blended_KHW = None
        for one, near in zip(arrivals, nearness, strict=True):
            part_KHW = self._carried(one) * np.float32(near / sum(nearness))
            blended_KHW = part_KHW if blended_KHW is None else blended_KHW + part_KHW
        return blended_KHW

    def _carried(self, arrival: Arrival) -> FloatArray:
        distances_KHW = self._distances[arrival.start]
        if arrival.origin is None:
            raise ValueError("nothing arrives")
        places_HW2, deviation_HW = on_frame(arrival.origin, distances_KHW.shape[1:])
        there_KHW = np.empty_like(distances_KHW)
        for distance_HW, there_HW in zip(distances_KHW, there_KHW, strict=True):
            cv2.remap(
                distance_HW,
                places_HW2,
                None,
                interpolation=cv2.INTER_LINEAR,
                dst=there_HW,
                borderMode=cv2.BORDER_REPLICATE,
            )
        return label_probabilities(there_KHW, deviation_HW)
