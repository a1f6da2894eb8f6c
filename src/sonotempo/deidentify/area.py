"""The part of a picture that is kept: the ultrasound, without the screen around it."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sonotempo.deidentify.refused import RefusedError
from sonotempo.errors import ConfigError
from sonotempo.image_area import changing_region
from sonotempo.recording import Box, ImageStack

#: Who says where the ultrasound is.
FoundBy = Literal["the file", "changing pixels", "you"]

_LOOKED_AT = 24
_FEWEST = 8  # frames; fewer do not show what changes
_SIDE_PX = 320
_WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Area:
    """A box of pixels to keep, and who found it."""

    box: Box
    found_by: FoundBy


@dataclass(frozen=True, slots=True)
class GivenArea:
    """What the user says: a box in every picture, or None for pictures that are kept whole."""

    box: Box | None

    def within(self, shape_HW: tuple[int, int], name: str) -> Area:
        """Return the box in a picture.

        Raises:
            RefusedError: the picture is smaller.
        """
        box = self.box or Box(0, 0, *shape_HW)
        if box.bottom > shape_HW[0] or box.right > shape_HW[1]:
            raise RefusedError(
                "no ultrasound region found",
                f"{name} has {shape_HW[0]}x{shape_HW[1]} pixels (rows x columns), which the given "
                "area exceeds; treat it separately with an --area that fits",
            )
        return Area(box, "you")


def parse_area(text: str) -> GivenArea:
    """Read ``TOP,LEFT,BOTTOM,RIGHT`` or ``whole``.

    >>> parse_area("10,20,110,220").box
    Box(top=10, left=20, bottom=110, right=220)
    >>> parse_area("whole").box is None
    True

    Raises:
        ConfigError: neither.
    """
    if text == _WHOLE:
        return GivenArea(None)
    numbers = [int(word) for word in text.split(",")] if re.fullmatch(r"\d+(,\d+){3}", text) else []
    if len(numbers) != 4 or numbers[0] >= numbers[2] or numbers[1] >= numbers[3]:
        raise ConfigError(
            f"--area {text} is not valid; expected TOP,LEFT,BOTTOM,RIGHT in pixels, for example "
            "60,200,660,1000, or 'whole' for pictures that show nothing but ultrasound"
        )
    return GivenArea(Box(*numbers))


def find_area(
    images: ImageStack, stored: Box | None, given: GivenArea | None, name: str
) -> tuple[Area, tuple[int, int]]:
    """Return the area to keep, and the shape of the pictures.

    What the user gives is taken first, then what the file says, then the region whose pixels
    change.

    Args:
        images: the frames, all of one size.
        stored: the area that the file names.
        given: the area that the user names.
        name: of the file, for messages.

    Raises:
        RefusedError: nobody knows where the ultrasound is, or an image cannot be read.
    """
    first_HW = images[0]
    shape_HW = (first_HW.shape[0], first_HW.shape[1])
    if given is not None:
        return given.within(shape_HW, name), shape_HW
    if stored is not None:
        return Area(stored.clamped(shape_HW), "the file"), shape_HW
    if len(images) < _FEWEST:
        raise RefusedError(
            "no ultrasound region found",
            f"{name} does not say where its ultrasound is, and has too few frames "
            f"({len(images)}) to see what changes; give --area TOP,LEFT,BOTTOM,RIGHT, or --area "
            "whole if its pictures show nothing else",
        )
    return Area(_changing(images, shape_HW, name), "changing pixels"), shape_HW


def _changing(images: ImageStack, shape_HW: tuple[int, int], name: str) -> Box:
    stride = max(1, -(-max(shape_HW) // _SIDE_PX))
    places = np.unique(np.linspace(0, len(images) - 1, _LOOKED_AT).round().astype(int))
    frames = [images[int(place)] for place in places]
    if any(frame_HW.shape != shape_HW for frame_HW in frames):
        raise RefusedError(
            "no ultrasound region found",
            f"the frames of {name} differ in size, so what changes in them is unknown; give --area",
        )
    small = [frame_HW[::stride, ::stride].astype(np.float32) for frame_HW in frames]
    found = changing_region(np.stack(small))
    if found is None or found == Box(0, 0, *small[0].shape):
        what = "nothing changes in" if found is None else "all pixels change in"
        raise RefusedError(
            "no ultrasound region found",
            f"{what} {name}, so where its ultrasound ends is unknown; give --area "
            "TOP,LEFT,BOTTOM,RIGHT, or --area whole if its pictures show nothing else",
        )
    # The finder's pixels are coarse: only whole ones count.
    return Box(
        found.top * stride,
        found.left * stride,
        min(shape_HW[0], found.bottom * stride),
        min(shape_HW[1], found.right * stride),
    )
