"""The seed paper's six augmentations, for whole clips on the training device.

Smistad et al. 2021, section II-C: gamma, rotation, Gaussian shadows, depth, JPEG compression and
elastic deformation. All frames of a clip share one draw, and so do an image and its mask.

Order, as an image comes about: where the tissue is (elastic deformation, then rotation, in one
resampling together with any given motion), what the sound reaches (shadow), how deep the scanner
shows it (depth), how it maps echoes to grey (gamma), how the file stores it (JPEG). What is not
drawn is not computed: a clip without any draw is exactly its pixels over 255.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sonotempo.config import AugmentConfig
from sonotempo.data.jpeg import jpeg
from sonotempo.data.resampling import resample, spread

#: The grid on which settings in pixels are given; they scale with the grid in use.
REFERENCE_SIZE = 256


@dataclass(frozen=True, slots=True)
class Shadow:
    """One dark Gaussian: centre and standard deviations in shares of the grid's side.

    Attributes:
        x: centre from the left, 0 to 1.
        y: centre from the top, 0 to 1.
        sigma_x: standard deviation across.
        sigma_y: standard deviation in depth.
        strength: the share of brightness lost in the centre, 0 to 1.
    """

    x: float
    y: float
    sigma_x: float
    sigma_y: float
    strength: float


@dataclass(frozen=True, slots=True)
class Draw:
    """What happens to one clip; None leaves that augmentation out.

    Attributes:
        gamma: exponent of the grey values in 0–1.
        rotation_degrees: turn about the centre.
        shadow: where it is dark.
        depth_keep: the share of rows kept from the top; below, image and mask are 0.
        jpeg_quality: 1 to 100.
        elastic_2GG: displacement of the control points (x, y) in shares of ``elastic_px``.
    """

    gamma: float | None = None
    rotation_degrees: float | None = None
    shadow: Shadow | None = None
    depth_keep: float | None = None
    jpeg_quality: int | None = None
    elastic_2GG: Tensor | None = None

    @property
    def moves(self) -> bool:
        """Whether pixels change their place."""
        return self.rotation_degrees is not None or self.elastic_2GG is not None


def to_input(frames_BTHW: Tensor) -> Tensor:
    """Turn fitted uint8 frames into network input as they are: float32 in 0–1, (B, T, 1, H, W)."""
    return frames_BTHW.unsqueeze(2).float().div_(255)


class Augmentation:
    """The six augmentations with their probabilities and ranges.

    >>> from sonotempo.config import AugmentConfig
    >>> augmentation = Augmentation(AugmentConfig())
    >>> frames = torch.full((4, 8, 64, 64), 100, dtype=torch.uint8)
    >>> x, masks = augmentation(frames, frames // 100, torch.Generator().manual_seed(0))
    >>> tuple(x.shape), tuple(masks.shape)
    ((4, 8, 1, 64, 64), (4, 8, 64, 64))
    """

    def __init__(self, config: AugmentConfig) -> None:
        self._config = config

    @torch.no_grad()
    def __call__(
        self,
        frames_BTHW: Tensor,
        masks_BTHW: Tensor,
        generator: torch.Generator,
        displacement_BTHW2: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draw once per clip and apply.

        Args:
            frames_BTHW: uint8 fitted frames, square.
            masks_BTHW: uint8 labels.
            generator: the only source of randomness, on the frames' device.
            displacement_BTHW2: motion in pixels (x, y) to compose into the same resampling;
                where it is 0 and nothing else moves, pixels stay exactly as they are.

        Returns:
            The network input, float32 in 0–1 of shape (B, T, 1, H, W), and the masks, uint8.
        """
        draws = self.draw(len(frames_BTHW), generator)
        return self.apply(frames_BTHW, masks_BTHW, draws, displacement_BTHW2)

    def draw(self, clips: int, generator: torch.Generator) -> list[Draw]:
        """Draw what happens to each clip.

        It takes the same amount of randomness whatever is drawn, so the settings of one
        augmentation never change the draws of another.
        """
        config, device = self._config, generator.device
        points = config.elastic_grid
        numbers_BN = torch.rand(clips, 15, generator=generator, device=device)
        controls_B2GG = torch.rand(clips, 2, points, points, generator=generator, device=device)
        # All numbers go to the host at once: a wait for the device instead of one per number.
        pairs = zip(numbers_BN.tolist(), controls_B2GG * 2 - 1, strict=True)
        return [self._draw_one(iter(numbers), controls) for numbers, controls in pairs]

    def _draw_one(self, numbers: Iterator[float], controls_2GG: Tensor) -> Draw:
        config = self._config

        def drawn(probability: float) -> bool:
            return next(numbers) < probability

        shadow = Shadow(
            x=next(numbers),
            y=next(numbers),
            sigma_x=_within(config.shadow_size, next(numbers)),
            sigma_y=_within(config.shadow_size, next(numbers)),
            strength=_within(config.shadow_strength, next(numbers)),
        )
        gamma = _log_within(config.gamma, next(numbers))
        degrees = config.rotation_degrees * (2 * next(numbers) - 1)
        keep = _within(config.depth_keep, next(numbers))
        worst, best = config.jpeg_quality
        quality = min(best, int(_within((worst, best + 1), next(numbers))))
        return Draw(
            gamma=gamma if drawn(config.gamma_probability) else None,
            rotation_degrees=degrees if drawn(config.rotation_probability) else None,
            shadow=shadow if drawn(config.shadow_probability) else None,
            depth_keep=keep if drawn(config.depth_probability) else None,
            jpeg_quality=quality if drawn(config.jpeg_probability) else None,
            elastic_2GG=controls_2GG if drawn(config.elastic_probability) else None,
        )

    @torch.no_grad()
    def apply(
        self,
        frames_BTHW: Tensor,
        masks_BTHW: Tensor,
        draws: list[Draw],
        displacement_BTHW2: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Apply given draws, one per clip; arguments and results as in a call."""
        x_BTHW = torch.empty(frames_BTHW.shape, device=frames_BTHW.device)
        masks_BTHW = masks_BTHW.clone()
        motions = [None] * len(draws) if displacement_BTHW2 is None else displacement_BTHW2
        # Under mixed precision, 16-bit products would blur the JPEG's rounding.
        with torch.autocast(x_BTHW.device.type, enabled=False):
            # Each clip wholly, and in place: it then stays in a CPU's cache. New memory for whole
            # batches would cost more than the work.
            for frames_THW, x_THW, masks_THW, draw, motion_THW2 in zip(
                frames_BTHW, x_BTHW, masks_BTHW, draws, motions, strict=True
            ):
                x_THW.copy_(frames_THW).div_(255)
                self._move(x_THW, masks_THW, draw, motion_THW2)
                _show(x_THW, masks_THW, draw)
        return x_BTHW.unsqueeze(2), masks_BTHW

    def _move(
        self, x_THW: Tensor, masks_THW: Tensor, draw: Draw, motion_THW2: Tensor | None
    ) -> None:
        """Resample a clip in place; frames that nothing moves are not touched."""
        moving: slice | Tensor = slice(None)
        if not draw.moves:
            if motion_THW2 is None:
                return
            moving = motion_THW2.flatten(1).any(1)
            if not moving.any():
                return
        # One grid for all frames, or one each where there is a motion.
        shift_N2HW = self._elastic(draw, x_THW.shape[-1], x_THW.device)
        if motion_THW2 is not None:
            shift_N2HW = shift_N2HW + motion_THW2[moving].movedim(-1, 1)
        x_THW[moving], masks_THW[moving] = resample(
            x_THW[moving], masks_THW[moving], shift_N2HW, math.radians(draw.rotation_degrees or 0)
        )

    def _elastic(self, draw: Draw, size: int, device: torch.device) -> Tensor:
        """Return the smooth random displacement of a clip in pixels, (1, 2, S, S)."""
        if draw.elastic_2GG is None:
            return torch.zeros(1, 2, size, size, device=device)
        weights = spread(self._config.elastic_grid, size, device)
        reach_px = self._config.elastic_px * size / REFERENCE_SIZE
        return (weights @ (draw.elastic_2GG * reach_px) @ weights.T)[None]


def _show(x_THW: Tensor, masks_THW: Tensor, draw: Draw) -> None:
    """Apply what does not move pixels to a clip, in place."""
    if draw.shadow is not None:
        x_THW.mul_(_shade(draw.shadow, x_THW.shape[-1], x_THW.device))
    if draw.depth_keep is not None:
        cut = round(draw.depth_keep * x_THW.shape[-2])
        x_THW[:, cut:] = 0
        masks_THW[:, cut:] = 0
    if draw.gamma is not None:
        x_THW.pow_(draw.gamma)
    if draw.jpeg_quality is not None:
        x_THW.copy_(jpeg(x_THW, draw.jpeg_quality))


def _within(limits: tuple[float, float], share: float) -> float:
    return limits[0] + share * (limits[1] - limits[0])


def _log_within(limits: tuple[float, float], share: float) -> float:
    # Even in the logarithm: a gamma of 1/2 is then as likely as one of 2.
    return limits[0] * math.exp(share * math.log(limits[1] / limits[0]))


def _shade(shadow: Shadow, size: int, device: torch.device) -> Tensor:
    """Return the brightness that a shadow leaves, (S, S): a Gaussian is an outer product."""
    centres = (torch.arange(size, device=device) + 0.5) / size
    across = torch.exp(-((centres - shadow.x) ** 2) / (2 * shadow.sigma_x**2))
    along = torch.exp(-((centres - shadow.y) ** 2) / (2 * shadow.sigma_y**2))
    return torch.outer(along, across).mul_(-shadow.strength).add_(1)
