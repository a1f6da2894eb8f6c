"""Masks as outlines in a few characters, for a page to draw.

The contour of a binary mask at one half runs between pixel centres in steps of eight directions
(marching squares), so it is a start and a chain code (Freeman 1961, DOI 10.1109/TEC.1961.5219197).
Two steps share a character of the base64 alphabet: some 60 bytes a structure, a fraction of its
run lengths, and lines stay sharp at any zoom.
"""

import contourpy
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sonotempo.recording import Image

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#: The eight directions as (x, y) signs, y downwards; 0 is right, then clockwise on the screen.
_DIRECTIONS = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
_NUMBER_OF = {signs: number for number, signs in enumerate(_DIRECTIONS)}

Outline = tuple[int, str]


def outlines_of(mask_HW: Image) -> list[Outline]:
    """Return every outline in a mask of labels, holes included, by label.

    Args:
        mask_HW: integer labels, 0 for background.

    Returns:
        Pairs of a label and ``"x,y,steps"``: the start in half pixels from the centre of the first
        pixel, and the closed way round, two steps a character. A step along an axis is two half
        pixels long, a diagonal one goes half a pixel both ways.

    >>> outlines_of(np.array([[0, 0, 0], [0, 2, 0], [0, 0, 0]], np.uint8))
    [(2, '1,2,5d')]
    """
    outlines: list[Outline] = []
    for label, box in enumerate(ndimage.find_objects(mask_HW), start=1):
        if box is None:
            continue
        # A frame of zeros closes the outlines of structures that touch the border.
        inside = np.pad((mask_HW[box] == label).astype(np.float64), 1)
        start_xy = np.array([box[1].start, box[0].start]) - 1
        lines = contourpy.contour_generator(z=inside, name="serial").lines(0.5)
        for line_N2 in lines:
            outlines.append((label, _code(np.rint(2 * (np.asarray(line_N2) + start_xy)))))
    return outlines


def _code(points_N2: NDArray[np.floating]) -> str:
    """Encode a closed line in half pixels, whose last point is its first."""
    signs = np.sign(np.diff(points_N2, axis=0)).astype(int)
    steps = [_NUMBER_OF[x, y] for x, y in signs.tolist()]
    # The way back to the start is drawn anyway, so an odd last step can go.
    steps = steps[: len(steps) // 2 * 2]
    pairs = zip(steps[::2], steps[1::2], strict=True)
    x, y = points_N2[0].astype(int).tolist()
    return f"{x},{y}," + "".join(_ALPHABET[8 * first + second] for first, second in pairs)
