"""Packs scored recordings for the clip viewer: WebP frames and outlines, within a limit of bytes.

Ultrasound's speckle does not compress well, so not every recording of a large cohort fits into a
page that can still be mailed. What was left out is counted, and the page shows it.
"""

import base64
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from sonotempo.evaluation.report.page.outlines import outlines_of
from sonotempo.recording import Image
from sonotempo.structures import StructureSet


@dataclass(frozen=True, slots=True, eq=False)
class ArmClip:
    """What one arm drew into a recording.

    Attributes:
        masks_TSS: its labels on the network grid, zeros where it predicted nothing.
        predicted_T: the frames that it was asked for; arms without state skip unlabelled ones.
        dice_TK: the Dice of every structure, NaN where it is undefined or not scored.
    """

    masks_TSS: Image
    predicted_T: NDArray[np.bool_]
    dice_TK: NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One scored recording, or a part of it, on the network grid.

    Attributes:
        name: the recording's, unique within its data.
        subject: who was scanned.
        of_frames: how many the whole recording has.
        frames_TSS: uint8 grey.
        frame_numbers: as the files count them.
        timestamps_ns: of each frame, since the recording began.
        reference_TSS: the reference labels, zeros where there are none.
        labelled_T: the frames that have a reference.
        arms: what each arm drew.
    """

    name: str
    subject: str
    of_frames: int
    frames_TSS: Image
    frame_numbers: NDArray[np.int64]
    timestamps_ns: NDArray[np.int64]
    reference_TSS: Image
    labelled_T: NDArray[np.bool_]
    arms: Mapping[str, ArmClip]

    def __post_init__(self) -> None:
        shape, count = self.frames_TSS.shape, len(self.frames_TSS)
        for what, masks in self._masks().items():
            if masks.shape != shape:
                raise ValueError(
                    f"the masks of {what} of {self.name} have the shape {masks.shape}, but its "
                    f"frames {shape}; give one mask on the network grid for every frame"
                )
        per_frame = [len(self.frame_numbers), len(self.timestamps_ns), len(self.labelled_T)]
        for arm in self.arms.values():
            per_frame += [len(arm.predicted_T), len(arm.dice_TK)]
        if any(length != count for length in per_frame):
            raise ValueError(
                f"{self.name} has {count} frames; give as many frame numbers, time stamps, flags "
                "and rows of Dice"
            )

    def _masks(self) -> dict[str, Image]:
        return {"the reference": self.reference_TSS} | {
            arm: drawn.masks_TSS for arm, drawn in self.arms.items()
        }


@dataclass(frozen=True, slots=True)
class ClipLimits:
    """How much the viewer may hold; what goes beyond is left out and counted.

    Attributes:
        clips: recordings at most.
        frames: frames at most of one recording, see :func:`worst_part`.
        megabytes: 10⁶ bytes of page at most, for all recordings together.
        quality: of the WebP frames, 0 to 100.
    """

    clips: int = 24
    frames: int = 120
    megabytes: float = 22.0
    quality: int = 60


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """The recordings for the viewer.

    Attributes:
        structures: what the labels mean.
        shown: the recordings, the most important first; read one at a time.
        of: how many recordings were scored.
        note: what readers have to know of them, such as whose seed is shown.
        limits: how many of them the page may hold.
        on_clip: called after each one, for progress.
    """

    structures: StructureSet
    shown: Iterable[Clip]
    of: int
    note: str = ""
    limits: ClipLimits = ClipLimits()
    on_clip: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class PackedClip:
    """One recording as the page holds it.

    Attributes:
        name: the recording's.
        subject: who was scanned.
        dice: the mean over its structures, frames and arms, NaN if undefined.
        frames: how many frames are in the page.
        of_frames: how many the recording has.
        text: everything that the viewer needs, as JSON that no HTML tag can end.
    """

    name: str
    subject: str
    dice: float
    frames: int
    of_frames: int
    text: str

    @property
    def whole(self) -> bool:
        """Whether all of its frames are in the page."""
        return self.frames == self.of_frames


def choose_recordings(dice: Mapping[str, float], most: int) -> list[str]:
    """Choose recordings to look at: the worst ones, and some from all over the rest.

    Half are the worst, the others are spread evenly over what is left, the best one included, so
    that neither the failures nor the rest can be mistaken for the whole.

    Args:
        dice: each recording's mean Dice; NaN where it is undefined, which comes last.
        most: how many at most.

    Returns:
        The names, worst and others by turns, so that a cut-off list is still a fair choice.

    >>> choose_recordings({"a": 0.9, "b": 0.1, "c": 0.5, "d": 0.7, "e": 0.3}, 4)
    ['b', 'a', 'e', 'c']
    """
    by_dice = sorted(dice, key=lambda name: (np.isnan(dice[name]), dice[name], name))
    if most <= 0:
        return []
    worst = by_dice[: (most + 1) // 2]
    rest = by_dice[len(worst) :]
    count = min(most - len(worst), len(rest))
    # The best first, then evenly down.
    at = np.linspace(len(rest) - 1, 0, count).round().astype(int)
    spread = [rest[i] for i in at]
    chosen = []
    for i in range(max(len(worst), len(spread))):
        chosen += worst[i : i + 1] + spread[i : i + 1]
    return chosen


def pack_clips(clips: Clips, written: Callable[[float], str]) -> tuple[PackedClip, ...]:
    """Pack as many recordings as the limits allow.

    Args:
        clips: what to pack.
        written: how a number is written everywhere on the page.

    Returns:
        The recordings, the worst first.
    """
    packed: list[PackedClip] = []
    room = clips.limits.megabytes * 1e6
    for clip in islice(clips.shown, clips.limits.clips):
        one = pack_clip(clip, clips.limits, written)
        clips.on_clip()
        room -= len(one.text)
        if room < 0:
            break
        packed.append(one)
    return tuple(sorted(packed, key=lambda one: (np.isnan(one.dice), one.dice, one.name)))


def pack_clip(clip: Clip, limits: ClipLimits, written: Callable[[float], str]) -> PackedClip:
    """Pack one recording."""
    rows = _rows_shown(clip)
    drawn = {name: _outlines(arm.masks_TSS, arm.predicted_T) for name, arm in clip.arms.items()}
    dice = {
        name: [
            [written(value) for value in (*row_K.tolist(), _mean(row_K))] for row_K in arm.dice_TK
        ]
        for name, arm in clip.arms.items()
    }
    content = {
        "name": clip.name,
        "columns": clip.frames_TSS.shape[2],
        "rows": rows,
        "numbers": clip.frame_numbers.tolist(),
        "times_ms": _times_ms(clip.timestamps_ns),
        "frames": [_webp(image_SS[:rows], limits.quality) for image_SS in clip.frames_TSS],
        "reference": _outlines(clip.reference_TSS, clip.labelled_T),
        "drawn": drawn,
        "dice": dice,
    }
    return PackedClip(
        clip.name,
        clip.subject,
        _mean(np.stack([arm.dice_TK for arm in clip.arms.values()])),
        len(clip.frames_TSS),
        clip.of_frames,
        json_for_html(content),
    )


def json_for_html(content: Any) -> str:
    """Write JSON that is safe in a script element, whatever its texts hold.

    >>> json_for_html("</script>")
    '"\\\\u003c/script\\\\u003e"'
    """
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def worst_part(dice_T: NDArray[np.floating], most: int) -> slice:
    """Return which frames of a long recording to show: the worst one, and as many around it.

    Args:
        dice_T: each frame's Dice, NaN where it is undefined or not scored.
        most: how many frames at most.

    >>> worst_part(np.array([0.9, 0.8, 0.7, 0.1, 0.6]), 3)
    slice(2, 5, None)
    """
    count = len(dice_T)
    worst = 0 if np.isnan(dice_T).all() else int(np.nanargmin(dice_T))
    start = max(0, min(worst - most // 2, count - most))
    return slice(start, min(start + most, count))


def _rows_shown(clip: Clip) -> int:
    """Return how many rows there are down to the last that shows anything.

    The fit pads short images with zeros at the bottom; a window has better uses for that room.
    """
    drawn = [clip.frames_TSS, clip.reference_TSS, *(arm.masks_TSS for arm in clip.arms.values())]
    used_S = np.any([stack_TSS.any(axis=(0, 2)) for stack_TSS in drawn], axis=0)
    return int(np.flatnonzero(used_S)[-1]) + 1 if used_S.any() else len(used_S)


def _outlines(masks_TSS: Image, there_T: NDArray[np.bool_]) -> list[list[tuple[int, str]] | None]:
    """Return the outlines of every frame, None where there is no mask."""
    return [
        outlines_of(np.asarray(mask_SS)) if there else None
        for mask_SS, there in zip(masks_TSS, there_T, strict=True)
    ]


def _times_ms(timestamps_ns: NDArray[np.int64]) -> list[float] | None:
    """Return the frames' times, None if the stamps do not increase."""
    if not np.all(np.diff(timestamps_ns) > 0):
        return None
    times: list[float] = (timestamps_ns / 1e6).round(2).tolist()
    return times


def _webp(image_SS: Image, quality: int) -> str:
    data = io.BytesIO()
    PillowImage.fromarray(np.asarray(image_SS)).save(data, "WEBP", quality=quality, method=2)
    return base64.b64encode(data.getvalue()).decode()


def _mean(values: NDArray[np.floating]) -> float:
    """Return the mean of what is defined, NaN where nothing is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else math.nan
