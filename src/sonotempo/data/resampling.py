"""Motion as one resampling: where in its source every pixel of a frame is read.

Displacements are in pixels, x to the right and y down; the pixel at ``p`` shows what the source
holds at ``p + displacement(p)``.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

#: The side of the grid that settings in pixels refer to; they scale with the actual grid.
REFERENCE_SIZE = 256


def spread(points: int, size: int, device: torch.device) -> Tensor:
    """Return the bicubic weights that spread control points over an axis.

    The outermost points are on the outermost pixels. ``weights @ control @ weights.T`` spreads
    along both axes: two small products instead of a bicubic interpolation.

    Args:
        points: number of control points along the axis.
        size: number of pixels along the axis.
        device: of the result.

    Returns:
        float32 weights of shape (size, points); every row sums to 1.
    """
    one_each = torch.eye(points, device=device)[None, None]
    return F.interpolate(one_each, size=(size, points), mode="bicubic", align_corners=True)[0, 0]


def resample(
    images_THW: Tensor, masks_THW: Tensor, displacement_N2HW: Tensor, radians: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Move images and masks by a displacement and a rotation, in one resampling each.

    The displaced position is rotated about the image centre. Images are sampled bilinearly, masks
    at the nearest pixel; both are 0 outside their source.

    Args:
        images_THW: float32 images, square.
        masks_THW: uint8 labels of the same shape.
        displacement_N2HW: x and y in pixels; N is T, or 1 for all images.
        radians: counter-clockwise rotation of the content on the screen.

    Returns:
        The moved images and masks, of unchanged types.
    """
    grid_NHW2 = _grid(displacement_N2HW, radians)
    moved_masks = _sample(masks_THW.float(), grid_NHW2, "nearest").to(masks_THW.dtype)
    return _sample(images_THW, grid_NHW2, "bilinear"), moved_masks


def resample_batch(
    images_BTHW: Tensor, masks_BTHW: Tensor, displacement_BN2HW: Tensor, radians_B: Tensor
) -> tuple[Tensor, Tensor]:
    """Move many clips at once, like :func:`resample`.

    Args:
        images_BTHW: float32 images, square.
        masks_BTHW: uint8 labels of the same shape.
        displacement_BN2HW: x and y in pixels; N is T, or 1 for all images of a clip.
        radians_B: counter-clockwise rotation of each clip.
    """
    clips, grids = displacement_BN2HW.shape[:2]
    radians_N11 = radians_B.repeat_interleave(grids)[:, None, None]
    grid_NHW2 = _grid(displacement_BN2HW.flatten(0, 1), radians_N11)
    parts = (clips * grids, -1, *images_BTHW.shape[2:])
    moved, moved_masks = (
        F.grid_sample(
            pixels.reshape(parts), grid_NHW2, mode=mode, padding_mode="zeros", align_corners=False
        ).view(images_BTHW.shape)
        for pixels, mode in ((images_BTHW, "bilinear"), (masks_BTHW.float(), "nearest"))
    )
    return moved, moved_masks.to(masks_BTHW.dtype)


def displace(images_THW: Tensor, displacement_T2HW: Tensor) -> Tensor:
    """Move each image by its own displacement, like :func:`resample`."""
    return _sample(images_THW, _grid(displacement_T2HW, 0.0), "bilinear")


def _sample(images_THW: Tensor, grid_NHW2: Tensor, mode: str) -> Tensor:
    parts = len(grid_NHW2)
    if parts == 1:
        # Images as channels share one grid, but a CPU uses one thread for each part of the batch.
        parts = math.gcd(len(images_THW), torch.get_num_threads())
        grid_NHW2 = grid_NHW2.expand(parts, -1, -1, -1)
    images_NCHW = images_THW.reshape(parts, -1, *images_THW.shape[1:])
    moved_NCHW = F.grid_sample(
        images_NCHW, grid_NHW2, mode=mode, padding_mode="zeros", align_corners=False
    )
    return moved_NCHW.view(images_THW.shape)


def _grid(displacement_N2HW: Tensor, radians: float | Tensor) -> Tensor:
    # With pixel edges at -1 and 1 (align_corners=False), pixel centres are exact in float32 if the
    # size is a power of two: without displacement, pixels are then reproduced exactly.
    size = displacement_N2HW.shape[-1]
    centres = torch.arange(1, 2 * size, 2, device=displacement_N2HW.device) / size - 1
    x_NHW = torch.add(centres, displacement_N2HW[:, 0], alpha=2 / size)
    y_NHW = torch.add(centres[:, None], displacement_N2HW[:, 1], alpha=2 / size)
    if isinstance(radians, Tensor):
        cosine_N11, sine_N11 = radians.cos(), radians.sin()
        x_NHW, y_NHW = (
            x_NHW * cosine_N11 - y_NHW * sine_N11,
            y_NHW * cosine_N11 + x_NHW * sine_N11,
        )
    elif radians:
        cosine, sine = math.cos(radians), math.sin(radians)
        x_NHW, y_NHW = (
            torch.add(x_NHW * cosine, y_NHW, alpha=-sine),
            torch.add(y_NHW * cosine, x_NHW, alpha=sine),
        )
    return torch.stack((x_NHW, y_NHW), -1)
