"""A mask as distances to the outlines of its structures, which move and blend without steps.

A mask that is moved frame by frame loses up to half a pixel each time. Distances are sampled once,
at the place where a pixel was in the labelled frame, and say how sure a label is: what is far from
an outline keeps its label although the motion is known to a few pixels only.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sonotempo.recording import Image

FloatArray = NDArray[np.float32]

# What is farther from an outline than this is as certain as it can be, in pixels.
_FARTHEST_PX = 32.0
# A logistic function of this slope is nearest to the normal distribution's (Bowling 2009), and
# between two labels the distance counts twice: once for each.
_SLOPE = np.float32(1.702 / 2)


def signed_distances(mask_HW: Image, labels: Sequence[int]) -> FloatArray:
    """Return how deep every pixel lies inside each label's area, in pixels; negative outside.

    An outline runs half-way between the centres of two pixels.

    Args:
        mask_HW: uint8 label values.
        labels: the values of axis K, with 0 for the background.

    Returns:
        float32 KHW, at most 32 pixels in either direction.

    >>> signed_distances(np.array([[0, 0, 3, 3]], np.uint8), [0, 3]).tolist()
    [[[1.5, 0.5, -0.5, -1.5]], [[-1.5, -0.5, 0.5, 1.5]]]
    """
    return np.stack([_depth(mask_HW == label) for label in labels])


def _depth(inside_HW: NDArray[np.bool_]) -> FloatArray:
    if inside_HW.all() or not inside_HW.any():
        sign = 1 if inside_HW.all() else -1
        return np.full(inside_HW.shape, sign * _FARTHEST_PX, np.float32)
    inner_HW, outer_HW = inside_HW.view(np.uint8), (~inside_HW).view(np.uint8)
    deep_HW = cv2.distanceTransform(inner_HW, cv2.DIST_L2, cv2.DIST_MASK_5)
    far_HW = cv2.distanceTransform(outer_HW, cv2.DIST_L2, cv2.DIST_MASK_5)
    signed_HW = np.where(inside_HW, deep_HW - 0.5, 0.5 - far_HW)
    clipped_HW: FloatArray = np.clip(signed_HW, -_FARTHEST_PX, _FARTHEST_PX, dtype=np.float32)
    return clipped_HW


def label_probabilities(distances_KHW: FloatArray, deviation_px_HW: FloatArray) -> FloatArray:
    """Return how probable each label is, where pixels are known to a standard deviation.

    Between two labels this is the share of a normal distribution on either side of the outline.

    Args:
        distances_KHW: as :func:`signed_distances` returns them.
        deviation_px_HW: of the place of every pixel, above 0.

    Returns:
        float32 KHW; every pixel's sum is 1.

    >>> near = np.array([[[1.0]], [[-1.0]]], np.float32)
    >>> label_probabilities(near, np.array([[1.0]], np.float32)).ravel().round(2)
    array([0.85, 0.15], dtype=float32)
    """
    scores_KHW = distances_KHW * (_SLOPE / deviation_px_HW)
    scores_KHW -= scores_KHW.max(axis=0)
    powers_KHW: FloatArray = np.exp(scores_KHW, out=scores_KHW)
    powers_KHW /= powers_KHW.sum(axis=0)
    return powers_KHW


def most_probable(probabilities_KHW: FloatArray, labels: Sequence[int]) -> tuple[Image, FloatArray]:
    """Return the most probable label of every pixel, uint8, and its probability.

    Args:
        probabilities_KHW: float32.
        labels: the values of axis K, 0 first.
    """
    best_HW, label_HW = probabilities_KHW[0].copy(), np.zeros(probabilities_KHW.shape[1:], np.uint8)
    for part_HW, label in zip(probabilities_KHW[1:], labels[1:], strict=True):
        label_HW[part_HW > best_HW] = label
        np.maximum(best_HW, part_HW, out=best_HW)
    return label_HW, best_HW
