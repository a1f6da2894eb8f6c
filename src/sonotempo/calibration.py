"""How much a model's probabilities mean: reliability, temperature, and a structure's confidence.

A pixel that a model labels as a structure has a probability. Calibration asks in what share of
such pixels the reference agrees. Sources: expected calibration error, Naeini et al. 2015;
temperature scaling, Guo et al. 2017, here for each structure against everything else.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sonotempo.recording import Image

Floats = NDArray[np.floating]
Counts = NDArray[np.int64]

# Probabilities are counted on an even grid of logits, fine enough for any temperature: the most
# probable of K labels has at least 1/K.
_LOGIT_STEP = 0.1
_LOGIT_EDGES = np.round(np.arange(-4.0, 12.0 + _LOGIT_STEP, _LOGIT_STEP), 6)
_LOGITS = _LOGIT_EDGES[:-1] + _LOGIT_STEP / 2
#: Bins of a reliability table.
BINS = len(_LOGITS)
#: Equal bins of confidence over which the calibration error is averaged.
ERROR_BINS = 15
_TEMPERATURES = (0.25, 20.0)
#: With fewer predicted pixels a temperature is not fitted.
LEAST_PIXELS = 500
_CERTAIN = 1e-6


class Reliability:
    """Counts, for every structure, how often its predicted pixels are right, by probability.

    >>> table = Reliability(1)
    >>> mask_HW = np.ones((20, 50), np.uint8)
    >>> reference_HW = np.zeros_like(mask_HW)
    >>> reference_HW[:14] = 1  # 70 % are right, but the model says 95 %
    >>> table.add(mask_HW, np.full(mask_HW.shape, 0.95, np.float32), reference_HW)
    >>> round(table.errors()[0], 2)
    0.25
    >>> round(table.errors(table.temperatures())[0], 2)
    0.0

    Args:
        structures: K, the background left out.
    """

    def __init__(self, structures: int) -> None:
        #: How many frames were counted.
        self.frames = 0
        self.predicted_KB: Counts = np.zeros((structures, BINS), np.int64)
        self.right_KB: Counts = np.zeros((structures, BINS), np.int64)

    def add(self, mask_HW: Image, probability_HW: Floats, reference_HW: Image) -> None:
        """Count the predicted pixels of one frame.

        Args:
            mask_HW: the labels shown.
            probability_HW: of the label shown, 0 to 1.
            reference_HW: the labels of a reference.
        """
        self.frames += 1
        inside_N = np.flatnonzero(mask_HW)
        labels_N = mask_HW.ravel()[inside_N].astype(np.int64) - 1
        logits_N = _logit(probability_HW.ravel()[inside_N])
        bins_N = np.clip(np.digitize(logits_N, _LOGIT_EDGES) - 1, 0, BINS - 1)
        right_N = reference_HW.ravel()[inside_N] == labels_N + 1
        places_N = labels_N * BINS + bins_N
        size, shape = self.predicted_KB.size, self.predicted_KB.shape
        self.predicted_KB += np.bincount(places_N, minlength=size).reshape(shape)
        self.right_KB += np.bincount(places_N[right_N], minlength=size).reshape(shape)

    def temperatures(self) -> tuple[float, ...]:
        """Return the temperature of every structure; 1 where too few pixels were predicted."""
        return tuple(
            fitted_temperature(predicted_B, right_B)
            for predicted_B, right_B in zip(self.predicted_KB, self.right_KB, strict=True)
        )

    def errors(self, temperatures: Sequence[float] = ()) -> tuple[float, ...]:
        """Return every structure's expected calibration error; NaN where it was not predicted.

        Args:
            temperatures: to apply first; none if empty.
        """
        applied = temperatures or (1.0,) * len(self.predicted_KB)
        return tuple(
            float(calibration_error(predicted_B[None], right_B[None], temperature)[0])
            for predicted_B, right_B, temperature in zip(
                self.predicted_KB, self.right_KB, applied, strict=True
            )
        )


def fitted_temperature(predicted_B: Counts, right_B: Counts) -> float:
    """Return the temperature under which the probabilities of one structure fit best.

    It minimises the negative log-likelihood; above 1 the model was too confident.

    Args:
        predicted_B: pixels by probability, in :data:`BINS` bins.
        right_B: those that were right.
    """
    if predicted_B.sum() < LEAST_PIXELS:
        return 1.0
    from scipy.optimize import minimize_scalar  # noqa: PLC0415  (slow, and live never fits)

    def loss(log_temperature: float) -> float:
        scaled_B = _LOGITS / np.exp(log_temperature)
        right, wrong = np.logaddexp(0, -scaled_B), np.logaddexp(0, scaled_B)
        return float((right_B * right + (predicted_B - right_B) * wrong).sum())

    low, high = np.log(_TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded")
    return round(float(np.exp(found.x)), 3)


def calibration_error(
    predicted_DB: Counts | Floats, right_DB: Counts | Floats, temperature: float = 1.0
) -> Floats:
    """Return the expected calibration error of each row; NaN in rows without pixels.

    Args:
        predicted_DB: pixels by probability, in :data:`BINS` bins; rows may be weighted sums.
        right_DB: those that were right.
        temperature: to apply first.
    """
    confidence_B = _sigmoid(_LOGITS / temperature)
    into_BM = np.eye(ERROR_BINS)[
        np.minimum((confidence_B * ERROR_BINS).astype(int), ERROR_BINS - 1)
    ]
    gaps_DM = (predicted_DB * confidence_B - right_DB) @ into_BM
    pixels_D = predicted_DB.sum(axis=1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        error_D: Floats = np.abs(gaps_DM).sum(axis=1) / pixels_D
    return error_D


def mean_confidence(predicted_B: Counts) -> float:
    """Return the mean probability of counted pixels, to the width of a bin.

    Args:
        predicted_B: pixels by probability, in :data:`BINS` bins, at least one.
    """
    return float((predicted_B * _sigmoid(_LOGITS)).sum() / predicted_B.sum())


def structure_confidences(
    mask_HW: Image, probability_HW: Floats, structures: int, temperatures: Sequence[float] = ()
) -> tuple[float, ...]:
    """Return how sure a model is of every structure: the mean over its pixels.

    With temperatures from validation frames it estimates the share of its pixels that are right.

    >>> mask_HW = np.array([[0, 1, 1]], np.uint8)
    >>> structure_confidences(mask_HW, np.array([[0.9, 0.7, 0.9]], np.float32), 2)
    (0.8, nan)

    Args:
        mask_HW: the labels shown.
        probability_HW: of the label shown, 0 to 1.
        structures: K, the background left out.
        temperatures: one for each structure; none are applied if empty.

    Returns:
        K values in 0 to 1; NaN for a structure that is not in the mask.
    """
    inside_N = np.flatnonzero(mask_HW)
    labels_N = mask_HW.ravel()[inside_N]
    confidence_N: Floats = probability_HW.ravel()[inside_N].astype(np.float64)
    if temperatures:
        scale_N = 1 / np.asarray([1.0, *temperatures])[labels_N]
        confidence_N = _sigmoid(_logit(confidence_N) * scale_N)
    pixels = np.bincount(labels_N, minlength=structures + 1)[1:]
    sums = np.bincount(labels_N, confidence_N, structures + 1)[1:]
    return tuple(
        round(float(total / count), 4) if count else float("nan")
        for total, count in zip(sums, pixels, strict=True)
    )


def _logit(probability_N: Floats) -> Floats:
    clipped_N = np.clip(probability_N.astype(np.float64), _CERTAIN, 1 - _CERTAIN)
    logit_N: Floats = np.log(clipped_N / (1 - clipped_N))
    return logit_N


def _sigmoid(logit_N: Floats) -> Floats:
    probability_N: Floats = 1 / (1 + np.exp(-logit_N))
    return probability_N
