"""The table of temporal metrics: one row per arm, recording, structure and metric."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True)
class TemporalScore:
    """One metric of one structure in one recording.

    Attributes:
        arm: the model's name in the comparison.
        fold: the split whose test set the recording is in.
        subject: who was scanned.
        recording: the recording's name.
        structure: which one.
        metric: one of :data:`sonotempo.measures.TEMPORAL`.
        value: in the metric's unit; NaN where it is not available.
        reason: why it is not available, empty if it is.
    """

    arm: str
    fold: int
    subject: str
    recording: str
    structure: str
    metric: str
    value: float
    reason: str

    def __post_init__(self) -> None:
        if math.isnan(self.value) != bool(self.reason):
            raise ValueError(
                f"{self.metric} of {self.recording} is {self.value} for the reason "
                f"{self.reason!r}; expected a reason exactly where there is no value"
            )


#: The columns of the table ``temporal``, in order.
TEMPORAL_COLUMNS = (
    *("arm", "fold", "subject", "recording", "structure"),
    *("metric", "value", "reason"),
)


def temporal_table(scores: Iterable[TemporalScore]) -> pd.DataFrame:
    """Collect scores into a table with :data:`TEMPORAL_COLUMNS`, in the order given."""
    rows: Sequence[tuple[object, ...]] = [
        tuple(getattr(score, name) for name in TEMPORAL_COLUMNS) for score in scores
    ]
    table = pd.DataFrame(rows, columns=list(TEMPORAL_COLUMNS))
    kinds = {"fold": "int64", "value": "float64"}
    return table.astype({name: kinds.get(name, "str") for name in TEMPORAL_COLUMNS})
