"""The scores of an arm on disk: its folder holds frames, temporal metrics, facts and masks.

A job of a run (``<run>/<arm>/fold-<n>``) and an arm that was scored from a folder of masks have the
same files: ``frames.parquet``, ``temporal.parquet``, ``masks/`` and, if arms were scored as
streamed, ``streaming.parquet``.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sonotempo.errors import SonotempoError
from sonotempo.evaluation.scores import LATER_COLUMNS
from sonotempo.evaluation.temporal import TEMPORAL_COLUMNS

_AGAIN = (
    "delete finished.json in the job's folder and run the same `sonotempo crossval` again: it "
    "scores anew and keeps the trained weights"
)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Everything that was measured of a predictor but its masks, which are written as they come.

    Attributes:
        frames: one row per labelled frame and structure, with the columns
            :data:`sonotempo.evaluation.scores.FRAME_COLUMNS`.
        temporal: one row per recording, structure and metric, with the columns
            :data:`sonotempo.evaluation.temporal.TEMPORAL_COLUMNS`.
        streaming: ``frames`` as they would have been on screen, with the further columns
            :data:`sonotempo.evaluation.streaming.SCREEN_COLUMNS`; None if not asked for.
    """

    frames: pd.DataFrame
    temporal: pd.DataFrame
    streaming: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ScoreFiles:
    """What :func:`read_scores` found.

    Attributes:
        evaluation: the tables; those that are missing are empty.
        missing: what a folder of an older version lacks and how to get it, a sentence each.
    """

    evaluation: Evaluation
    missing: tuple[str, ...]


def write_scores(folder: Path, evaluation: Evaluation) -> None:
    """Write the tables into the folder of a job or an arm."""
    folder.mkdir(parents=True, exist_ok=True)
    evaluation.frames.to_parquet(folder / "frames.parquet", index=False)
    evaluation.temporal.to_parquet(folder / "temporal.parquet", index=False)
    if evaluation.streaming is not None:
        evaluation.streaming.to_parquet(folder / "streaming.parquet", index=False)


def read_scores(folder: Path) -> ScoreFiles:
    """Read the tables of a job or an arm; those of older versions are filled up with unknowns.

    Raises:
        SonotempoError: the folder holds no scores.
    """
    path = folder / "frames.parquet"
    if not path.is_file():
        raise SonotempoError(
            f"{folder} holds no scores: it has no frames.parquet; go on with `sonotempo crossval`, "
            "or score an arm with `sonotempo evaluate`"
        )
    missing = []
    frames = pd.read_parquet(path)
    for name, unknown in LATER_COLUMNS.items():
        if name not in frames.columns:
            missing.append(f"{path} has no column {name!r}, as in sonotempo 0.1; {_AGAIN}")
            frames[name] = unknown
    temporal = pd.DataFrame(columns=list(TEMPORAL_COLUMNS)).astype({"value": "float64"})
    path = folder / "temporal.parquet"
    if path.is_file():
        temporal = pd.read_parquet(path)
    else:
        missing.append(f"{path} is not there, as in sonotempo 0.1; {_AGAIN}")
    if not (folder / "masks").is_dir():
        missing.append(f"{folder / 'masks'} is not there, as in sonotempo 0.1; {_AGAIN}")
    path = folder / "streaming.parquet"
    streaming = pd.read_parquet(path) if path.is_file() else None
    return ScoreFiles(Evaluation(frames, temporal, streaming), tuple(missing))
