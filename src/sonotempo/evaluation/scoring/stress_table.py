"""The scores of a predictor on a disturbed recording: one row per labelled frame and structure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sonotempo.config import EvaluateConfig
from sonotempo.evaluation.scoring.frames import (
    FRAME_COLUMNS,
    FrameKey,
    FrameScore,
    frame_table,
    score_frame,
)
from sonotempo.evaluation.scoring.prediction import predict_recording
from sonotempo.evaluation.scoring.recordings import frame_key
from sonotempo.evaluation.scoring.stress import disturbed, dropped, phases, schedule
from sonotempo.recording import Predictor, Recording

#: What the table adds to :data:`FRAME_COLUMNS`: ``inside`` a disturbance, ``after`` it, or
#: ``sound`` before the first; its kind; and how many frames it has lasted, or is over.
STRESS_COLUMNS = ("phase", "kind", "offset")


def score_stress(
    predictor: Predictor,
    recording: Recording,
    config: EvaluateConfig,
    *,
    arm: str,
    fold: int,
    seed: int,
) -> pd.DataFrame:
    """Disturb a recording, step a predictor through it, and score every labelled frame.

    Args:
        predictor: its first prediction counts.
        recording: frames and references on the evaluation grid.
        config: the region rules, and what happens.
        arm: the predictor's name in the table.
        fold: the fold whose test set this is.
        seed: of the experiment: every arm sees the same.

    Returns:
        Rows with :data:`FRAME_COLUMNS` and :data:`STRESS_COLUMNS`; none where the recording is too
        short for a disturbance.

    Raises:
        SonotempoError: the predictor gave values that are not numbers.
    """
    assert config.stress is not None
    disturbances = schedule(recording, config.stress, seed)
    if not disturbances:
        return stress_table([], [])
    masks = predict_recording(
        predictor, disturbed(recording, disturbances), arm, never_shown=dropped(disturbances)
    )
    of_frames = phases(disturbances, len(recording))
    rows: list[tuple[FrameKey, list[FrameScore]]] = []
    placed: list[tuple[str, str, int]] = []
    for index in recording.labelled:
        reference_SS = recording.mask(index)
        assert reference_SS is not None  # only labelled frames are asked for
        scores = score_frame(
            masks[index], reference_SS, recording.structures, config, recording.spacing_at(index)
        )
        rows.append((frame_key(recording, index, arm, fold), scores))
        placed += [of_frames[index]] * len(scores)
    return stress_table(rows, placed)


def stress_table(
    scored: Sequence[tuple[FrameKey, list[FrameScore]]],
    placed: Sequence[tuple[str, str, int]],
) -> pd.DataFrame:
    """Collect scored frames into a table; phase, kind and offset once per row."""
    table = frame_table(scored)
    table["phase"] = pd.Series([phase for phase, _, _ in placed], dtype="str")
    table["kind"] = pd.Series([kind for _, kind, _ in placed], dtype="str")
    table["offset"] = np.array([offset for _, _, offset in placed], np.int64)
    return table[[*FRAME_COLUMNS, *STRESS_COLUMNS]]
