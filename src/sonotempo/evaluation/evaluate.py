"""Any Predictor over recordings with references, scored frame by frame."""

from collections.abc import Callable, Iterable, Iterator

import pandas as pd

from sonotempo.config import EvaluateConfig
from sonotempo.evaluation.scores import FrameKey, FrameScore, frame_table, score_frame
from sonotempo.recording import Predictor, Recording


def evaluate(
    predictor: Predictor,
    recordings: Iterable[Recording],
    config: EvaluateConfig,
    *,
    arm: str,
    fold: int,
    on_recording: Callable[[], None] = lambda: None,
) -> pd.DataFrame:
    """Stream each recording through a predictor and score the labelled frames.

    Every frame is input; the state is reset where a recording begins and where it has a gap.

    Args:
        predictor: what to judge; its first prediction counts.
        recordings: frames and references on the evaluation grid (the fitted network grid).
        config: the region rules.
        arm: the predictor's name in the table.
        fold: the fold whose test set this is.
        on_recording: called after each recording, for progress.

    Returns:
        A table with one row per labelled frame and structure, see
        :data:`sonotempo.evaluation.scores.FRAME_COLUMNS`.
    """

    def scored() -> Iterator[tuple[FrameKey, list[FrameScore]]]:
        for recording in recordings:
            for index, scores in _scored_frames(predictor, recording, config):
                number = int(recording.frame_numbers[index])
                key = FrameKey(arm, fold, recording.subject, recording.name, number)
                yield key, scores
            on_recording()

    return frame_table(scored())


def _scored_frames(
    predictor: Predictor, recording: Recording, config: EvaluateConfig
) -> Iterator[tuple[int, list[FrameScore]]]:
    labelled = set(recording.labelled)
    for segment in recording.segments():
        predictor.reset()
        for index in segment:
            if index not in labelled and not predictor.stateful:
                continue
            prediction, *_ = predictor.step(recording[index])
            reference_HW = recording.mask(index)
            if reference_HW is not None:
                yield (
                    index,
                    score_frame(prediction.mask_HW, reference_HW, recording.structures, config),
                )
