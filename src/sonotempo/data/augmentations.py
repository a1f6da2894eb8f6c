"""The list of augmentations: what is drawn for a clip, and what it does to the pixels.

All but :class:`Zoom` and :class:`Mirror` are from Smistad et al. 2021, section II-C. To add one,
write a class here and add one line to :data:`AUGMENTATIONS`; its settings go to
:class:`~sonotempo.config.AugmentConfig`.
"""

# ruff: noqa: D102  # the base class documents what each class overrides

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from sonotempo.config import AugmentConfig
from sonotempo.data.jpeg import jpeg
from sonotempo.data.resampling import REFERENCE_SIZE, spread

#: Returns the next random number of 0 to 1.
Numbers = Callable[[], float]


class Effect(ABC):
    """One augmentation with the parameters that were drawn for one clip.

    All frames of the clip share them, and so do an image and its mask.
    """

    __slots__ = ()

    #: Whether pixels change place: by ``displacement`` and ``radians``, in one resampling with
    #: all other moving effects.
    moves: ClassVar[bool] = False
    #: What it is called on the training sheet, with its parameters as fields of ``{0}``.
    title: ClassVar[str]
    #: Numbers, repeated as needed, that draw the effect at the end of its range that changes most.
    strongest: ClassVar[tuple[float, ...]]

    @classmethod
    @abstractmethod
    def drawn(cls, config: AugmentConfig, number: Numbers) -> Self | None:
        """Draw the parameters, or return None to leave the clip as it is.

        The first number decides that: the effect happens if it is below the probability.
        """

    def __str__(self) -> str:
        return self.title.format(self)

    @property
    def radians(self) -> float:
        """Counter-clockwise turn about the image centre."""
        return 0.0

    def displacement(self, size: int, device: torch.device) -> Tensor | None:
        """Return where pixels come from, x and y in pixels, of shape (1, 2, S, S)."""
        return None

    def show(self, x_THW: Tensor, masks_THW: Tensor) -> None:  # noqa: B027  (effects that move)
        """Change the grey values in 0–1, and masks where they are no longer visible, in place."""


@dataclass(frozen=True, slots=True)
class Elastic(Effect):
    """A smooth random deformation, spread from a square grid of control points.

    Attributes:
        reach_px: how far a control point moves at most in x and in y, on a 256-pixel grid.
        controls: the control points' x, then their y, row by row, in shares of ``reach_px``.
    """

    moves = True
    title = "elastic {0.reach_px:g} px"
    strongest = (0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0)
    reach_px: float
    controls: tuple[float, ...]

    @classmethod
    def drawn(cls, config: AugmentConfig, number: Numbers) -> Self | None:
        if number() >= config.elastic_probability:
            return None
        count = 2 * config.elastic_grid**2
        return cls(config.elastic_px, tuple(2 * number() - 1 for _ in range(count)))

    def displacement(self, size: int, device: torch.device) -> Tensor:
        points = math.isqrt(len(self.controls) // 2)
        controls_2GG = torch.tensor(self.controls, device=device).view(2, points, points)
        weights = spread(points, size, device)
        reach_px = self.reach_px * size / REFERENCE_SIZE
        return (weights @ (controls_2GG * reach_px) @ weights.T)[None]


@dataclass(frozen=True, slots=True)
class Rotation(Effect):
    """A turn about the image centre, counter-clockwise."""

    moves = True
    title = "rotation {0.degrees:g}°"
    strongest = (1.0,)
    degrees: float

    @classmethod
    def drawn(cls, config: AugmentConfig, number: Numbers) -> Self | None:
        if number() >= config.rotation_probability:
            return None
        return cls(config.rotation_degrees * (2 * number() - 1))

    @property
    def radians(self) -> float:
        return math.radians(self.degrees)


@dataclass(frozen=True, slots=True)
class Zoom(Effect):
    """A change of size about the image centre, as at another imaging depth."""

    moves = True
    title = "zoom {0.factor:.2f}"
    strongest = (1.0,)
    factor: float

    @classmethod
    def drawn(cls, config: AugmentConfig, number: Numbers) -> Self | None:
        if number() >= config.zoom_probability:
            return None
        low, high = config.zoom
        return cls(low * math.exp(number() * math.log(high / low)))

    def displacement(self, size: int, device: torch.device) -> Tensor:
        centres = torch.arange(size, device=device) - (size - 1) / 2
        inward = centres * (1 / self.factor - 1)
        return torch.stack((inward.expand(size, size), inward[:, None].expand(size, size)))[None]


@dataclass(frozen=True, slots=True)
class Mirror(Effect):
    """Left and right exchanged: the other arm, or a probe held the other way round."""

    title = "mirror"
    strongest = (0.0,)

    @classmethod
    def drawn(cls, config: AugmentConfig, number: Numbers) -> Self | None:
        return cls() if number() < config.mirror_probability else None

    def show(self, x_THW: Tensor, masks_THW: Tensor) -> None:
        x_THW.copy_(x_THW.flip(-1))
        masks_THW.copy_(masks_THW.flip(-1))


@dataclass(frozen=True, slots=True)
class Shadow(Effect):
    """One dark Gaussian: centre and standard deviations in shares of the grid's side.

    Attributes:
        x: centre from the left, 0 to 1.
        y: centre from the top, 0 to 1.
        sigma_x: standard deviation across.
        sigma_y: standard deviation in depth.
        strength: the share of brightness lost in the centre, 0 to 1.
    """

    title = "shadow {0.strength:g}"
    strongest = (0.4, 0.4, 1.0, 1.0, 1.0)
    x: float
    y: float
    sigma_x: float
    sigma_y: float
    strength: float

    @classmethod
    def drawn(cls, config: AugmentConfig, number: Numbers) -> Self | None:
        if number() >= config.shadow_probability:
            return None
        return cls(
            x=number(),
            y=number(),
            sigma_x=_within(config.shadow_size, number()),
            sigma_y=_within(config.shadow_size, number()),
            strength=_within(config.shadow_strength, number()),
        )

    def show(self, x_THW: Tensor, masks_THW: Tensor) -> None:
        size = x_THW.shape[-1]
        centres = (torch.arange(size, device=x_THW.device) + 0.5) / size
        across = torch.exp(-((centres - self.x) ** 2) / (2 * self.sigma_x**2))
        along = torch.exp(-((centres - self.y) ** 2) / (2 * self.sigma_y**2))
        x_THW.mul_(torch.outer(along, across).mul_(-self.strength).add_(1))


@dataclass(frozen=True, slots=True)
class Depth(Effect):
    """A shallower image: below the share ``keep`` of the rows, image and mask are 0."""

    title = "depth {0.keep:g}"
    strongest = (0.0,)
    keep: float

    @classmethod
    def drawn(cls, config: AugmentConfig, number: Numbers) -> Self | None:
        if number() >= config.depth_probability:
            return None
        return cls(_within(config.depth_keep, number()))

    def show(self, x_THW: Tensor, masks_THW: Tensor) -> None:
        cut = round(self.keep * x_THW.shape[-2])
        x_THW[:, cut:] = 0
        masks_THW[:, cut:] = 0


@dataclass(frozen=True, slots=True)
class Gamma(Effect):
    """Grey values raised to a power."""

    title = "gamma {0.exponent:g}"
    strongest = (1.0,)
    exponent: float

    @classmethod
    def drawn(cls, config: AugmentConfig, number: Numbers) -> Self | None:
        if number() >= config.gamma_probability:
            return None
        low, high = config.gamma
        # Even in the logarithm: a gamma of 1/2 is then as likely as one of 2.
        return cls(low * math.exp(number() * math.log(high / low)))

    def show(self, x_THW: Tensor, masks_THW: Tensor) -> None:
        x_THW.pow_(self.exponent)


@dataclass(frozen=True, slots=True)
class Jpeg(Effect):
    """JPEG compression at a quality of 1 to 100."""

    title = "JPEG quality {0.quality}"
    strongest = (0.0,)
    quality: int

    @classmethod
    def drawn(cls, config: AugmentConfig, number: Numbers) -> Self | None:
        if number() >= config.jpeg_probability:
            return None
        worst, best = config.jpeg_quality
        return cls(min(best, int(_within((worst, best + 1), number()))))

    def show(self, x_THW: Tensor, masks_THW: Tensor) -> None:
        x_THW.copy_(jpeg(x_THW, self.quality))


#: Every augmentation, in the order in which an image is formed: where the tissue is (elastic
#: deformation, rotation, zoom, then mirror), what the sound reaches (shadow), how deep the scanner
#: shows it (depth), how it maps echoes to grey (gamma), how the file stores it (JPEG).
AUGMENTATIONS: tuple[type[Effect], ...] = (
    Elastic,
    Rotation,
    Zoom,
    Mirror,
    Shadow,
    Depth,
    Gamma,
    Jpeg,
)


def _within(limits: tuple[float, float], share: float) -> float:
    return limits[0] + share * (limits[1] - limits[0])
