"""Images that are stored mirrored, upside down or on their side, turned as they are looked at.

PLUS names how an image is stored by two letters, the directions in which its columns and rows
count: towards the marked (M) or unmarked (U) side of the probe, far from it (F) or near (N). MF is
what scanners show: the marked side on the left counts first, and depth counts downwards. See
https://perk-software.cs.queensu.ca/plus/doc/nightly/user/UltrasoundImageOrientation.html
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Pixel = TypeVar("Pixel", bound=np.generic)

#: How recordings are given out.
AS_SHOWN = "MF"

_SIDES, _DEPTHS = "MU", "FN"


def orientation(flag: str | None) -> str:
    """Return the two letters of a flag, or those of an image as shown if it names none.

    A third letter, the direction of time or of a sweep, is left out.

    >>> orientation("UNA"), orientation("XX"), orientation(None)
    ('UN', 'MF', 'MF')
    """
    letters = (flag or "").strip().upper()[:2]
    is_known = len(letters) == 2 and (
        (letters[0] in _SIDES and letters[1] in _DEPTHS)
        or (letters[0] in _DEPTHS and letters[1] in _SIDES)
    )
    return letters if is_known else AS_SHOWN


def is_on_its_side(stored: str) -> bool:
    """Whether rows and columns are exchanged."""
    return stored[0] in _DEPTHS


def turned(pixels: NDArray[Pixel], stored: str) -> NDArray[Pixel]:
    """Turn an image, HW or HWC, from its stored orientation to the one that is shown.

    >>> image = np.array([[1, 2], [3, 4]])
    >>> turned(image, "UF").tolist(), turned(image, "MN").tolist(), turned(image, "FM").tolist()
    ([[2, 1], [4, 3]], [[3, 4], [1, 2]], [[1, 3], [2, 4]])
    """
    if stored == AS_SHOWN:
        return pixels
    if is_on_its_side(stored):
        pixels = pixels.swapaxes(0, 1)
    if "U" in stored:
        pixels = pixels[:, ::-1]
    if "N" in stored:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
