"""A picture of the training input: original frames, their clips, and each augmentation alone."""

from collections.abc import Sequence
from itertools import chain, cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sonotempo.config import AugmentConfig, FaultsConfig, MotionConfig
from sonotempo.data.augment import Augmentation, apply_effects
from sonotempo.data.augmentations import AUGMENTATIONS, Effect
from sonotempo.data.faults import Faults
from sonotempo.data.stills import StillMotion
from sonotempo.structures import StructureSet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CLIP_FRAMES = 16
_SHOWN = (0, 3, 6, 9, 12, 15)
_MOST_ROWS = 6
_INCHES = 2.2
_ALWAYS = -1.0  # below every probability, 0 included


def draw_preview(
    frames: Sequence[NDArray[np.uint8]],
    masks: Sequence[NDArray[np.uint8]],
    structures: StructureSet,
    *,
    augment: AugmentConfig,
    faults: FaultsConfig,
    motion: MotionConfig,
    out: Path,
    seed: int,
) -> None:
    """Draw training clips as the network receives them, into one PNG.

    Each of the first six frames has a row: the original, then frames of a clip with motion,
    augmentation and faults, masks as outlines. The last row shows the first frame with each
    augmentation alone, as strong as the settings allow.

    Args:
        frames: uint8 frames, fitted and square, all of the same size.
        masks: their uint8 label masks.
        structures: names and colours of the labels.
        augment: settings of the augmentations.
        faults: settings of the faults.
        motion: settings of the motion that makes a clip of a frame.
        out: the PNG to write; its folder is made if missing.
        seed: the same seed draws the same picture.
    """
    # Imported here: a training run must not need a plotting library.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.lines import Line2D  # noqa: PLC0415

    rows = min(len(frames), _MOST_ROWS)
    columns = 1 + max(len(_SHOWN), len(AUGMENTATIONS))
    figure = Figure(figsize=(columns * _INCHES, (rows + 1) * _INCHES * 1.12), layout="compressed")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows + 1, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    generator = torch.Generator().manual_seed(seed)
    for row in range(rows):
        x_THW, masks_THW = _clip(
            frames[row], masks[row], generator, augment=augment, faults=faults, motion=motion
        )
        _show(axes[row][0], frames[row], masks[row], structures, "original")
        for axis, frame in zip(axes[row][1:], _SHOWN, strict=False):
            title = f"clip, frame {frame + 1} of {_CLIP_FRAMES}"
            _show(axis, x_THW[frame], masks_THW[frame], structures, title)

    _show(axes[rows][0], frames[0], masks[0], structures, "original")
    for axis, kind in zip(axes[rows][1:], AUGMENTATIONS, strict=False):
        effect = kind.drawn(augment, chain([_ALWAYS], cycle(kind.strongest)).__next__)
        assert effect is not None
        x_THW, masks_THW = _alone(frames[0], masks[0], effect)
        _show(axis, x_THW[0], masks_THW[0], structures, str(effect))
    keys = [
        Line2D([], [], color=_rgb(structure.color_rgb), label=structure.name)
        for structure in structures
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys), frameon=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)


def _clip(
    frame_HW: NDArray[np.uint8],
    mask_HW: NDArray[np.uint8],
    generator: torch.Generator,
    *,
    augment: AugmentConfig,
    faults: FaultsConfig,
    motion: MotionConfig,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Make one training clip of a frame: with motion, augmentation and faults."""
    mover = StillMotion(motion)
    shift = mover.displacement(1, _CLIP_FRAMES, len(frame_HW), generator, ends_still=False)
    x, masks = Augmentation(augment)(
        _repeated(frame_HW, _CLIP_FRAMES), _repeated(mask_HW, _CLIP_FRAMES), generator, shift
    )
    x = mover.appearance(x, generator, ends_still=False)
    x = Faults(faults)(x, masks, generator)
    return x[0, :, 0].numpy(), masks[0].numpy()


def _alone(
    frame_HW: NDArray[np.uint8], mask_HW: NDArray[np.uint8], effect: Effect
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    x, masks = apply_effects(_repeated(frame_HW, 1), _repeated(mask_HW, 1), [(effect,)])
    return x[0, :, 0].numpy(), masks[0].numpy()


def _repeated(plane_HW: NDArray[np.uint8], frames: int) -> Tensor:
    return torch.from_numpy(plane_HW.copy()).expand(1, frames, -1, -1)


def _show(
    axis: "Axes",
    image_HW: NDArray[np.uint8] | NDArray[np.float32],
    mask_HW: NDArray[np.uint8],
    structures: StructureSet,
    title: str,
) -> None:
    """Draw an image in its full grey range with outlined structures."""
    white = 255 if image_HW.dtype == np.uint8 else 1
    axis.imshow(image_HW, cmap="gray", vmin=0, vmax=white)
    for label, structure in enumerate(structures, start=1):
        inside_HW = mask_HW == label
        if inside_HW.any():
            axis.contour(inside_HW, [0.5], colors=[_rgb(structure.color_rgb)], linewidths=1)
    axis.set_title(title, fontsize=8)


def _rgb(color_rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    red, green, blue = color_rgb
    return red / 255, green / 255, blue / 255
