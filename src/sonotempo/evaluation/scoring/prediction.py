"""A predictor's masks of a recording, stepped as it would be live: state reset at every gap."""

from collections.abc import Callable, Collection

import numpy as np

from sonotempo.errors import SonotempoError
from sonotempo.recording import Image, Prediction, Predictor, Recording


def predict_recording(
    predictor: Predictor,
    recording: Recording,
    arm: str,
    *,
    every_frame: bool = False,
    never_shown: Collection[int] = (),
    on_prediction: Callable[[int, Prediction], object] = lambda index, prediction: None,
) -> dict[int, Image]:
    """Return the masks of a recording's frames, by frame index.

    Args:
        predictor: its first prediction counts.
        recording: every frame is input; the state is reset where it begins or has a gap.
        arm: what the predictor is called in errors.
        every_frame: keep to every frame even where a predictor without state needs only the
            labelled ones.
        never_shown: frames that never arrive: the mask before stays on screen.
        on_prediction: called with the index of each frame and what was predicted for it.

    Raises:
        SonotempoError: the predictor gave values that are not numbers.
    """
    labelled = set(recording.labelled)
    masks: dict[int, Image] = {}
    for segment in recording.segments():
        predictor.reset()
        for index in segment:
            if index in never_shown:
                masks[index] = masks[index - 1]
            elif index in labelled or predictor.stateful or every_frame or index + 1 in never_shown:
                prediction = predict_frame(predictor, recording, index, arm)
                masks[index] = prediction.mask_HW
                on_prediction(index, prediction)
    return masks


def predict_frame(predictor: Predictor, recording: Recording, index: int, arm: str) -> Prediction:
    """Step a predictor on one frame and return what it says of it.

    Raises:
        SonotempoError: the predictor gave values that are not numbers, so the mask means nothing.
    """
    prediction, *_ = predictor.step(recording[index])
    confidence_HW = prediction.confidence_HW
    if confidence_HW is not None and not np.isfinite(confidence_HW).all():
        raise SonotempoError(
            f"arm {arm!r} gave logits that are not finite in frame "
            f"{recording.frame_numbers[index]} of {recording.name}, "
            f"{np.count_nonzero(~np.isfinite(confidence_HW))} of {confidence_HW.size} pixels: its "
            "weights are damaged or overflow; train it again, with 32-bit precision or a lower "
            "learning rate"
        )
    return prediction
