"""Any Predictor over recordings with references, scored frame by frame, over time, as streamed."""

from collections.abc import Callable, Iterable
from functools import partial

import pandas as pd

from sonotempo.calibration import Reliability
from sonotempo.config import EvaluateConfig
from sonotempo.evaluation.scoring.as_streamed import latencies_of, score_stream, screen_table
from sonotempo.evaluation.scoring.calibration_table import RecordingReliability, calibration_table
from sonotempo.evaluation.scoring.files import Evaluation
from sonotempo.evaluation.scoring.frames import FrameKey, FrameScore, frame_table
from sonotempo.evaluation.scoring.mask_files import DrawnMasks
from sonotempo.evaluation.scoring.prediction import predict_recording
from sonotempo.evaluation.scoring.recordings import drawn_masks, score_recording
from sonotempo.evaluation.scoring.stress_table import score_stress, stress_table
from sonotempo.evaluation.scoring.temporal_table import TemporalScore, temporal_table
from sonotempo.recording import Prediction, Predictor, Recording


def evaluate(
    predictor: Predictor,
    recordings: Iterable[Recording],
    config: EvaluateConfig,
    *,
    arm: str,
    fold: int,
    every_frame: bool = False,
    seed: int = 0,
    on_masks: Callable[[DrawnMasks], object] = lambda masks: None,
    on_recording: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Stream each recording through a predictor and score the labelled frames.

    Every frame is input; the state is reset where a recording begins and where it has a gap. The
    masks of one recording at a time are in memory: ``on_masks`` may keep them on disk.

    Args:
        predictor: what to evaluate; its first prediction counts.
        recordings: frames and references on the evaluation grid (the fitted network grid).
        config: the region rules; with ``streaming_latency_ms`` for this arm, what would have been
            on screen is scored as well; with ``stress``, disturbed recordings too.
        arm: the predictor's name in the tables.
        fold: the fold whose test set this is.
        every_frame: predict unlabelled frames even where a predictor without state does not need
            them, so that its masks are complete.
        seed: of the latencies and the disturbances that are drawn.
        on_masks: called with the masks of each recording.
        on_recording: called after each recording, for progress.

    Raises:
        SonotempoError: the predictor gave values that are not numbers.
    """
    frames: list[tuple[FrameKey, list[FrameScore]]] = []
    temporal: list[TemporalScore] = []
    latencies_ms = latencies_of(config.streaming_latency_ms, arm)
    screens = [screen_table([], [], [])]
    stressed = [stress_table([], [])]
    counted: list[RecordingReliability] = []
    for recording in recordings:
        reliability = Reliability(len(recording.structures))
        masks = predict_recording(
            predictor,
            recording,
            arm,
            every_frame=every_frame,
            on_prediction=partial(_count, reliability, recording),
        )
        counted.append(RecordingReliability(arm, fold, recording, reliability))
        scores = score_recording(recording, masks, config, arm=arm, fold=fold)
        frames += scores.frames
        temporal += scores.temporal
        if latencies_ms is not None:
            screens.append(
                score_stream(
                    predictor,
                    recording,
                    latencies_ms,
                    config,
                    arm=arm,
                    fold=fold,
                    seed=seed,
                    known=masks,
                )
            )
        if config.stress is not None:
            stressed.append(
                score_stress(predictor, recording, config, arm=arm, fold=fold, seed=seed)
            )
        on_masks(drawn_masks(recording, masks))
        on_recording()
    has_probabilities = any(one.table.frames for one in counted)
    return Evaluation(
        frame_table(frames),
        temporal_table(temporal),
        pd.concat(screens, ignore_index=True) if latencies_ms is not None else None,
        pd.concat(stressed, ignore_index=True) if config.stress is not None else None,
        calibration_table(counted) if has_probabilities else None,
    )


def _count(
    reliability: Reliability, recording: Recording, index: int, prediction: Prediction
) -> None:
    """Count whether the pixels of a labelled frame are as often right as they should be."""
    if index in recording.mask_readers and prediction.confidence_HW is not None:
        reference_SS = recording.mask(index)
        assert reference_SS is not None  # there is a reader
        reliability.add(prediction.mask_HW, prediction.confidence_HW, reference_SS)
