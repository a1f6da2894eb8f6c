"""Pixel overlap of predicted and reference structures: Dice, with the areas it comes from.

Source: Smistad et al. 2021, section E ("The Dice similarity metric was also calculated for all
structures"); treatment of absent structures after Metrics Reloaded (Nature Methods 2024).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PixelOverlap:
    """How many pixels of one structure were predicted, are there, and are both.

    Sums of these over frames give a pooled Dice.

    >>> PixelOverlap(intersection_px=6, predicted_px=8, reference_px=12).dice
    0.6
    """

    intersection_px: int
    predicted_px: int
    reference_px: int

    @property
    def dice(self) -> float:
        """Twice the intersection over the sum of both areas, in 0 to 1.

        NaN where the structure is neither predicted nor there: there is nothing to score. 0 where
        it is only predicted or only there.
        """
        total_px = self.predicted_px + self.reference_px
        return 2 * self.intersection_px / total_px if total_px else float("nan")


def pixel_overlaps(
    prediction_HW: NDArray[np.integer], reference_HW: NDArray[np.integer], structure_count: int
) -> tuple[PixelOverlap, ...]:
    """Measure every structure of two label masks in one pass, in label order from 1.

    Regions of any size take part: the rule about small regions is for detection only.

    Args:
        prediction_HW: integers, 0 for background and ``i + 1`` for the ``i``-th structure.
        reference_HW: the same for the reference, of the same shape.
        structure_count: how many structures the masks can hold.

    >>> prediction_HW = np.array([[0, 1, 1], [0, 2, 2]])
    >>> reference_HW = np.array([[1, 1, 1], [0, 0, 0]])
    >>> tuple(overlap.dice for overlap in pixel_overlaps(prediction_HW, reference_HW, 3))
    (0.8, 0.0, nan)

    Raises:
        ValueError: the masks differ in shape, or hold labels beyond ``structure_count``.
    """
    require_same_shape(prediction_HW, reference_HW)
    for what, mask_HW in (("prediction", prediction_HW), ("reference", reference_HW)):
        lowest, highest = int(mask_HW.min(initial=0)), int(mask_HW.max(initial=0))
        if lowest < 0 or highest > structure_count:
            raise ValueError(
                f"the {what} holds labels from {lowest} to {highest}; expected 0 to "
                f"{structure_count}, one per structure: score it with its own structure set"
            )
    labels = structure_count + 1
    # In a mask's own 8 bits, the pair's number would wrap around.
    pairs = prediction_HW.ravel().astype(np.int64) * labels + reference_HW.ravel()
    joint = np.bincount(pairs, minlength=labels * labels).reshape(labels, labels)
    return tuple(
        PixelOverlap(int(joint[label, label]), int(joint[label].sum()), int(joint[:, label].sum()))
        for label in range(1, labels)
    )


def require_same_shape(
    prediction_HW: NDArray[np.generic], reference_HW: NDArray[np.generic]
) -> None:
    """Raise a ValueError if two masks are not on the same grid."""
    if prediction_HW.shape != reference_HW.shape:
        raise ValueError(
            f"the prediction is {prediction_HW.shape} but the reference {reference_HW.shape}; "
            "fit both to the same network grid first"
        )
