"""Every temporal metric of a recording, in one table: the names, the units, when there is no value.

The metrics are those of :mod:`~sonotempo.evaluation.events` and
:mod:`~sonotempo.evaluation.stability`. They need dense labels: they are measured on the longest run
of consecutive labelled frames (no frame number missing), which has to be at least
:data:`DENSE_FRAMES` long and to hold at least half of the recording's labelled frames. Otherwise,
and where the reference never shows the structure, there is no value but a reason; whether there is
one hardly depends on the prediction, so that arms can be paired.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

#: The fewest consecutive labelled frames that temporal metrics are measured on.
DENSE_FRAMES = 3

#: How many frames the windows of VC_correct are long, as VSPW's.
VC_WINDOWS = (8, 16)

#: Why there is no value, in the words that tables and reports show.
SPARSE = "sparse labels"
ABSENT = "structure absent"
NO_SPACING = "no spacing"


@dataclass(frozen=True, slots=True)
class TemporalMetric:
    """What a metric of a recording is called and how to read it.

    Attributes:
        title: for tables and plots.
        unit: of its values; empty for shares from 0 to 1.
        better: whether the larger or the smaller value is the better one.
        otherwise: why a recording that has the structure and dense labels may lack it.
    """

    title: str
    unit: str
    better: str
    otherwise: str = ""


#: The metrics of the table ``temporal``, by the name in its column ``metric``.
TEMPORAL_METRICS = {
    "nsd": TemporalMetric("NSD", "", "higher"),
    "flicker_per_s": TemporalMetric("Flicker", "1/s", "nearer to 0"),
    "onset_delay_ms": TemporalMetric("Onset delay", "ms", "lower", "never found"),
    "dropouts_per_min": TemporalMetric("Dropouts", "1/min", "lower", "never found"),
    "dropout_p95_ms": TemporalMetric("Dropout, 95th percentile", "ms", "lower", "never found"),
    "continuity": TemporalMetric("Continuity", "", "higher"),
    "ghosting_ms": TemporalMetric("Ghosting", "ms", "lower", "the reference never ends"),
    **{
        f"vc_correct_{frames}": TemporalMetric(
            f"VC correct ({frames})", "", "higher", f"no pixel keeps its label for {frames} frames"
        )
        for frames in VC_WINDOWS
    },
    "dtssd": TemporalMetric("dtSSD", "", "lower"),
    "area_inconsistency": TemporalMetric(
        "Area inconsistency", "", "lower", "never in three frames on end"
    ),
    "centroid_inconsistency": TemporalMetric(
        "Centroid inconsistency", "", "lower", "never in three frames on end"
    ),
    "lag_frames": TemporalMetric("Lag", "frames", "nearer to 0", "never overlaps, or too short"),
}


@dataclass(frozen=True, slots=True)
class TemporalScore:
    """One metric of one structure in one recording.

    Attributes:
        arm: the model's name in the comparison.
        fold: the split whose test set the recording is in.
        subject: who was scanned.
        recording: the recording's name.
        structure: which one.
        metric: one of :data:`TEMPORAL_METRICS`.
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
