"""Polygons filled by pycocotools, as COCO and CVAT count pixels: corners lie between pixels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_masks

from sonotempo.errors import RecordingError
from sonotempo.exchange.run_lengths import Binary, from_run_lengths, unpacked

_FEWEST = 3


def filled(polygons: Sequence[Sequence[float]], shape_HW: tuple[int, int], where: str) -> Binary:
    """Return the pixels that any of the polygons covers.

    >>> filled([[1, 0, 3, 0, 3, 2, 1, 2]], (2, 4), "a.json").tolist()
    [[False, True, True, False], [False, True, True, False]]

    Args:
        polygons: x and y of every corner by turns.
        shape_HW: rows and columns of the image.
        where: the file and what it is in it, for messages.

    Raises:
        RecordingError: a polygon has fewer than three corners, or corners that are no numbers.
    """
    height, width = shape_HW
    clipped = [_clipped(polygon, shape_HW, where) for polygon in polygons]
    packed = coco_masks.merge(
        coco_masks.frPyObjects([part.tolist() for part in clipped], height, width)
    )
    lengths = unpacked(packed["counts"].decode("ascii"), where)
    return from_run_lengths(lengths, height * width, where).reshape(width, height).T


def _clipped(
    polygon: Sequence[float], shape_HW: tuple[int, int], where: str
) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(polygon, np.float64)
    except (TypeError, ValueError) as error:
        raise RecordingError(
            f"{where} holds a polygon whose corners are no numbers; export it again"
        ) from error
    if numbers.ndim != 1 or numbers.size < 2 * _FEWEST or numbers.size % 2:
        raise RecordingError(
            f"{where} holds a polygon of {numbers.size} numbers; expected x and y of at least "
            f"{_FEWEST} corners: draw it again"
        )
    if not np.isfinite(numbers).all():
        raise RecordingError(
            f"{where} holds a polygon whose corners are not finite; export it again"
        )
    # Far corners would cost memory; those a little outside keep the slope of their edges.
    height, width = shape_HW
    low = np.tile([-width, -height], numbers.size // 2)
    return np.clip(numbers, low, -2 * low)
