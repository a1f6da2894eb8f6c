"""The loss of JPEG compression on grey images, computed on the images' device.

Baseline JPEG (ITU-T T.81): 8×8 blocks, cosine transform, quantisation with the luminance table of
Annex K scaled by quality as in libjpeg, and back. Entropy coding is lossless and omitted.
"""

import math
from functools import cache

import torch
from torch import Tensor

_BLOCK = 8

#: ITU-T T.81, table K.1: quantisation of luminance at quality 50, row by row.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def quantisation(quality: int) -> Tensor:
    """Return libjpeg's 8×8 table of quantisation steps at a quality of 1 to 100.

    >>> quantisation(50)[0, :3].tolist()
    [16.0, 11.0, 10.0]
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"JPEG quality {quality}; expected 1 to 100")
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    scaled = (torch.tensor(_LUMINANCE) * percent + 50) // 100
    return scaled.clamp(1, 255).float()


def jpeg(images_THW: Tensor, quality: int) -> Tensor:
    """Compress and decompress grey images.

    Args:
        images_THW: float32 in 0–1; height and width multiples of 8.
        quality: JPEG quality of 1 to 100.

    Returns:
        float32 of the same shape in 0–1: multiples of 1/255, like a decoder's 8-bit pixels.
    """
    height, width = images_THW.shape[-2:]
    if height % _BLOCK or width % _BLOCK:
        raise ValueError(f"images of {height}x{width} pixels; JPEG needs multiples of {_BLOCK}")
    device = images_THW.device

    # A block's 2-D transform is one 64×64 product. It includes the grey scale of 0–255 and the
    # quantisation steps, so that quantising is only rounding.
    transform_PK = _cosine_transform()
    steps_K = quantisation(quality).flatten()
    forward_PK = (255 * transform_PK / steps_K).to(device)
    backward_KP = (steps_K[:, None] * transform_PK.T).to(device)
    # The level shift by 128 affects only the mean of a block, whose factor is 8.
    shift_K = torch.zeros(_BLOCK * _BLOCK)
    shift_K[0] = -128 * _BLOCK / steps_K[0]

    stripes = images_THW.reshape(-1, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    blocks_BP = stripes.transpose(2, 3).reshape(-1, _BLOCK * _BLOCK)
    coefficients_BK = torch.addmm(shift_K.to(device), blocks_BP, forward_PK).round_()
    torch.mm(coefficients_BK, backward_KP, out=blocks_BP)
    blocks_BP.add_(128).round_().clamp_(0, 255).div_(255)
    return blocks_BP.view(stripes.transpose(2, 3).shape).transpose(2, 3).reshape(images_THW.shape)


def jpeg_batch(images_BTHW: Tensor, qualities_B: Tensor) -> Tensor:
    """Compress and decompress clips, each at its own quality, like :func:`jpeg`.

    Args:
        images_BTHW: float32 in 0–1; height and width multiples of 8.
        qualities_B: int64 of 1 to 100, on the images' device.
    """
    height, width = images_BTHW.shape[-2:]
    if height % _BLOCK or width % _BLOCK:
        raise ValueError(f"images of {height}x{width} pixels; JPEG needs multiples of {_BLOCK}")
    clips = len(images_BTHW)
    transform_PK, steps_QK = _tables(images_BTHW.device)
    steps_BK = steps_QK[qualities_B - 1]
    stripes = images_BTHW.reshape(clips, -1, _BLOCK, width // _BLOCK, _BLOCK).transpose(2, 3)
    blocks_BNP = stripes.reshape(clips, -1, _BLOCK * _BLOCK)
    shift_BK = torch.zeros_like(steps_BK)
    shift_BK[:, 0] = -128 * _BLOCK / steps_BK[:, 0]
    coefficients_BNK = torch.baddbmm(
        shift_BK[:, None], blocks_BNP, 255 * transform_PK / steps_BK[:, None]
    ).round_()
    decoded_BNP = torch.bmm(coefficients_BNK, steps_BK[:, :, None] * transform_PK.T)
    decoded_BNP.add_(128).round_().clamp_(0, 255).div_(255)
    return decoded_BNP.view(stripes.shape).transpose(2, 3).reshape(images_BTHW.shape)


@cache
def _tables(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the transform, and the steps of every quality from 1 to 100, on a device."""
    steps_QK = torch.stack([quantisation(quality).flatten() for quality in range(1, 101)])
    return _cosine_transform().to(device), steps_QK.to(device)


def _cosine_transform() -> Tensor:
    """Return the orthonormal 2-D cosine transform of a block: (64 pixels, 64 coefficients)."""
    n = torch.arange(_BLOCK)
    cosines = torch.cos(math.pi / _BLOCK * (n[:, None] + 0.5) * n) * math.sqrt(2 / _BLOCK)
    cosines[:, 0] = math.sqrt(1 / _BLOCK)
    return torch.kron(cosines, cosines)
