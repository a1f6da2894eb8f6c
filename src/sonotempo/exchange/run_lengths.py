"""Masks of one structure as run lengths: background first, then structure and background by turns.

COCO counts down columns, CVAT along rows. Lengths from files are checked before they are used.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import RecordingError

Binary = NDArray[np.bool_]


def run_lengths(pixels: Binary) -> list[int]:
    """Return the run lengths of pixels in a row.

    >>> run_lengths(np.array([True, True, False, True])), run_lengths(np.zeros(3, bool))
    ([0, 2, 1, 1], [3])
    """
    flat = pixels.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate([[0], changes, [flat.size]])
    lengths: list[int] = np.diff(bounds).tolist()
    return [0, *lengths] if flat.size and flat[0] else lengths


def from_run_lengths(lengths: Sequence[int], count: int, where: str) -> Binary:
    """Return the pixels in a row that run lengths stand for.

    >>> from_run_lengths([1, 2], 3, "a.json").tolist()
    [False, True, True]

    Args:
        lengths: of the runs.
        count: how many pixels they must cover.
        where: the file and what it is in it, for messages.

    Raises:
        RecordingError: they cover another number of pixels, or one is negative.
    """
    if any(length < 0 for length in lengths) or sum(lengths) != count:
        raise RecordingError(
            f"{where} holds a mask whose run lengths cover {sum(lengths)} pixels; expected "
            f"{count}: export it again at the image's size"
        )
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, np.asarray(lengths, np.int64))


def unpacked(text: str, where: str) -> list[int]:
    """Return the run lengths in the compressed text of COCO.

    Each number is packed in letters of five bits, from the third on as the difference to the one
    before the last (``rleToString`` in https://github.com/cocodataset/cocoapi).

    >>> unpacked("023", "a.json")
    [0, 2, 3]

    Raises:
        RecordingError: not such a text.
    """
    lengths: list[int] = []
    number = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            break
        number |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            number -= 1 << shift
        lengths.append(number + (lengths[-2] if len(lengths) > 2 else 0))
        number = shift = 0
    else:
        if shift == 0:
            return lengths
    raise RecordingError(f"{where} holds run lengths that are no text of COCO; export it again")
