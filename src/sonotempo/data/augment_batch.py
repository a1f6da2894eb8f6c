"""The effects of :mod:`.augment` on a whole batch at once, for a GPU.

Clip by clip, a GPU would wait for each of hundreds of short kernels to be started. Here a kernel
takes all clips, each with its own parameters, and clips without an effect keep their pixels. An
augmentation that is not in :data:`TOGETHER` is applied clip by clip.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from sonotempo.data.augmentations import (
    AUGMENTATIONS,
    Depth,
    Effect,
    Elastic,
    Gamma,
    Jpeg,
    Mirror,
    Shadow,
)
from sonotempo.data.jpeg import jpeg_batch
from sonotempo.data.resampling import REFERENCE_SIZE, resample_batch, spread

#: The effects of one augmentation on a batch; None where a clip has none.
Column = Sequence[Any]
#: Returns new x_BTHW and masks_BTHW.
Together = Callable[[Column, Tensor, Tensor], tuple[Tensor, Tensor]]


def apply_together(
    frames_BTHW: Tensor,
    masks_BTHW: Tensor,
    draws: Sequence[tuple[Effect, ...]],
    displacement_BTHW2: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Apply given draws; arguments and results are those of :func:`.augment.apply_effects`."""
    x_BTHW, masks_BTHW = _moved(
        frames_BTHW.float().div_(255), masks_BTHW, draws, displacement_BTHW2
    )
    for kind in _kinds(draws):
        column = [_of_kind(kind, effects) for effects in draws]
        x_BTHW, masks_BTHW = TOGETHER.get(kind, _clip_by_clip)(column, x_BTHW, masks_BTHW)
    return x_BTHW.unsqueeze(2), masks_BTHW


def _kinds(draws: Sequence[tuple[Effect, ...]]) -> list[type[Effect]]:
    """Return the kinds that change grey values, in their order."""
    drawn = {type(effect): None for effects in draws for effect in effects if not effect.moves}
    known = [kind for kind in AUGMENTATIONS if kind in drawn]
    return [*known, *(kind for kind in drawn if kind not in AUGMENTATIONS)]


def _of_kind(kind: type[Effect], effects: Iterable[Effect]) -> Effect | None:
    return next((effect for effect in effects if type(effect) is kind), None)


def _moved(
    x_BTHW: Tensor,
    masks_BTHW: Tensor,
    draws: Sequence[tuple[Effect, ...]],
    displacement_BTHW2: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Resample all clips; frames that nothing moves keep their pixels."""
    movers = [[effect for effect in effects if effect.moves] for effects in draws]
    if displacement_BTHW2 is None and not any(movers):
        return x_BTHW, masks_BTHW
    size, device = x_BTHW.shape[-1], x_BTHW.device
    shift_B12HW = _displacement(movers, size, device)[:, None]
    moves_BT = _numbers([float(bool(effects)) for effects in movers], device)[:, None] > 0
    if displacement_BTHW2 is not None:
        shift_B12HW = shift_B12HW + displacement_BTHW2.movedim(-1, 2)
        moves_BT = moves_BT | displacement_BTHW2.flatten(2).any(2)
    radians_B = _numbers([sum(e.radians for e in effects) for effects in movers], device)
    moved_BTHW, moved_masks_BTHW = resample_batch(x_BTHW, masks_BTHW, shift_B12HW, radians_B)
    moves_BT11 = moves_BT[..., None, None]
    return (
        torch.where(moves_BT11, moved_BTHW, x_BTHW),
        torch.where(moves_BT11, moved_masks_BTHW, masks_BTHW),
    )


def _displacement(movers: Sequence[Sequence[Effect]], size: int, device: torch.device) -> Tensor:
    """Return where the pixels of each clip come from, B2HW in pixels."""
    shift_B2HW = torch.zeros(len(movers), 2, size, size, device=device)
    elastic = [next((e for e in effects if isinstance(e, Elastic)), None) for effects in movers]
    values = max((len(effect.controls) for effect in elastic if effect), default=0)
    if values:
        points = math.isqrt(values // 2)
        controls_B2GG = _numbers(
            [
                [effect.reach_px * share for share in effect.controls] if effect else [0.0] * values
                for effect in elastic
            ],
            device,
        ).view(len(movers), 2, points, points)
        weights = spread(points, size, device)
        shift_B2HW = weights @ (controls_B2GG * (size / REFERENCE_SIZE)) @ weights.T
    for clip, effects in enumerate(movers):
        for effect in effects:
            if not isinstance(effect, Elastic):
                own_12HW = effect.displacement(size, device)
                if own_12HW is not None:
                    shift_B2HW[clip] += own_12HW[0]
    return shift_B2HW


def _mirror(column: Column, x_BTHW: Tensor, masks_BTHW: Tensor) -> tuple[Tensor, Tensor]:
    drawn = _drawn(column, x_BTHW)
    return (
        torch.where(drawn, x_BTHW.flip(-1), x_BTHW),
        torch.where(drawn, masks_BTHW.flip(-1), masks_BTHW),
    )


def _shadow(column: Column, x_BTHW: Tensor, masks_BTHW: Tensor) -> tuple[Tensor, Tensor]:
    size = x_BTHW.shape[-1]
    none = (0.0, 0.0, 1.0, 1.0, 0.0)
    numbers_B5 = _numbers(
        [(e.x, e.y, e.sigma_x, e.sigma_y, e.strength) if e else none for e in column],
        x_BTHW.device,
    )
    x_B1, y_B1, sigma_x_B1, sigma_y_B1, strength_B1 = numbers_B5[..., None].unbind(1)
    centres = (torch.arange(size, device=x_BTHW.device) + 0.5) / size
    across_BW = torch.exp(-((centres - x_B1) ** 2) / (2 * sigma_x_B1**2))
    along_BH = torch.exp(-((centres - y_B1) ** 2) / (2 * sigma_y_B1**2)) * -strength_B1
    kept_BHW = torch.baddbmm(
        torch.ones(1, 1, 1, device=x_BTHW.device), along_BH[:, :, None], across_BW[:, None]
    )
    return x_BTHW * kept_BHW[:, None], masks_BTHW


def _depth(column: Column, x_BTHW: Tensor, masks_BTHW: Tensor) -> tuple[Tensor, Tensor]:
    size = x_BTHW.shape[-2]
    cuts_B = _numbers([round(e.keep * size) if e else size for e in column], x_BTHW.device)
    seen_BH = torch.arange(size, device=x_BTHW.device) < cuts_B[:, None]
    seen_B1H1 = seen_BH[:, None, :, None]
    return x_BTHW * seen_B1H1, masks_BTHW * seen_B1H1


def _gamma(column: Column, x_BTHW: Tensor, masks_BTHW: Tensor) -> tuple[Tensor, Tensor]:
    exponents_B = _numbers([e.exponent if e else 1.0 for e in column], x_BTHW.device)
    return x_BTHW.pow(exponents_B[:, None, None, None]), masks_BTHW


def _jpeg(column: Column, x_BTHW: Tensor, masks_BTHW: Tensor) -> tuple[Tensor, Tensor]:
    qualities_B = _numbers([e.quality if e else 50 for e in column], x_BTHW.device).long()
    stored_BTHW = jpeg_batch(x_BTHW, qualities_B)
    return torch.where(_drawn(column, x_BTHW), stored_BTHW, x_BTHW), masks_BTHW


def _clip_by_clip(column: Column, x_BTHW: Tensor, masks_BTHW: Tensor) -> tuple[Tensor, Tensor]:
    x_BTHW, masks_BTHW = x_BTHW.clone(), masks_BTHW.clone()
    for effect, x_THW, masks_THW in zip(column, x_BTHW, masks_BTHW, strict=True):
        if effect is not None:
            effect.show(x_THW, masks_THW)
    return x_BTHW, masks_BTHW


#: The augmentations that a batch has at once; each is the same as its class's ``show``.
TOGETHER: dict[type[Effect], Together] = {
    Mirror: _mirror,
    Shadow: _shadow,
    Depth: _depth,
    Gamma: _gamma,
    Jpeg: _jpeg,
}


def _drawn(column: Column, like: Tensor) -> Tensor:
    """Return which clips have the effect, B111."""
    return _numbers([float(e is not None) for e in column], like.device)[:, None, None, None] > 0


def _numbers(values: Any, device: torch.device) -> Tensor:
    """Move numbers to the device as float32, without waiting for it."""
    pinned = device.type == "cuda"
    return torch.tensor(values, dtype=torch.float32, pin_memory=pinned).to(
        device, non_blocking=True
    )
