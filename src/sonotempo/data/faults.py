"""Runs of uninformative frames in training clips.

Dark frames, lost probe contact, noise and shadows over a structure occur in practice, and such a
frame cannot be segmented by itself. Labels deliberately stay unchanged: the anatomy is still
there, and only a model with memory can know it. Without such faults a sequence model learns to
ignore its memory, because each frame of clean video is sufficient by itself.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from sonotempo.config import FaultsConfig

# The share of brightness that a dark frame keeps.
_DARK_GAIN = (0.0, 0.1)
# Lost contact: the share of the width without an echo, its edge, and the remaining brightness.
_LOST_WIDTH = (0.5, 1.0)
_LOST_EDGE = 0.03
_LOST_GAIN = 0.05
# A shadow over a structure: how far the patch reaches beyond it, as a share of its size, the
# brightness that remains, and how many equal patches cover other places.
_OCCLUSION_MARGIN = 0.15
_OCCLUSION_GAIN = 0.1
_DECOYS = 3
# The scale of the Rayleigh distribution that fully developed speckle follows, in grey of 0–1.
_NOISE_SCALE = 0.25


@dataclass(frozen=True, slots=True)
class Run:
    """Frames ``start`` to ``stop`` (half-open) of one clip, and two random numbers of 0–1."""

    clip: int
    start: int
    stop: int
    place: float
    amount: float


class Faults:
    """Adds faults to clips, each kind with its probability per clip.

    A clip's first frame stays intact, because no memory can help there.

    >>> from sonotempo.config import FaultsConfig
    >>> faults = Faults(FaultsConfig(dark_probability=1, contact_loss_probability=0))
    >>> x = torch.ones(1, 8, 1, 4, 4)
    >>> faulty = faults(x, torch.zeros(1, 8, 4, 4), torch.Generator().manual_seed(0))
    >>> brightness = faulty.amax((0, 2, 3, 4))
    >>> bool(brightness[0] == 1), bool(brightness.min() <= 0.1)
    (True, True)
    """

    def __init__(self, config: FaultsConfig) -> None:
        self._config = config

    @torch.no_grad()
    def __call__(self, x_BTCHW: Tensor, masks_BTHW: Tensor, generator: torch.Generator) -> Tensor:
        """Return the clips with faults; the input is not changed.

        Args:
            x_BTCHW: float32 network input in 0–1.
            masks_BTHW: its labels: an occlusion has to know where structures are.
            generator: the only source of randomness, on the input's device.

        Returns:
            The same shape and type; the labels stay valid.
        """
        clips, frames, _, _, width = x_BTCHW.shape
        dark, lost, noise, occluded = self.draw(clips, frames, generator)
        if not (dark or lost or noise or occluded):
            return x_BTCHW
        x_BTCHW = x_BTCHW.clone()
        for run in dark:
            low, high = _DARK_GAIN
            x_BTCHW[run.clip, run.start : run.stop] *= low + run.amount * (high - low)
        for run in lost:
            x_BTCHW[run.clip, run.start : run.stop] *= _columns(run, width, x_BTCHW.device)
        for run in noise:
            frames_TCHW = x_BTCHW[run.clip, run.start : run.stop]
            uniform = torch.rand(frames_TCHW.shape, generator=generator, device=frames_TCHW.device)
            rayleigh = uniform.neg_().log1p_().mul_(-2).sqrt_().mul_(_NOISE_SCALE)
            frames_TCHW.copy_(rayleigh.clamp_(max=1))
        for run in occluded:
            span = slice(run.start, run.stop)
            _occlude(x_BTCHW[run.clip, span], masks_BTHW[run.clip, span], run, generator)
        return x_BTCHW

    def draw(
        self, clips: int, frames: int, generator: torch.Generator
    ) -> tuple[list[Run], list[Run], list[Run], list[Run]]:
        """Draw the runs of dark frames, of lost contact, of noise and of occlusions."""
        config = self._config
        numbers = torch.rand(4, clips, 5, generator=generator, device=generator.device).tolist()
        dark, lost, noise, occluded = numbers

        def runs(of_kind: list[list[float]], probability: float) -> list[Run]:
            return [
                self._run(clip, frames, rest)
                for clip, (chance, *rest) in enumerate(of_kind)
                if chance < probability and frames > 1
            ]

        return (
            runs(dark, config.dark_probability),
            runs(lost, config.contact_loss_probability),
            runs(noise, config.noise_probability),
            runs(occluded, config.occlusion_probability),
        )

    def _run(self, clip: int, frames: int, numbers: list[float]) -> Run:
        when, how_long, place, amount = numbers
        longest = min(self._config.max_run_frames, frames - 1)
        length = min(longest, max(1, round(longest**how_long)))
        latest = frames - length
        start = 1 + min(int(when * latest), latest - 1)
        return Run(clip, start, start + length, place, amount)


def _occlude(x_TCHW: Tensor, masks_THW: Tensor, run: Run, generator: torch.Generator) -> None:
    """Darken a patch over one structure, which it follows, and equal patches elsewhere."""
    labels = torch.bincount(masks_THW.flatten())[1:].nonzero().flatten().add(1).tolist()
    if not labels:
        return
    label = labels[min(int(run.place * len(labels)), len(labels) - 1)]
    height, width = masks_THW.shape[-2:]
    offsets = torch.rand(_DECOYS, 2, generator=generator, device=generator.device).tolist()
    for x_CHW, mask_HW in zip(x_TCHW, masks_THW, strict=True):
        rows, columns = (mask_HW == label).nonzero(as_tuple=True)
        if len(rows) == 0:
            continue
        top, bottom, left, right = (
            int(edge) for edge in (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)
        )
        down = round(_OCCLUSION_MARGIN * (bottom - top)) + 1
        across = round(_OCCLUSION_MARGIN * (right - left)) + 1
        patch_h, patch_w = bottom - top + 2 * down, right - left + 2 * across
        # Decoys lie anywhere, wrapped at the borders, and keep their distance to the structure.
        for place_y, place_x in ((0.0, 0.0), *offsets):
            y = (top - down + round(place_y * height)) % height
            x = (left - across + round(place_x * width)) % width
            x_CHW[:, y : y + patch_h, x : x + patch_w] *= _OCCLUSION_GAIN


def _columns(run: Run, width: int, device: torch.device) -> Tensor:
    """Return the brightness that each column keeps, (W,), with soft edges."""
    low, high = _LOST_WIDTH
    share = low + run.amount * (high - low)
    left = run.place * (1 - share)
    centres = (torch.arange(width, device=device) + 0.5) / width
    # The sides of the image are not edges: a loss that reaches them is complete there.
    inside = torch.ones_like(centres)
    if left > 0:
        inside *= torch.sigmoid((centres - left) / _LOST_EDGE * 4)
    if left + share < 1:
        inside *= torch.sigmoid((left + share - centres) / _LOST_EDGE * 4)
    return 1 - (1 - _LOST_GAIN) * inside
