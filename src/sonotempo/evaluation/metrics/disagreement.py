"""How much two masks of one frame disagree, and how sure a model is, as signs of doubt."""

import numpy as np
from numpy.typing import NDArray

from sonotempo.evaluation.metrics.overlap import pixel_overlaps

#: The share of the image that a frame's confidence is of: where the model is least sure.
LEAST_SURE = 0.05


def agreement_K(
    one_HW: NDArray[np.integer],
    other_HW: NDArray[np.integer],
    structure_count: int,
    smallest_px: float,
) -> NDArray[np.float64]:
    """Return the Dice of each structure; NaN where neither mask shows as much as a region of it.

    Args:
        one_HW: label values.
        other_HW: label values of the same frame.
        structure_count: how many structures the masks can hold.
        smallest_px: a structure that covers less in both masks does not count.

    >>> one_HW = np.array([[1, 1, 0, 2]])
    >>> agreement_K(one_HW, np.array([[1, 0, 0, 0]]), 2, smallest_px=2).round(2).tolist()
    [0.67, nan]

    Raises:
        ValueError: the masks differ in shape, or hold labels beyond ``structure_count``.
    """
    return np.array(
        [
            of.dice if max(of.predicted_px, of.reference_px) >= smallest_px else np.nan
            for of in pixel_overlaps(one_HW, other_HW, structure_count)
        ]
    )


def lowest_confidence(confidence_HW: NDArray[np.floating]) -> float:
    """Return the mean confidence of the twentieth of the pixels that a model is least sure of.

    A mean over all pixels would be of the background; over what was found, blind to what was not.

    >>> confidence_HW = np.ones((10, 10))
    >>> confidence_HW[0, :5] = 0.5
    >>> lowest_confidence(confidence_HW)
    0.5
    """
    values = np.asarray(confidence_HW).ravel()
    count = max(1, round(LEAST_SURE * values.size))
    return float(np.partition(values, count - 1)[:count].mean())
