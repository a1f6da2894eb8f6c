"""Region detection as the seed paper counts it: true positives, false positives, misses.

Source: Smistad et al. 2021, section E: "A segmentation region was counted as a true positive if
there was more than 25% overlap with the true segmentation [...]. Segmentation regions smaller than
a circle of 7 pixels radius were ignored."

The paper does not say over what the overlap is taken, so there are two readings, each of one
predicted region P and one reference region G at a time:

- ``reference`` (the paper's wording): ``|P ∩ G| / |G|``;
- ``iou``: ``|P ∩ G| / |P ∪ G|``.

At 25 % neither is one-to-one by itself: several fragments can each hold more than 25 % of one
reference, and one blob can hold more than 25 % of several references. A maximum bipartite matching
makes it so: every region takes part in at most one true positive, and there are as many of them as
possible. Two fragments on one reference are one true positive and one false positive; one blob over
two references is one true positive and one miss.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

#: What the overlap of a predicted and a reference region is divided by.
Reading = Literal["reference", "iou"]

_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, slots=True)
class RegionCounts:
    """How many regions were found, invented and missed.

    Attributes:
        tp: predicted regions matched to a reference region (equally, references found).
        fp: predicted regions without a reference.
        fn: reference regions without a prediction.
    """

    tp: int
    fp: int
    fn: int


@dataclass(frozen=True, slots=True)
class RegionPairs:
    """The regions of one structure in one frame that count, and which of them share pixels.

    From it every reading and threshold can be counted without labelling the masks again.

    Attributes:
        predicted_area_px: int64 [P], the area of each predicted region.
        reference_area_px: int64 [G], the area of each reference region.
        predicted: int64 [N], each overlapping pair's index into ``predicted_area_px``.
        reference: int64 [N], each overlapping pair's index into ``reference_area_px``.
        intersection_px: int64 [N], how many pixels the pair shares, at least 1.
    """

    predicted_area_px: NDArray[np.int64]
    reference_area_px: NDArray[np.int64]
    predicted: NDArray[np.int64]
    reference: NDArray[np.int64]
    intersection_px: NDArray[np.int64]

    def counts(self, threshold: float, overlap: Reading) -> RegionCounts:
        """Match the regions one to one and count.

        Args:
            threshold: a pair can be a true positive if its overlap is *more than* this share.
            overlap: over what the share is taken, see the module.
        """
        whole_px = self.reference_area_px[self.reference]
        if overlap == "iou":
            whole_px = whole_px + self.predicted_area_px[self.predicted] - self.intersection_px
        # Dividing rounds to the nearest double, just as reading the threshold did, so a share of
        # exactly 0.3 is not more than 0.3; multiplying the threshold by the area would not hold.
        enough = self.intersection_px / whole_px > threshold
        predicted, reference = self.predicted[enough], self.reference[enough]
        shape = (len(self.predicted_area_px), len(self.reference_area_px))
        tp = 0
        if len(predicted):
            edges = csr_array((np.ones(len(predicted), bool), (predicted, reference)), shape=shape)
            partner_of_predicted = maximum_bipartite_matching(edges, perm_type="column")
            tp = int(np.count_nonzero(partner_of_predicted >= 0))
        return RegionCounts(tp, shape[0] - tp, shape[1] - tp)


def smallest_area_px(radius_px: float, grid_width_px: int) -> float:
    """Return the smallest area of a region that counts, in pixels of the fitted grid.

    Args:
        radius_px: the radius of the smallest region that counts, on a grid 256 pixels wide.
        grid_width_px: the width of the grid at hand; the radius scales with it.

    >>> round(smallest_area_px(7, 256), 1)
    153.9
    >>> round(smallest_area_px(7, 128), 1)
    38.5

    Source: Smistad et al. 2021, section E (256 × 256 images, a circle of 7 pixels radius).
    """
    return math.pi * (radius_px * grid_width_px / 256) ** 2


def find_regions(
    prediction_HW: NDArray[np.bool_], reference_HW: NDArray[np.bool_], ignored_area_px: float
) -> RegionPairs:
    """Find the regions of both masks that count, and their overlaps.

    Regions are 8-connected. Left out are: regions of either mask with an area below
    ``ignored_area_px``; and predicted regions that share pixels with ignored references only,
    for they are right about something that is not asked. An ignored prediction finds nothing: a
    reference that only such a prediction lies on is missed.

    Args:
        prediction_HW: bool, where one structure was predicted, on the fitted network grid.
        reference_HW: bool, where it is, of the same shape.
        ignored_area_px: the smallest area that counts, in pixels; see :func:`smallest_area_px`.

    Raises:
        ValueError: the masks are not two boolean images of the same shape.

    Source: Smistad et al. 2021, section E. That references are ignored by the same rule, and
    predictions on ignored references with them, is this project's; the paper names neither.
    """
    for mask_HW in (prediction_HW, reference_HW):
        if mask_HW.ndim != 2 or mask_HW.dtype != np.bool_:
            raise ValueError(
                f"a mask has shape {mask_HW.shape} and type {mask_HW.dtype}; expected a boolean "
                "HW image of one structure, as from labels == value"
            )
    if prediction_HW.shape != reference_HW.shape:
        raise ValueError(
            f"the prediction is {prediction_HW.shape} but the reference {reference_HW.shape}; "
            "fit both to the same network grid first"
        )
    predicted_HW, predicted_area_px = _label(prediction_HW)
    referenced_HW, reference_area_px = _label(reference_HW)
    predicted, reference, shared_px = _joint_histogram(predicted_HW, referenced_HW)

    reference_counts = reference_area_px >= ignored_area_px
    touches_any = np.zeros(len(predicted_area_px), bool)
    touches_any[predicted] = True
    touches_counted = np.zeros(len(predicted_area_px), bool)
    touches_counted[predicted[reference_counts[reference]]] = True
    predicted_counts = predicted_area_px >= ignored_area_px
    predicted_counts &= touches_counted | ~touches_any

    pair_counts = predicted_counts[predicted] & reference_counts[reference]
    # Position among the regions that count, for every region that does.
    predicted_index = np.cumsum(predicted_counts) - 1
    reference_index = np.cumsum(reference_counts) - 1
    return RegionPairs(
        predicted_area_px[predicted_counts],
        reference_area_px[reference_counts],
        predicted_index[predicted[pair_counts]],
        reference_index[reference[pair_counts]],
        shared_px[pair_counts],
    )


def count_ratio(
    counts_C: NDArray[np.float64], part: Sequence[int], whole: Sequence[int]
) -> NDArray[np.float64]:
    """Return a ratio of region counts such as precision, NaN where the denominator is 0.

    Args:
        counts_C: true positives, false positives and false negatives along the first axis.
        part: their weights in the numerator.
        whole: their weights in the denominator.

    >>> count_ratio(np.array([3.0, 1.0, 1.0]), (2, 0, 0), (2, 1, 1)).item()  # F1
    0.75

    Source: Smistad et al. 2021, section E.
    """
    above, below = (
        np.sum([weight * count for weight, count in zip(of, counts_C, strict=True)], axis=0)
        for of in (part, whole)
    )
    return divided(above, below)


def divided(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide element by element, and give NaN where there is nothing to divide by."""
    out = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _label(mask_HW: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the 8-connected regions from 1; also return each region's area in pixels."""
    labels_HW, count = ndimage.label(mask_HW, structure=_EIGHT_NEIGHBOURS)
    area_px = np.bincount(labels_HW.ravel(), minlength=count + 1)[1:]
    return labels_HW.astype(np.int64), area_px.astype(np.int64)


def _joint_histogram(
    predicted_HW: NDArray[np.int64], referenced_HW: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of regions (from 0) that share pixels, and how many they share.

    Only pairs that exist are held: a dense table of two speckled masks would take gigabytes.
    """
    both_HW = (predicted_HW > 0) & (referenced_HW > 0)
    predicted, referenced = predicted_HW[both_HW] - 1, referenced_HW[both_HW] - 1
    stride = int(referenced.max(initial=0)) + 1
    pairs, shared_px = np.unique(predicted * stride + referenced, return_counts=True)
    return pairs // stride, pairs % stride, shared_px
