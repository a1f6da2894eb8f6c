"""The scores of an arm on disk: its folder holds frames, temporal metrics, facts and masks.

A job of a run (``<run>/<arm>/fold-<n>``) and an arm that `sonotempo evaluate` scored have the same
files: ``frames.parquet``, ``temporal.parquet``, ``masks/`` and, if arms were scored as streamed,
``streaming.parquet``; on disturbed recordings, ``stress.parquet``; and ``calibration.parquet`` of
models whose probabilities are known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from sonotempo.errors import ConfigError, SonotempoError
from sonotempo.evaluation.scoring.as_streamed import SCREEN_COLUMNS
from sonotempo.evaluation.scoring.calibration_table import CALIBRATION_COLUMNS
from sonotempo.evaluation.scoring.frames import FRAME_COLUMNS
from sonotempo.evaluation.scoring.stress_table import STRESS_COLUMNS
from sonotempo.evaluation.scoring.temporal_table import TEMPORAL_COLUMNS
from sonotempo.guard import guarded


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
        calibration: how often pixels are right, by probability, with the columns
            :data:`sonotempo.evaluation.scoring.calibration_table.CALIBRATION_COLUMNS`; None
            of masks without probabilities.
    """

    frames: pd.DataFrame
    temporal: pd.DataFrame
    streaming: pd.DataFrame | None = None
    stress: pd.DataFrame | None = None
    calibration: pd.DataFrame | None = None

    def of_arm(self, arm: str) -> "Evaluation":
        """Return what was measured of one arm."""
        kept = {name: getattr(self, name) for name in _OPTIONAL}
        return Evaluation(
            _rows_of(self.frames, arm),
            _rows_of(self.temporal, arm),
            **{
                name: None if table is None else _rows_of(table, arm)
                for name, table in kept.items()
            },
        )


#: Tables that not every arm has.
_OPTIONAL = {
    "streaming": (*FRAME_COLUMNS, *SCREEN_COLUMNS),
    "stress": (*FRAME_COLUMNS, *STRESS_COLUMNS),
    "calibration": CALIBRATION_COLUMNS,
}
_TEXTS = frozenset(
    {"arm", "kind", "metric", "phase", "reason", "recording", "structure", "subject"}
)
_SCORE_AGAIN = (
    "delete {0}/finished.json and run the same `sonotempo crossval` again, which keeps the trained "
    "weights; scores of `sonotempo evaluate` are made again by it"
)


def joined(parts: Sequence[Evaluation]) -> Evaluation:
    """Put the scores of several folds or arms together, in the order given."""
    optional = {}
    for name in _OPTIONAL:
        tables = [getattr(part, name) for part in parts if getattr(part, name) is not None]
        optional[name] = pd.concat(tables, ignore_index=True) if tables else None
    return Evaluation(
        pd.concat([part.frames for part in parts], ignore_index=True),
        pd.concat([part.temporal for part in parts], ignore_index=True),
        **optional,
    )


def write_scores(folder: Path, evaluation: Evaluation) -> None:
    """Write the tables into the folder of a job or an arm."""
    folder.mkdir(parents=True, exist_ok=True)
    evaluation.frames.to_parquet(folder / "frames.parquet", index=False)
    evaluation.temporal.to_parquet(folder / "temporal.parquet", index=False)
    for name in _OPTIONAL:
        table: pd.DataFrame | None = getattr(evaluation, name)
        if table is not None:
            table.to_parquet(folder / f"{name}.parquet", index=False)


def read_scores(folder: Path) -> Evaluation:
    """Read the tables of a job or an arm.

    Raises:
        SonotempoError: the folder lacks one of the tables that every scored arm has.
        ConfigError: a table is damaged, or lacks a column.
    """
    for name in ("frames.parquet", "temporal.parquet"):
        if not (folder / name).is_file():
            raise SonotempoError(
                f"{folder} holds no scores: it has no {name}; continue with `sonotempo crossval`, "
                "or score an arm with `sonotempo evaluate`"
            )
    files = {name: folder / f"{name}.parquet" for name in _OPTIONAL}
    return Evaluation(
        _table(folder / "frames.parquet", FRAME_COLUMNS),
        _table(folder / "temporal.parquet", TEMPORAL_COLUMNS),
        **{
            name: _table(path, _OPTIONAL[name]) if path.is_file() else None
            for name, path in files.items()
        },
    )


def _table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read one table whose columns are there and hold what they should."""
    with guarded(f"{path} holds no scores", _SCORE_AGAIN.format(path.parent), ConfigError):
        table = pd.read_parquet(path)
        for name in columns:
            if name not in table.columns:
                raise ValueError(f"the column {name!r} is missing")
            if is_numeric_dtype(table[name]) == (name in _TEXTS):
                raise ValueError(f"the column {name!r} holds {table[name].dtype}")
        return table


def _rows_of(table: pd.DataFrame, arm: str) -> pd.DataFrame:
    return table[table["arm"] == arm].reset_index(drop=True)
