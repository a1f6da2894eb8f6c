"""The scores of an arm on disk: its folder holds frames, temporal metrics, facts and masks.

A job of a run (``<run>/<arm>/fold-<n>``) and an arm that `sonotempo evaluate` scored have the same
files: ``frames.parquet``, ``temporal.parquet``, ``masks/`` and, if arms were scored as streamed,
``streaming.parquet``; on disturbed recordings, ``stress.parquet``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sonotempo.errors import SonotempoError


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
        stress: ``frames`` of disturbed recordings, with the further columns
            :data:`sonotempo.evaluation.scoring.stress_table.STRESS_COLUMNS`; None if not asked for.
    """

    frames: pd.DataFrame
    temporal: pd.DataFrame
    streaming: pd.DataFrame | None = None
    stress: pd.DataFrame | None = None

    def of_arm(self, arm: str) -> "Evaluation":
        """Return what was measured of one arm."""
        return Evaluation(
            _rows_of(self.frames, arm),
            _rows_of(self.temporal, arm),
            None if self.streaming is None else _rows_of(self.streaming, arm),
            None if self.stress is None else _rows_of(self.stress, arm),
        )


def joined(parts: Sequence[Evaluation]) -> Evaluation:
    """Put the scores of several folds or arms together, in the order given."""
    streaming = [part.streaming for part in parts if part.streaming is not None]
    stress = [part.stress for part in parts if part.stress is not None]
    return Evaluation(
        pd.concat([part.frames for part in parts], ignore_index=True),
        pd.concat([part.temporal for part in parts], ignore_index=True),
        pd.concat(streaming, ignore_index=True) if streaming else None,
        pd.concat(stress, ignore_index=True) if stress else None,
    )


def write_scores(folder: Path, evaluation: Evaluation) -> None:
    """Write the tables into the folder of a job or an arm."""
    folder.mkdir(parents=True, exist_ok=True)
    evaluation.frames.to_parquet(folder / "frames.parquet", index=False)
    evaluation.temporal.to_parquet(folder / "temporal.parquet", index=False)
    if evaluation.streaming is not None:
        evaluation.streaming.to_parquet(folder / "streaming.parquet", index=False)
    if evaluation.stress is not None:
        evaluation.stress.to_parquet(folder / "stress.parquet", index=False)


def read_scores(folder: Path) -> Evaluation:
    """Read the tables of a job or an arm.

    Raises:
        SonotempoError: the folder lacks one of the tables that every scored arm has.
    """
    for name in ("frames.parquet", "temporal.parquet"):
        if not (folder / name).is_file():
            raise SonotempoError(
                f"{folder} holds no scores: it has no {name}; continue with `sonotempo crossval`, "
                "or score an arm with `sonotempo evaluate`"
            )
    streaming, stress = folder / "streaming.parquet", folder / "stress.parquet"
    return Evaluation(
        pd.read_parquet(folder / "frames.parquet"),
        pd.read_parquet(folder / "temporal.parquet"),
        pd.read_parquet(streaming) if streaming.is_file() else None,
        pd.read_parquet(stress) if stress.is_file() else None,
    )


def _rows_of(table: pd.DataFrame, arm: str) -> pd.DataFrame:
    return table[table["arm"] == arm].reset_index(drop=True)
