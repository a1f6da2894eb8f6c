"""Augment whole clips on the training device: one draw per clip from :mod:`.augmentations`.

What is not drawn is not computed: a clip without any effect is exactly its pixels over 255.
"""

import random
from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from sonotempo.config import AugmentConfig
from sonotempo.data.augment_batch import apply_together
from sonotempo.data.augmentations import AUGMENTATIONS, Effect, Numbers
from sonotempo.data.resampling import resample

#: The effects on one clip, in the order of :data:`AUGMENTATIONS`; empty for none.
Draw = tuple[Effect, ...]

# The seed paper's six share one block of random numbers per clip, so that a seed gives the same
# clips in every version. These are their columns, first the one that decides whether the effect
# happens; the control points of the elastic deformation follow the block. Every other augmentation
# draws from a stream seeded by its class name and the clip's block: it neither shifts the numbers
# of the others nor takes any from the generator.
_BLOCK = {
    "Gamma": (9, 5),
    "Rotation": (10, 6),
    "Shadow": (11, 0, 1, 2, 3, 4),
    "Depth": (12, 7),
    "Jpeg": (13, 8),
    "Elastic": (14,),
}
_BLOCK_COLUMNS = 15


def to_input(frames_BTHW: Tensor) -> Tensor:
    """Turn fitted uint8 frames into unchanged network input: float32 in 0–1, (B, T, 1, H, W)."""
    return frames_BTHW.unsqueeze(2).float().div_(255)


class Augmentation:
    """All augmentations with the probabilities and ranges of a configuration.

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
                where it is 0 and nothing else moves, pixels stay exactly the same.

        Returns:
            The network input, float32 in 0–1 of shape (B, T, 1, H, W), and the masks, uint8.
        """
        draws = self.draw(len(frames_BTHW), generator)
        return apply_effects(frames_BTHW, masks_BTHW, draws, displacement_BTHW2)

    def draw(self, clips: int, generator: torch.Generator) -> list[Draw]:
        """Draw what happens to each clip.

        The amount of randomness used does not depend on the draws, so the settings of one
        augmentation never change the draws of another.
        """
        points, device = self._config.elastic_grid, generator.device
        block_BN = torch.rand(clips, _BLOCK_COLUMNS, generator=generator, device=device)
        controls_B2GG = torch.rand(clips, 2, points, points, generator=generator, device=device)
        # All numbers go to the host at once, which waits for the device once.
        rows = torch.cat((block_BN, controls_B2GG.flatten(1)), 1).tolist()
        kinds = [kind for kind in AUGMENTATIONS if self._happens(kind)]
        return [self._draw_one(kinds, row) for row in rows]

    def _happens(self, kind: type[Effect]) -> bool:
        """Whether an augmentation has a chance at all: a stream of numbers takes time to start."""
        return bool(getattr(self._config, f"{kind.__name__.lower()}_probability", 1) > 0)

    def _draw_one(self, kinds: Sequence[type[Effect]], row: Sequence[float]) -> Draw:
        effects = (kind.drawn(self._config, _numbers(kind, row)) for kind in kinds)
        return tuple(effect for effect in effects if effect is not None)


def _numbers(kind: type[Effect], row: Sequence[float]) -> Numbers:
    columns = _BLOCK.get(kind.__name__)
    if columns is None:
        return random.Random(f"{kind.__name__} {row[:_BLOCK_COLUMNS]}").random
    return iter([*(row[column] for column in columns), *row[_BLOCK_COLUMNS:]]).__next__


@torch.no_grad()
def apply_effects(
    frames_BTHW: Tensor,
    masks_BTHW: Tensor,
    draws: Sequence[Draw],
    displacement_BTHW2: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Apply given draws, one per clip; other arguments and results as for :class:`Augmentation`."""
    if frames_BTHW.device.type == "cuda":
        with torch.autocast("cuda", enabled=False):
            return apply_together(frames_BTHW, masks_BTHW, draws, displacement_BTHW2)
    x_BTHW = torch.empty(frames_BTHW.shape, device=frames_BTHW.device)
    masks_BTHW = masks_BTHW.clone()
    motions = [None] * len(draws) if displacement_BTHW2 is None else displacement_BTHW2
    # Under mixed precision, 16-bit products would blur the JPEG's rounding.
    with torch.autocast(x_BTHW.device.type, enabled=False):
        # Clip by clip and in place, so that a clip stays in the CPU's cache: allocating memory for
        # whole batches would cost more than the work.
        for frames_THW, x_THW, masks_THW, effects, motion_THW2 in zip(
            frames_BTHW, x_BTHW, masks_BTHW, draws, motions, strict=True
        ):
            x_THW.copy_(frames_THW).div_(255)
            _move(x_THW, masks_THW, effects, motion_THW2)
            for effect in effects:
                effect.show(x_THW, masks_THW)
    return x_BTHW.unsqueeze(2), masks_BTHW


def _move(x_THW: Tensor, masks_THW: Tensor, effects: Draw, motion_THW2: Tensor | None) -> None:
    """Resample a clip in place; frames that nothing moves are not touched."""
    moving: slice | Tensor = slice(None)
    if not any(effect.moves for effect in effects):
        if motion_THW2 is None:
            return
        moving = motion_THW2.flatten(1).any(1)
        if not moving.any():
            return
    size, device = x_THW.shape[-1], x_THW.device
    shifts = [shift for e in effects if (shift := e.displacement(size, device)) is not None]
    # One grid for all frames, or one each where there is a motion.
    shift_N2HW = (
        reduce(torch.add, shifts) if shifts else torch.zeros(1, 2, size, size, device=device)
    )
    if motion_THW2 is not None:
        shift_N2HW = shift_N2HW + motion_THW2[moving].movedim(-1, 1)
    radians = sum(effect.radians for effect in effects)
    x_THW[moving], masks_THW[moving] = resample(
        x_THW[moving], masks_THW[moving], shift_N2HW, radians
    )
