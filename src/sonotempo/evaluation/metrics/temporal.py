"""Every temporal metric of a recording, in one table: the names, the units, when there is no value.

The metrics are those of :mod:`~sonotempo.evaluation.metrics.presence` and
:mod:`~sonotempo.evaluation.metrics.stability`. They need dense labels: they are measured on the
longest run of consecutive labelled frames (no frame number missing), which has to be at least
:data:`DENSE_FRAMES` long and to hold at least half of the recording's labelled frames. Otherwise,
and where the reference never shows the structure, there is no value but a reason; whether there is
one hardly depends on the prediction, so that arms can be paired.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonotempo.evaluation.metrics.presence import (
    continuity,
    dropout_p95_ms,
    dropouts_per_min,
    flicker_per_s,
    ghosting_ms,
    onset_delay_ms,
)
from sonotempo.evaluation.metrics.stability import (
    area_inconsistency,
    centroid_inconsistency,
    dtssd,
    lag_frames,
    vc_correct,
)
from sonotempo.recording import consecutive_runs

#: The fewest consecutive labelled frames that temporal metrics are measured on.
DENSE_FRAMES = 3

#: How many frames the windows of VC_correct are long, as VSPW's.
VC_WINDOWS = (8, 16)

#: Why there is no value, in the words that tables and reports show.
SPARSE = "sparse labels"
ABSENT = "structure absent"
NO_SPACING = "no spacing"
NO_TIME = "time stamps do not increase"


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


@dataclass(frozen=True, slots=True, eq=False)
class StructureRun:
    """One structure in a run of T consecutive labelled frames.

    Attributes:
        prediction_TSS: bool, where it was predicted, on the network grid.
        reference_TSS: bool, where it is.
        tp_T: predicted regions that are true positives, in each frame.
        fp_T: those that are false positives.
        fn_T: reference regions that were missed.
        timestamps_ns: int64, one per frame.
    """

    prediction_TSS: NDArray[np.bool_]
    reference_TSS: NDArray[np.bool_]
    tp_T: NDArray[np.int64]
    fp_T: NDArray[np.int64]
    fn_T: NDArray[np.int64]
    timestamps_ns: NDArray[np.int64]


def dense_run(frame_numbers: ArrayLike) -> range | None:
    """Return the positions of the longest run of consecutive frames, or None if labels are sparse.

    Args:
        frame_numbers: int [M], the numbers of the labelled frames, increasing.

    >>> dense_run([4, 5, 6, 7, 20])
    range(0, 4)
    >>> dense_run([0, 10, 20, 21, 22, 30, 40, 50]) is None  # three of eight by accident
    True
    """
    numbers = np.asarray(frame_numbers, np.int64)
    if not len(numbers):
        return None
    longest = max(consecutive_runs(numbers), key=len)
    enough = len(longest) >= DENSE_FRAMES and 2 * len(longest) >= len(numbers)
    return longest if enough else None


def temporal_values(run: StructureRun) -> dict[str, float | str]:
    """Measure every metric of :data:`TEMPORAL_METRICS` but NSD: its value, or why it has none."""
    present_T = run.tp_T + run.fn_T > 0
    if not present_T.any():
        return {metric: ABSENT for metric in TEMPORAL_METRICS if metric != "nsd"}
    predicted_T, found_T = run.tp_T + run.fp_T > 0, run.tp_T > 0
    masks, times_ns = (run.prediction_TSS, run.reference_TSS), run.timestamps_ns
    values: dict[str, float | str] = {
        "continuity": continuity(found_T, present_T),
        **{f"vc_correct_{frames}": vc_correct(*masks, frames) for frames in VC_WINDOWS},
        "dtssd": dtssd(*masks),
        "area_inconsistency": area_inconsistency(*masks),
        "centroid_inconsistency": centroid_inconsistency(*masks),
        "lag_frames": lag_frames(*masks),
    }
    timed = {
        "flicker_per_s": (flicker_per_s, predicted_T),
        "onset_delay_ms": (onset_delay_ms, found_T),
        "dropouts_per_min": (dropouts_per_min, found_T),
        "dropout_p95_ms": (dropout_p95_ms, found_T),
        "ghosting_ms": (ghosting_ms, run.fp_T > 0),
    }
    has_time = bool(np.all(np.diff(times_ns) > 0))
    for metric, (measure, flags_T) in timed.items():
        values[metric] = measure(flags_T, present_T, times_ns) if has_time else NO_TIME
    return {
        metric: _or_reason(metric, values[metric])
        for metric in TEMPORAL_METRICS
        if metric in values
    }


def _or_reason(metric: str, value: float | str) -> float | str:
    undefined = isinstance(value, float) and math.isnan(value)
    return TEMPORAL_METRICS[metric].otherwise if undefined else value
