"""A model's word on the outlines of propagated structures.

A model is heard about a structure only in frames where it finds it where it was propagated to (Dice
of at least 0.8 near it). Near such a structure, the probability of each label is then the weighted
geometric mean of the propagated one and the model's, so whichever is sure decides. Nothing else
changes, and no structure appears where it was not propagated to.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sonotempo.labels.outlines import FloatArray
from sonotempo.recording import Image, Prediction

#: How far around a propagated structure a model is heard, as a share of the frame's longer side.
MARGIN = 0.03
#: From which Dice on a model and the propagation mean the same structure.
SAME_STRUCTURE = 0.8

# How much a model counts against the propagation.
_WEIGHT = 0.3
# How sure a model is that does not say it; and no model is surer than this.
_UNSAID, _SUREST = 0.8, 0.98


def refined(
    probabilities_KHW: FloatArray, labels: Sequence[int], prediction: Prediction
) -> FloatArray:
    """Combine propagated labels with a model's prediction of the same frame.

    Args:
        probabilities_KHW: of the propagated labels.
        labels: the values of axis K, the background 0 first.
        prediction: by a model of the same structures.

    Returns:
        float32 KHW; no array is changed.
    """
    best_HW = probabilities_KHW.argmax(axis=0)
    said_HW = _places(prediction.mask_HW, labels)
    near_HW, known = _near(best_HW, said_HW, len(labels))
    if not near_HW.any():
        return probabilities_KHW
    heard_HW = near_HW & np.isin(best_HW, known) & np.isin(said_HW, known)
    old_KN = probabilities_KHW[:, heard_HW]
    said = (said_HW[heard_HW], np.arange(old_KN.shape[1]))
    sure_N = _confidence(prediction)[heard_HW]
    # What the model does not say of the other labels is taken from the propagation.
    new_KN = old_KN * ((1 - sure_N) / np.maximum(1 - old_KN[said], 1e-6))
    new_KN[said] = sure_N
    pooled_KN = old_KN ** np.float32(1 - _WEIGHT) * new_KN ** np.float32(_WEIGHT)
    combined_KHW = probabilities_KHW.copy()
    combined_KHW[:, heard_HW] = pooled_KN / pooled_KN.sum(axis=0)
    return combined_KHW


def _places(mask_HW: Image, labels: Sequence[int]) -> NDArray[np.int64]:
    """Return the place of every pixel's label on axis K; -1 for labels that are not on it."""
    place_of = np.full(256, -1, np.int64)
    place_of[list(labels)] = range(len(labels))
    return place_of[mask_HW]


def _near(
    best_HW: NDArray[np.int64], said_HW: NDArray[np.int64], count: int
) -> tuple[NDArray[np.bool_], list[int]]:
    """Return the pixels near structures that the model finds too, and their places on axis K."""
    reach = max(1, round(MARGIN * max(best_HW.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near_HW, known = np.zeros(best_HW.shape, bool), [0]
    for place in range(1, count):
        mine_HW = best_HW == place
        around_HW = cv2.dilate(mine_HW.view(np.uint8), disc) > 0
        its_HW = (said_HW == place) & around_HW
        areas = int(mine_HW.sum() + its_HW.sum())
        if areas and 2 * int((mine_HW & its_HW).sum()) >= SAME_STRUCTURE * areas:
            near_HW |= around_HW
            known.append(place)
    return near_HW, known


def _confidence(prediction: Prediction) -> FloatArray:
    if prediction.confidence_HW is None:
        return np.full(prediction.mask_HW.shape, _UNSAID, np.float32)
    return np.clip(prediction.confidence_HW, 1 - _SUREST, _SUREST).astype(np.float32)
