"""How a mask moves from frame to frame: constant and correct, in step, smooth, late.

All functions take one structure in one run of T consecutive frames as ``prediction_THW`` and
``reference_THW``, bool, on the fitted network grid.
"""

import math

import numpy as np
from numpy.typing import NDArray

Masks = NDArray[np.bool_]

#: The largest lag that is searched, in frames, in either direction.
MAX_LAG_FRAMES = 10


def vc_correct(prediction_THW: Masks, reference_THW: Masks, frames: int) -> float:
    """Return the share of lasting foreground that is lastingly right, over windows of frames.

    In each window: of the pixels that are the structure in the reference throughout, the share
    that is predicted as it throughout; averaged over all windows that have such pixels. VSPW's
    VC_n asks of the prediction only to be constant, and of all labels, so background saturates it.

    Args:
        prediction_THW: bool, where the structure was predicted.
        reference_THW: bool, where it is.
        frames: n, how long the windows are.

    >>> reference_THW = np.ones((4, 1, 2), bool)
    >>> prediction_THW = reference_THW.copy()
    >>> prediction_THW[0, 0, 0] = False
    >>> vc_correct(prediction_THW, reference_THW, 2)  # windows of 1/2, 1 and 1
    0.8333333333333334

    NaN if no pixel stays in the structure for ``frames`` frames.

    Source: after VC_n of VSPW (Miao et al., CVPR 2021), with foreground and correctness required.
    """
    _check(prediction_THW, reference_THW)
    prediction_THW, reference_THW = _cropped(prediction_THW, reference_THW)
    shares = []
    for start in range(len(reference_THW) - frames + 1):
        window = slice(start, start + frames)
        lasting_HW = reference_THW[window].all(axis=0)
        pixels = np.count_nonzero(lasting_HW)
        if pixels:
            right_HW = lasting_HW & prediction_THW[window].all(axis=0)
            shares.append(np.count_nonzero(right_HW) / pixels)
    return float(np.mean(shares)) if shares else math.nan


def dtssd(prediction_THW: Masks, reference_THW: Masks) -> float:
    """Return dtSSD = 100·√mean[(ΔP − ΔG)²], the mean over pixels, then over pairs of frames.

    ΔP is what changed in the prediction since the frame before, as −1, 0 or 1; ΔG in the
    reference. 0 is best: freezing while the structure moves is as bad as flicker.

    >>> reference_THW = np.zeros((2, 2, 2), bool)
    >>> prediction_THW = reference_THW.copy()
    >>> prediction_THW[1, 0, 0] = True  # one of four pixels changes
    >>> dtssd(prediction_THW, reference_THW)
    50.0

    NaN for fewer than two frames.

    Source: Erofeev et al., BMVC 2015, as in Robust Video Matting's ``evaluate_lr.py``, which
    averages over frames after the square root (and counts the first frame, here left out, as 0).
    """
    _check(prediction_THW, reference_THW)
    if len(reference_THW) < 2:
        return math.nan
    pixels = reference_THW[0].size
    prediction_THW, reference_THW = _cropped(prediction_THW, reference_THW)
    # ΔP − ΔG is the change of P − G: 2 where both change in opposite ways, 1 where one changes.
    difference_THW = prediction_THW.astype(np.int8) - reference_THW
    squared_THW = np.diff(difference_THW, axis=0) ** 2
    return float(np.mean(100 * np.sqrt(squared_THW.sum(axis=(1, 2), dtype=np.int64) / pixels)))


def area_inconsistency(prediction_THW: Masks, reference_THW: Masks) -> float:
    """Return the share of frames where the area jumps more than it ever does in the reference.

    With a_t the area over the reference's mean area, a frame is inconsistent if
    e_t = a_t − ½(a_{t−1} + a_{t+1}) is larger than the reference's largest, both without sign.
    Looked at are frames with the structure in the reference in the frame itself, the one before
    and the one after. A frame in which it is not predicted has the area 0.

    NaN if the reference never shows the structure in three consecutive frames.

    Source: temporal consistency of attributes, Painchaud et al. 2022 (CASTOR,
    doi:10.1109/TMI.2022.3173669), with the recording's own reference as the limit.
    """
    _check(prediction_THW, reference_THW)
    predicted_px = prediction_THW.sum(axis=(1, 2)).astype(np.float64)
    reference_px = reference_THW.sum(axis=(1, 2)).astype(np.float64)
    judged = _three_in_a_row(reference_px > 0)
    if not judged.any():
        return math.nan
    scale = reference_px[reference_px > 0].mean()
    return _inconsistent((predicted_px / scale)[:, None], (reference_px / scale)[:, None], judged)


def centroid_inconsistency(prediction_THW: Masks, reference_THW: Masks) -> float:
    """Return the share of frames where the centroid jumps more than it ever does in the reference.

    As :func:`area_inconsistency`, of the centroid's row and column as shares of the grid's
    height and width; a frame is inconsistent if either is. Looked at are frames with the structure
    predicted as well, in the frame itself, the one before and the one after.

    NaN if there is no such frame.
    """
    _check(prediction_THW, reference_THW)
    predicted_T2, referenced_T2 = _centroids(prediction_THW), _centroids(reference_THW)
    limited = _three_in_a_row(~np.isnan(referenced_T2[:, 0]))
    judged = limited & _three_in_a_row(~np.isnan(predicted_T2[:, 0]))
    if not judged.any():
        return math.nan
    return _inconsistent(predicted_T2, referenced_T2, judged, limited)


def lag_frames(prediction_THW: Masks, reference_THW: Masks, largest: int = MAX_LAG_FRAMES) -> float:
    """Return by how many frames the prediction trails: argmax_k mean Dice(P_t, G_{t−k}).

    All k from −``largest`` to ``largest`` (less in runs shorter than three times that) are judged
    on the same predictions; frames with neither are left out. Of equally good lags the one nearest
    to 0 is taken. A structure that does not move has no lag to see: 0.

    NaN if the run is shorter than three frames, or the prediction never overlaps the reference.
    """
    _check(prediction_THW, reference_THW)
    count = len(reference_THW)
    most = min(largest, count // 3)
    if most == 0:
        return math.nan
    predicted_TN, referenced_TN = (
        masks_THW.reshape(count, -1).astype(np.float32)
        for masks_THW in _cropped(prediction_THW, reference_THW)
    )
    # Every pair of frames at once; float32 counts exactly up to 16 million pixels.
    shared_TT = (predicted_TN @ referenced_TN.T).astype(np.float64)
    whole_TT = predicted_TN.sum(axis=1)[:, None] + referenced_TN.sum(axis=1)[None, :]
    compared = np.arange(most, count - most)
    dice = {
        k: _mean_dice(shared_TT[compared, compared - k], whole_TT[compared, compared - k])
        for k in range(-most, most + 1)
    }
    if not any(value > 0 for value in dice.values()):
        return math.nan
    return float(max(dice, key=lambda k: (dice[k], -abs(k), k)))


def _mean_dice(shared_px: NDArray[np.float64], whole_px: NDArray[np.float32]) -> float:
    """Average Dice over the frames in which there is anything, rounded so that ties are ties."""
    some = whole_px > 0
    return round(float(np.mean(2 * shared_px[some] / whole_px[some])), 12) if some.any() else 0.0


def _three_in_a_row(flags_T: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """For each frame but the first and last, whether it and both neighbours are True."""
    return flags_T[:-2] & flags_T[1:-1] & flags_T[2:]


def _inconsistent(
    predicted_TA: NDArray[np.float64],
    referenced_TA: NDArray[np.float64],
    judged: NDArray[np.bool_],
    limited: NDArray[np.bool_] | None = None,
) -> float:
    """Return the share of judged frames where any attribute's jump exceeds the reference's."""
    limits = _jumps(referenced_TA)[judged if limited is None else limited].max(axis=0)
    # Rounding is no jump: a prediction equal to the reference is consistent.
    beyond = _jumps(predicted_TA)[judged] > limits + 1e-9
    return float(np.mean(beyond.any(axis=1)))


def _jumps(values_TA: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(values_TA[1:-1] - (values_TA[:-2] + values_TA[2:]) / 2)


def _centroids(masks_THW: Masks) -> NDArray[np.float64]:
    """Return the centre of each mask as shares of height and width, T2; NaN where it is empty."""
    _, height, width = masks_THW.shape
    rows_TH, columns_TW = masks_THW.sum(axis=2), masks_THW.sum(axis=1)
    pixels_T = rows_TH.sum(axis=1).astype(np.float64)
    pixels_T[pixels_T == 0] = math.nan
    row_T, column_T = rows_TH @ np.arange(height), columns_TW @ np.arange(width)
    return np.stack([row_T / pixels_T / height, column_T / pixels_T / width], axis=1)


def _cropped(prediction_THW: Masks, reference_THW: Masks) -> tuple[Masks, Masks]:
    """Cut both to the window that holds all of them; one pixel is left of empty masks."""
    shown_HW = np.any(prediction_THW | reference_THW, axis=0)
    rows, columns = (
        np.flatnonzero(np.any(shown_HW, axis=1)),
        np.flatnonzero(np.any(shown_HW, axis=0)),
    )
    if not len(rows):
        return prediction_THW[:, :1, :1], reference_THW[:, :1, :1]
    window = (
        slice(None),
        slice(int(rows[0]), int(rows[-1]) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
    )
    return prediction_THW[window], reference_THW[window]


def _check(prediction_THW: Masks, reference_THW: Masks) -> None:
    for masks_THW in (prediction_THW, reference_THW):
        if masks_THW.ndim != 3 or masks_THW.dtype != np.bool_:
            raise ValueError(
                f"masks have shape {masks_THW.shape} and type {masks_THW.dtype}; expected boolean "
                "THW of one structure, as from labels == value"
            )
    if prediction_THW.shape != reference_THW.shape:
        raise ValueError(
            f"predictions are {prediction_THW.shape} but references {reference_THW.shape}; take "
            "the same frames of both on the same network grid"
        )
