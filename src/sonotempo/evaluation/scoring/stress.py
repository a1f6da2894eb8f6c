"""Disturbances of test recordings: every arm is scored on the same ones.

The anatomy is still there while a frame is disturbed, so references stay as they are. What is
disturbed, when and how follows from the seed and the recording's name alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sonotempo.config import StressConfig
from sonotempo.recording import Image, Recording

# Sound frames before the first disturbance and between two.
_SOUND_FRAMES = (8, 24)
_DARK_GAIN = (0.0, 0.1)
_LOST_WIDTH = (0.5, 1.0)
_LOST_GAIN = 0.05
_NOISE_GREY = 64.0
_OCCLUSION_MARGIN = 0.15
_OCCLUSION_GAIN = 0.1
_DECOYS = 3


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One run of disturbed frames of a recording.

    Attributes:
        kind: one of :data:`KINDS`.
        start: index of the first disturbed frame.
        stop: index after the last.
        seed: of whatever is drawn within.
    """

    kind: str
    start: int
    stop: int
    seed: int


def schedule(recording: Recording, config: StressConfig, seed: int) -> tuple[Disturbance, ...]:
    """Draw the disturbances of a recording; none crosses a gap, and sound frames lie between.

    Kinds take turns in an order that is drawn. Lengths are log-uniform from 1 to
    ``config.longest_frames``, and shorter where the recording ends.

    Args:
        recording: frames that follow one another.
        config: the kinds and the longest length.
        seed: of the experiment.
    """
    random = np.random.default_rng([seed, 7, *recording.name.encode()])
    order = [config.kinds[place] for place in random.permutation(len(config.kinds))]
    found: list[Disturbance] = []
    for segment in recording.segments():
        start = segment.start + int(random.integers(_SOUND_FRAMES[0], _SOUND_FRAMES[1] + 1))
        while start < segment.stop - 1:
            length = round(float(config.longest_frames ** random.uniform(0, 1)))
            stop = min(start + max(1, length), segment.stop - 1)
            kind = order[len(found) % len(order)]
            found.append(Disturbance(kind, start, stop, int(random.integers(2**31))))
            start = stop + int(random.integers(_SOUND_FRAMES[0], _SOUND_FRAMES[1] + 1))
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class DisturbedImages:
    """The frames of a recording, disturbed when they are read."""

    recording: Recording
    by_index: dict[int, Disturbance]

    def __len__(self) -> int:
        return len(self.recording.images)

    def __getitem__(self, index: int, /) -> Image:
        disturbance = self.by_index.get(index)
        if disturbance is None:
            return self.recording.images[index]
        return _KINDS[disturbance.kind](self.recording, disturbance, index)


def disturbed(recording: Recording, disturbances: Sequence[Disturbance]) -> Recording:
    """Return a recording with the same references and disturbed frames.

    Frames of the kind ``drop`` are in it: a predictor must not be shown them (:func:`dropped`).
    """
    by_index = {index: one for one in disturbances for index in range(one.start, one.stop)}
    return replace(recording, images=DisturbedImages(recording, by_index))


def dropped(disturbances: Sequence[Disturbance]) -> frozenset[int]:
    """Return the indices of the frames that never arrive."""
    return frozenset(
        index for one in disturbances if one.kind == "drop" for index in range(one.start, one.stop)
    )


def phases(disturbances: Sequence[Disturbance], frames: int) -> list[tuple[str, str, int]]:
    """Return of every frame its phase, the kind of the disturbance it belongs to, and its offset.

    ``inside`` a disturbance, offsets count from its first frame; ``after`` it, from the first frame
    that is sound again, up to the next disturbance; ``sound`` frames have seen none yet.

    >>> phases([Disturbance("dark", 1, 3, 0)], 5)
    [('sound', '', 0), ('inside', 'dark', 0), ('inside', 'dark', 1), ('after', 'dark', 0), \
('after', 'dark', 1)]
    """
    found = [("sound", "", 0)] * frames
    ends = [*(one.start for one in disturbances[1:]), frames]
    for one, end in zip(disturbances, ends, strict=True):
        for index in range(one.start, one.stop):
            found[index] = ("inside", one.kind, index - one.start)
        for index in range(one.stop, end):
            found[index] = ("after", one.kind, index - one.stop)
    return found


def _dark(recording: Recording, one: Disturbance, index: int) -> Image:
    gain = np.random.default_rng(one.seed).uniform(*_DARK_GAIN)
    return _scaled(recording.images[index], np.float32(gain))


def _contact_loss(recording: Recording, one: Disturbance, index: int) -> Image:
    image_HW = recording.images[index]
    random = np.random.default_rng(one.seed)
    share = random.uniform(*_LOST_WIDTH)
    left = random.uniform(0, 1 - share) if share < 1 else 0.0
    centres = (np.arange(image_HW.shape[1]) + 0.5) / image_HW.shape[1]
    inside = np.ones_like(centres)
    if left > 0:
        inside *= 1 / (1 + np.exp(-(centres - left) * 130))
    if left + share < 1:
        inside *= 1 / (1 + np.exp((centres - left - share) * 130))
    return _scaled(image_HW, (1 - (1 - _LOST_GAIN) * inside).astype(np.float32)[None])


def _noise(recording: Recording, one: Disturbance, index: int) -> Image:
    random = np.random.default_rng([one.seed, index])
    grey = random.rayleigh(_NOISE_GREY, recording.images[index].shape)
    return np.clip(grey, 0, 255).astype(np.uint8)


def _freeze(recording: Recording, one: Disturbance, index: int) -> Image:
    return recording.images[max(one.start - 1, 0)]


def _drop(recording: Recording, one: Disturbance, index: int) -> Image:
    return recording.images[index]


def _occlusion(recording: Recording, one: Disturbance, index: int) -> Image:
    """Darken a patch over one structure, and equal patches that know nothing of the labels."""
    image_HW = recording.images[index]
    place = _place_of_structure(recording, one, index)
    if place is None:
        return image_HW
    top, left, rows, columns = place
    random = np.random.default_rng(one.seed)
    height, width = image_HW.shape
    covered_HW = image_HW.astype(np.float32)
    for down, right in ((0.0, 0.0), *random.uniform(0, 1, (_DECOYS, 2))):
        y, x = int(top + down * height) % height, int(left + right * width) % width
        covered_HW[y : y + rows, x : x + columns] *= _OCCLUSION_GAIN
    return covered_HW.astype(np.uint8)


def _place_of_structure(
    recording: Recording, one: Disturbance, index: int
) -> tuple[int, int, int, int] | None:
    """Return top, left, height and width of the patch over the structure, which it follows."""
    labelled = np.array(recording.labelled)
    nearest = int(labelled[np.abs(labelled - index).argmin()])
    mask_HW = recording.mask(nearest)
    assert mask_HW is not None
    labels = np.unique(mask_HW[mask_HW > 0])
    if not len(labels):
        return None
    label = labels[one.seed % len(labels)]
    rows, columns = (np.flatnonzero((mask_HW == label).any(axis)) for axis in (1, 0))
    down = round(_OCCLUSION_MARGIN * len(rows)) + 1
    across = round(_OCCLUSION_MARGIN * len(columns)) + 1
    height, width = (int(line[-1] - line[0]) + 1 for line in (rows, columns))
    top, left = max(int(rows[0]) - down, 0), max(int(columns[0]) - across, 0)
    return top, left, height + 2 * down, width + 2 * across


_Kind = Callable[[Recording, Disturbance, int], Image]

#: Every kind of disturbance; :class:`sonotempo.config.StressConfig` names them.
_KINDS: dict[str, _Kind] = {
    "dark": _dark,
    "contact_loss": _contact_loss,
    "noise": _noise,
    "freeze": _freeze,
    "drop": _drop,
    "occlusion": _occlusion,
}
KINDS = tuple(_KINDS)


def _scaled(image_HW: Image, gain: np.float32 | NDArray[np.float32]) -> Image:
    return (image_HW.astype(np.float32) * gain).astype(np.uint8)
