"""Colour to grey: every reader returns uint8 HW."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from sonotempo.errors import RecordingError
from sonotempo.recording import Image


def grey(pixels: NDArray[Any], path: Path) -> Image:
    """Turn uint8 pixels HW, HWC (red, green, blue) or HWC with opacity into uint8 grey HW.

    Grey is ITU-R BT.601 luma; a colour image with three equal channels keeps its values. Opacity
    is ignored.

    >>> grey(np.full((2, 3, 3), 7, np.uint8), Path("a.png")).tolist()
    [[7, 7, 7], [7, 7, 7]]

    Raises:
        RecordingError: the pixels do not have 8 bits, or are not an image.
    """
    if pixels.dtype != np.uint8:
        raise RecordingError(
            f"{path} holds pixels of type {pixels.dtype}, whose white level is unknown; "
            "convert it to 8 bits per pixel"
        )
    if pixels.ndim == 2:
        return np.ascontiguousarray(pixels)
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4):
        colour = PillowImage.fromarray(np.ascontiguousarray(pixels[..., :3]))
        return np.array(colour.convert("L"))
    raise RecordingError(
        f"{path} holds an array of shape {pixels.shape}; expected one image, grey or colour"
    )
