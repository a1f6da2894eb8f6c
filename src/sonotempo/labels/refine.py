"""A model's word on propagated labels, near their outlines.

Inside a margin around the propagated structures, the probability of a label is the geometric mean
of the propagated one and the model's, so whichever is sure decides. Outside the margin nothing
changes, and no structure appears that was not propagated there.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sonotempo.labels.outlines import FloatArray
from sonotempo.recording import Prediction

#: The margin, as a share of the frame's longer side.
MARGIN = 0.03

# How sure a model is that does not say it; and no model is surer than this.
_UNSAID, _SUREST = 0.8, 0.98


def refined(
    probabilities_KHW: FloatArray,
    labels: Sequence[int],
    prediction: Prediction,
    margin: float = MARGIN,
) -> FloatArray:
    """Combine propagated labels with a model's prediction of the same frame.

    Args:
        probabilities_KHW: of the propagated labels.
        labels: the values of axis K, the background 0 first.
        prediction: by a model of the same structures.
        margin: around the propagated structures, as a share of the frame's longer side.

    Returns:
        float32 KHW; no array is changed.
    """
    near_KHW = _near(probabilities_KHW, margin)
    place_HW = np.full(prediction.mask_HW.shape, -1, np.int64)
    for place, label in enumerate(labels):
        place_HW[(prediction.mask_HW == label) & near_KHW[place]] = place
    heard_HW = near_KHW[1:].any(axis=0) & (place_HW >= 0)
    old_KN = probabilities_KHW[:, heard_HW]
    said = (place_HW[heard_HW], np.arange(old_KN.shape[1]))
    sure_N = _confidence(prediction)[heard_HW]
    new_KN = old_KN * ((1 - sure_N) / np.maximum(1 - old_KN[said], 1e-6))
    new_KN[said] = sure_N
    pooled_KN = np.sqrt(old_KN * new_KN)
    combined_KHW = probabilities_KHW.copy()
    combined_KHW[:, heard_HW] = pooled_KN / pooled_KN.sum(axis=0)
    return combined_KHW


def _near(probabilities_KHW: FloatArray, margin: float) -> NDArray[np.bool_]:
    """Return where each label is within the margin, KHW; the background is allowed everywhere."""
    best_HW = probabilities_KHW.argmax(axis=0)
    reach = max(1, round(margin * max(best_HW.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near_KHW = np.ones(probabilities_KHW.shape, bool)
    for place in range(1, len(near_KHW)):
        inside_HW = (best_HW == place).view(np.uint8)
        near_KHW[place] = cv2.dilate(inside_HW, disc) > 0
    return near_KHW


def _confidence(prediction: Prediction) -> FloatArray:
    if prediction.confidence_HW is None:
        return np.full(prediction.mask_HW.shape, _UNSAID, np.float32)
    return np.clip(prediction.confidence_HW, 1 - _SUREST, _SUREST).astype(np.float32)
