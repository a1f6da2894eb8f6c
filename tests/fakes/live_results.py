"""Results of two models on a bright frame, without a stream."""

import numpy as np

from sonotempo.live.history import StepResult
from sonotempo.live.models.onnx_predictor import GridPrediction
from sonotempo.preprocess import fit_frame
from sonotempo.recording import Frame

SHAPE_HW = (48, 64)
SIZE = 32


def result_of(
    number=0,
    *,
    masks=True,
    shape_HW=SHAPE_HW,
    spacing=(0.1, 0.1),
    sizes=(SIZE, SIZE),
    area=None,
    at_ns=0,
    confidence=None,
):
    """A bright frame; A finds structure 1 in the left half, B structure 2 in the right.

    Both are as sure as ``confidence``; by default they do not say.
    """
    frame = Frame(np.full(shape_HW, 100 + number, np.uint8), number, 0, spacing, area)
    made = []
    for side, size in enumerate(sizes):
        mask_SS = np.zeros((size, size), np.uint8)
        half = slice(0, size // 2) if side == 0 else slice(size // 2, None)
        mask_SS[:, half] = side + 1
        sure = () if confidence is None else (confidence, confidence)
        made.append(GridPrediction(mask_SS, fit_frame(frame, size), 1, "AB"[side], sure))
    return StepResult(frame, tuple(made) if masks else (), at_ns, at_ns)
