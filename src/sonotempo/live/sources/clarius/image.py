"""Decodes the images of Clarius Cast to grey pixels, and finds the ultrasound in them."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from sonotempo.errors import SourceError
from sonotempo.recording import Box, Image, Spacing

#: Grey levels up to this count as black border: JPEG blurs edges a little.
BLACK = 8
#: How many frames decide on the area if it depends on their content.
SETTLING_FRAMES = 15

_MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}


@dataclass(frozen=True, slots=True, eq=False)
class CastImage:
    """One image of the stream, independent of the SDK's memory.

    Attributes:
        image_HW: uint8 grey.
        opaque_HW: True where alpha > 0, or None if the image has no alpha channel.
    """

    image_HW: Image
    opaque_HW: NDArray[np.bool_] | None


def decode_image(buffer: object, width: int, height: int, size_bytes: int) -> CastImage:
    """Copy an image out of the SDK's buffer, as grey.

    The bytes per pixel give the format: four are B, G, R, A in memory (Cast's ARGB32), one is grey;
    anything else is a JPEG or PNG file. Grey is ITU-R BT.601 luma, as everywhere in this package.

    >>> red_BGRA = bytes([0, 0, 255, 255])
    >>> decode_image(red_BGRA, 1, 1, 4).image_HW.tolist()
    [[76]]

    Args:
        buffer: the callback's argument; valid only until it returns.
        width: of the image in pixels.
        height: of the image in pixels.
        size_bytes: of the image in memory.

    Raises:
        SourceError: the buffer does not hold such an image.
    """
    held = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # anything with bytes in it
    if width <= 0 or height <= 0 or not 0 < size_bytes <= len(held):
        raise SourceError(
            f"the SDK announced an image of {width}x{height} pixels in {size_bytes} bytes but "
            f"passed {len(held)} bytes; expected all of it: use version 12 of the SDK"
        )
    pixels = width * height
    with held[:size_bytes] as used:
        if size_bytes == 4 * pixels:
            colour = PillowImage.frombytes("RGB", (width, height), used, "raw", "BGRX")
            alpha_HW = np.frombuffer(used, np.uint8).reshape(height, width, 4)[..., 3]
            return CastImage(np.array(colour.convert("L")), alpha_HW > 0)
        if size_bytes == pixels:
            return CastImage(np.frombuffer(used, np.uint8).reshape(height, width).copy(), None)
        return _decode_file(bytes(used), width, height)


def _decode_file(file: bytes, width: int, height: int) -> CastImage:
    if not any(file.startswith(magic) for magic in _MAGIC):
        raise SourceError(
            f"an image of {width}x{height} pixels in {len(file)} bytes is neither ARGB32 (four "
            "bytes per pixel) nor grey (one), and is not a valid JPEG or PNG file; choose another "
            "image format"
        )
    try:
        with PillowImage.open(io.BytesIO(file), formats=tuple(_MAGIC.values())) as opened:
            has_alpha = opened.mode in ("RGBA", "LA")
            alpha_HW = np.array(opened.getchannel("A")) if has_alpha else None
            image_HW = np.array(opened.convert("RGB").convert("L"))
    except (OSError, ValueError, SyntaxError) as error:
        raise SourceError(
            f"an encoded image of {width}x{height} pixels cannot be decoded ({error}); the frame "
            "is left out; if all frames fail, choose another image format"
        ) from error
    return CastImage(image_HW, None if alpha_HW is None else alpha_HW > 0)


class HeldArea:
    """The part of the images that shows ultrasound, held until their size or spacing changes.

    The alpha channel gives it at once. Without one (or if the borders are opaque too) it is the
    bounding box of all pixels that are not black. The box grows over the first 15 frames, as some
    may be dark at an edge, and then stays.
    """

    def __init__(self) -> None:
        self._geometry: object = None
        self._area: Box | None = None
        self._frames = 0
        self._is_settled = False

    def of(self, image: CastImage, spacing_mm: Spacing | None) -> Box | None:
        """Return the area for this image, or None for all of it.

        >>> image_HW = np.zeros((100, 80), np.uint8)
        >>> image_HW[:, 20:60] = 90
        >>> HeldArea().of(CastImage(image_HW, None), None)
        Box(top=0, left=20, bottom=100, right=60)
        """
        geometry = (image.image_HW.shape, spacing_mm)
        if geometry != self._geometry:
            self._geometry = geometry
            self._area, self._frames, self._is_settled = None, 0, False
        if not self._is_settled:
            self._look(image)
        return self._area

    def _look(self, image: CastImage) -> None:
        self._frames += 1
        if image.opaque_HW is not None:
            box = _box_of(image.opaque_HW)
            if box is not None and box.shape != image.image_HW.shape:
                self._area, self._is_settled = box, True
                return
        self._area = _union(self._area, _box_of(image.image_HW > BLACK))
        self._is_settled = self._frames >= SETTLING_FRAMES and self._area is not None


def _box_of(shown_HW: NDArray[np.bool_]) -> Box | None:
    rows = np.flatnonzero(shown_HW.any(axis=1))
    columns = np.flatnonzero(shown_HW.any(axis=0))
    if len(rows) == 0:
        return None
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _union(a: Box | None, b: Box | None) -> Box | None:
    if a is None or b is None:
        return a or b
    return Box(
        min(a.top, b.top), min(a.left, b.left), max(a.bottom, b.bottom), max(a.right, b.right)
    )
