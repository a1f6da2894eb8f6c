"""Agreement of boundaries: the normalised surface Dice (NSD) at a tolerance in millimetres.

Source: Nikolov et al. 2021 (doi:10.2196/26151); recommended for boundaries by Metrics Reloaded
(Nature Methods 2024). The boundary is that of MONAI's ``compute_surface_dice``: pixels of a mask
with a 4-neighbour outside it, the outside of the image included. Tests hold the values to MONAI's;
scipy does the same work here on the masks' surroundings alone, ten times as fast and without torch.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sonotempo.evaluation.metrics.overlap import require_same_shape
from sonotempo.recording import Spacing


def surface_dice(
    prediction_HW: NDArray[np.bool_],
    reference_HW: NDArray[np.bool_],
    spacing_mm: Spacing,
    tolerance_mm: float,
) -> float:
    """Return the share of both boundaries that lies within the tolerance of the other, 0 to 1.

    Args:
        prediction_HW: bool, where one structure was predicted.
        reference_HW: bool, where it is, of the same shape.
        spacing_mm: millimetres per pixel as (row, column).
        tolerance_mm: how far apart boundaries may lie that count as agreeing.

    Returns:
        NaN where the structure is neither predicted nor there; 0 where it is only predicted or
        only there.

    >>> reference_HW = np.zeros((20, 20), bool)
    >>> reference_HW[5:15, 5:15] = True
    >>> surface_dice(np.roll(reference_HW, 1, axis=1), reference_HW, (0.5, 0.5), 0.5)
    1.0
    >>> surface_dice(np.zeros((20, 20), bool), reference_HW, (0.5, 0.5), 0.5)
    0.0

    Raises:
        ValueError: the masks differ in shape.
    """
    require_same_shape(prediction_HW, reference_HW)
    if not prediction_HW.any() or not reference_HW.any():
        return math.nan if prediction_HW.any() == reference_HW.any() else 0.0
    shown = _surroundings(prediction_HW | reference_HW)
    predicted_HW, referenced_HW = _boundary(prediction_HW[shown]), _boundary(reference_HW[shown])
    to_reference_mm = ndimage.distance_transform_edt(~referenced_HW, sampling=spacing_mm)
    to_predicted_mm = ndimage.distance_transform_edt(~predicted_HW, sampling=spacing_mm)
    near = np.count_nonzero(to_reference_mm[predicted_HW] <= tolerance_mm)
    near += np.count_nonzero(to_predicted_mm[referenced_HW] <= tolerance_mm)
    whole = np.count_nonzero(predicted_HW) + np.count_nonzero(referenced_HW)
    return float(near / whole)


def _boundary(mask_HW: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a mask with a 4-neighbour outside it."""
    return mask_HW & ~ndimage.binary_erosion(mask_HW)


def _surroundings(mask_HW: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the smallest window that holds a mask; beyond it lies no boundary."""
    rows, columns = np.flatnonzero(mask_HW.any(axis=1)), np.flatnonzero(mask_HW.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
