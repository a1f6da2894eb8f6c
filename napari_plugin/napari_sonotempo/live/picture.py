"""What to draw of a result: the part of the frame, masks in their places, disagreement."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonotempo.live.history import StepResult
from sonotempo.live.models.onnx_predictor import GridPrediction
from sonotempo.recording import Image

#: Values of a difference.
AGREED, ONLY_A, ONLY_B, OTHER = 0, 1, 2, 3
#: Colours of the last three (Okabe & Ito 2008).
DIFFERENCE_RGB = ((230, 159, 0), (86, 180, 233), (204, 121, 167))
DIFFERENCE_NAMES = ("only A", "only B", "another structure")


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle in pixels of the frame; a frame begins at 0, 0."""

    top: float
    left: float
    height: float
    width: float


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A mask and the region of the frame that it covers.

    Attributes:
        labels_HW: uint8, of any resolution.
        region: what it covers.
    """

    labels_HW: Image
    region: Region


def shown_region(result: StepResult, *, whole_frame: bool) -> Region:
    """Return the part of a frame to show: the ultrasound image if it is known."""
    area = result.frame.area
    height, width = result.frame.image_HW.shape
    if area is None or whole_frame:
        return Region(0.0, 0.0, height, width)
    return Region(area.top, area.left, *area.clamped((height, width)).shape)


def grid_mask(prediction: GridPrediction, hidden: frozenset[int]) -> Mask:
    """Return a prediction's mask on the network grid, which is several times cheaper to draw.

    Args:
        prediction: of any frame.
        hidden: labels that become background.
    """
    fit = prediction.fit
    height, width = fit.area.shape
    labels_SS = prediction.mask_SS
    if hidden:
        labels_SS = shown_labels(hidden)[labels_SS]
    # Rows beyond the content are padding.
    covered = fit.content_rows * height / fit.scaled_rows
    return Mask(
        labels_SS[: fit.content_rows],
        Region(fit.area.top, fit.area.left, covered, width),
    )


def shown_labels(hidden: frozenset[int]) -> NDArray[np.uint8]:
    """Return a look-up table that turns hidden labels into background."""
    table = np.arange(256, dtype=np.uint8)
    table[list(hidden)] = 0
    return table


def on_one_grid(made: Sequence[GridPrediction], hidden: frozenset[int]) -> tuple[Mask, ...]:
    """Return the masks of one frame on one grid: their own if they share it, otherwise the frame's.

    Args:
        made: predictions of one frame.
        hidden: labels that become background.
    """
    masks = tuple(grid_mask(one, hidden) for one in made)
    if len({(mask.labels_HW.shape, mask.region) for mask in masks}) <= 1:
        return masks
    table = shown_labels(hidden)
    in_frame = [table[one.mask_HW()] for one in made]
    return tuple(Mask(labels_HW, Region(0.0, 0.0, *labels_HW.shape)) for labels_HW in in_frame)


def difference(masks: Sequence[Mask]) -> tuple[Mask, ...]:
    """Return where two masks on one grid disagree; nothing without two of them."""
    if len(masks) < 2:
        return ()
    values_HW = disagreement(masks[0].labels_HW, masks[1].labels_HW)
    return (Mask(values_HW, masks[0].region),)


def disagreement(a_HW: Image, b_HW: Image) -> Image:
    """Compare two masks pixel by pixel.

    >>> disagreement(np.array([[0, 1, 0, 1, 2]], np.uint8), np.array([[0, 1, 1, 0, 1]], np.uint8))
    array([[0, 0, 2, 1, 3]], dtype=uint8)
    """
    values_HW = np.where(b_HW == 0, np.uint8(ONLY_A), np.uint8(OTHER))
    values_HW[a_HW == 0] = ONLY_B
    values_HW[a_HW == b_HW] = AGREED
    return values_HW
