"""The scores of an arm on disk: its folder holds frames, temporal metrics, facts and masks.

A job of a run (``<run>/<arm>/fold-<n>``) and an arm that was scored from a folder of masks have the
same files: ``frames.parquet``, ``temporal.parquet``, ``masks/`` and, if arms were scored as
streamed, ``streaming.parquet``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sonotempo.errors import SonotempoError
from sonotempo.evaluation.scoring.frames import FRAME_COLUMNS, LATER_COLUMNS
from sonotempo.evaluation.scoring.temporal_table import temporal_table

_AGAIN = (
    "an earlier version scored it; delete finished.json there and run the same `sonotempo "
    "crossval` again: it scores anew and keeps the trained weights"
)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Everything that was measured of a predictor but its masks, which are written as they come.

    Attributes:
        frames: one row per labelled frame and structure, with the columns
            :data:`sonotempo.evaluation.scoring.frames.FRAME_COLUMNS`.
        temporal: one row per recording, structure and metric, with the columns
            :data:`sonotempo.evaluation.scoring.temporal_table.TEMPORAL_COLUMNS`.
        streaming: ``frames`` as they would have been on screen, with the further columns
            :data:`sonotempo.evaluation.scoring.as_streamed.SCREEN_COLUMNS`; None if not asked for.
    """

    frames: pd.DataFrame
    temporal: pd.DataFrame
    streaming: pd.DataFrame | None = None

    def of_arm(self, arm: str) -> "Evaluation":
        """Return what was measured of one arm."""
        return Evaluation(
            _rows_of(self.frames, arm),
            _rows_of(self.temporal, arm),
            None if self.streaming is None else _rows_of(self.streaming, arm),
        )


def joined(parts: Sequence[Evaluation]) -> Evaluation:
    """Put the scores of several folds or arms together, in the order given."""
    streaming = [part.streaming for part in parts if part.streaming is not None]
    return Evaluation(
        pd.concat([part.frames for part in parts], ignore_index=True),
        pd.concat([part.temporal for part in parts], ignore_index=True),
        pd.concat(streaming, ignore_index=True) if streaming else None,
    )


@dataclass(frozen=True, slots=True, eq=False)
class ScoreFiles:
    """What :func:`read_scores` found.

    Attributes:
        evaluation: the tables; those that are missing are empty.
        missing: what a folder of an older version lacks and how to get it; empty or one sentence.
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
    lacking = []
    frames = pd.read_parquet(path)
    for name, what in (("state_age", "no state ages"), ("nsd", "no NSD")):
        if name not in frames.columns:
            lacking.append(what)
            frames[name] = LATER_COLUMNS[name]
    temporal = temporal_table([])
    path = folder / "temporal.parquet"
    if path.is_file():
        temporal = pd.read_parquet(path)
    else:
        lacking.append("no temporal metrics")
    if not (folder / "masks").is_dir():
        lacking.append("no masks")
    path = folder / "streaming.parquet"
    streaming = pd.read_parquet(path) if path.is_file() else None
    missing = (f"{folder} holds {', '.join(lacking)}: {_AGAIN}",) if lacking else ()
    return ScoreFiles(Evaluation(frames[list(FRAME_COLUMNS)], temporal, streaming), missing)


def _rows_of(table: pd.DataFrame, arm: str) -> pd.DataFrame:
    return table[table["arm"] == arm].reset_index(drop=True)
