"""What to draw of a result: masks in their places, disagreement, places for names."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sonotempo.live.history import StepResult
from sonotempo.live.models.onnx_predictor import GridPrediction
from sonotempo.recording import Image

#: Values of a difference.
AGREED, ONLY_A, ONLY_B, OTHER = 0, 1, 2, 3

_LEAST_AREA = 1 / 1500  # of the grid; smaller regions get no name
_LETTER = 0.62  # width of a letter, as a share of a line's height
_COARSE = 2  # names are placed on every second row and column

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A mask and its place.

    Attributes:
        labels_HW: uint8, of any resolution.
        step: row and column size of its pixels, in units of the picture.
        origin: row and column of its first pixel's centre, in units of the picture.
    """

    labels_HW: Image
    step: Pair
    origin: Pair


def pixel_size(result: StepResult) -> Pair:
    """Return the size of a pixel in millimetres, or in widths where that is unknown."""
    return result.frame.pixel_size


def grid_mask(prediction: GridPrediction, pixel: Pair, hidden: frozenset[int]) -> Mask:
    """Return a prediction's mask on the network grid, which is several times cheaper to paint.

    Args:
        prediction: of any frame.
        pixel: size of the frame's pixels.
        hidden: labels that become background.
    """
    fit = prediction.fit
    height, width = fit.area.shape
    # Frame pixels in a grid pixel; rows beyond the content are padding.
    rows, columns = height / fit.scaled_rows, width / fit.input_size
    labels_SS = prediction.mask_SS
    if hidden:
        labels_SS = shown_labels(hidden)[labels_SS]
    return Mask(
        labels_SS[: fit.content_rows],
        (rows * pixel[0], columns * pixel[1]),
        (
            (fit.area.top + (rows - 1) / 2) * pixel[0],
            (fit.area.left + (columns - 1) / 2) * pixel[1],
        ),
    )


def shown_labels(hidden: frozenset[int]) -> NDArray[np.uint8]:
    """Return a look-up table that turns hidden labels into background."""
    table = np.arange(256, dtype=np.uint8)
    table[list(hidden)] = 0
    return table


def on_one_grid(
    made: Sequence[GridPrediction], pixel: Pair, hidden: frozenset[int]
) -> tuple[Mask, ...]:
    """Return the masks of one frame on one grid: their own if they share it, otherwise the frame's.

    Args:
        made: predictions of one frame.
        pixel: size of the frame's pixels.
        hidden: labels that become background.
    """
    masks = tuple(grid_mask(one, pixel, hidden) for one in made)
    places = {(mask.labels_HW.shape, mask.step, mask.origin) for mask in masks}
    if len(places) <= 1:
        return masks
    table = shown_labels(hidden)
    return tuple(Mask(table[one.mask_HW()], pixel, (0.0, 0.0)) for one in made)


def columns_between(width_px: int, step_px: float, gap_px: float) -> int:
    """Return how many grid columns the second of two pictures lies to the right of the first.

    The distance is a whole number of pixels too, as far as possible: otherwise the picture and its
    mask would not line up.

    >>> columns_between(640, 2.5, 20), columns_between(640, 1.0, 20)
    (264, 660)
    """
    first = math.ceil((width_px + gap_px) / step_px)
    counts = np.arange(first, first + 64)
    off_px = np.abs(counts * step_px - np.rint(counts * step_px))
    return int(counts[np.argmin(np.round(off_px, 3))])


def disagreement(a_HW: Image, b_HW: Image) -> Image:
    """Compare two masks pixel by pixel.

    >>> disagreement(np.array([[0, 1, 0, 1, 2]], np.uint8), np.array([[0, 1, 1, 0, 1]], np.uint8))
    array([[0, 0, 2, 1, 3]], dtype=uint8)
    """
    values_HW = np.where(b_HW == 0, np.uint8(ONLY_A), np.uint8(OTHER))
    values_HW[a_HW == 0] = ONLY_B
    values_HW[a_HW == b_HW] = AGREED
    return values_HW


def centres(mask: Mask, count: int) -> NDArray[np.float64]:
    """Return the centre of each structure's largest region, in units of the picture.

    Args:
        mask: with labels up to ``count``.
        count: number of structures.

    Returns:
        ``count`` rows of row and column; NaN where a structure is absent or tiny.
    """
    found = np.full((count, 2), np.nan)
    coarse_HW = mask.labels_HW[::_COARSE, ::_COARSE]
    least = max(4.0, coarse_HW.size * _LEAST_AREA)
    areas = np.bincount(coarse_HW.ravel(), minlength=count + 1)
    for label in range(1, count + 1):
        if areas[label] < least:
            continue
        regions_HW, _ = ndimage.label(coarse_HW == label)
        sizes = np.bincount(regions_HW.ravel())
        sizes[0] = 0
        largest = int(sizes.argmax())
        if sizes[largest] < least:
            continue
        rows, columns = np.nonzero(regions_HW == largest)
        found[label - 1] = (
            mask.origin[0] + _COARSE * rows.mean() * mask.step[0],
            mask.origin[1] + _COARSE * columns.mean() * mask.step[1],
        )
    return found


def kept_inside(
    places: NDArray[np.float64], names: Sequence[str], line: float, left: float, right: float
) -> NDArray[np.float64]:
    """Move names sideways into their picture, as far as they fit.

    >>> kept_inside(np.array([[5.0, 0.0], [6.0, 50.0]]), ["nerve", "bone"], 4.0, 0.0, 100.0)
    array([[ 5. ,  6.2],
           [ 6. , 50. ]])
    """
    half = np.array([_LETTER * line * len(name) / 2 for name in names])
    moved = places.copy()
    moved[:, 1] = np.clip(moved[:, 1], left + half, np.maximum(right - half, left + half))
    return moved


def spread(places: NDArray[np.float64], names: Sequence[str], line: float) -> NDArray[np.float64]:
    """Move names down until none overlaps another.

    Args:
        places: row and column of each name's centre; NaN for an absent one.
        names: the texts.
        line: height of a line of text, in the same units.

    >>> spread(np.array([[0.0, 0.0], [0.2, 0.0], [9.0, 0.0]]), ["ulnar", "median", "bone"], 1.0)
    array([[0., 0.],
           [1., 0.],
           [9., 0.]])
    """
    spread_out = places.copy()
    placed: list[int] = []
    for index in np.argsort(places[:, 0]):
        if np.isnan(places[index, 0]):
            break  # sorted last
        for other in placed:  # from above to below
            reach = _LETTER * line * (len(names[index]) + len(names[other])) / 2
            is_beside = abs(spread_out[index, 1] - spread_out[other, 1]) >= reach
            if not is_beside and spread_out[index, 0] - spread_out[other, 0] < line:
                spread_out[index, 0] = spread_out[other, 0] + line
        placed.append(int(index))
    return spread_out
