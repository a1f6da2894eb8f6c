"""Every temporal metric of a recording: its value, or why there is none.

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
from sonotempo.measures import TEMPORAL, Measure
from sonotempo.recording import consecutive_runs

#: The fewest consecutive labelled frames that temporal metrics are measured on.
DENSE_FRAMES = 3

#: How many frames the windows of VC_correct are long, as VSPW's.
VC_WINDOWS = (8, 16)

#: Why there is no value, in the words that tables and reports show.
SPARSE = "sparse labels"
ABSENT = "structure absent"
NO_TIME = "time stamps do not increase"


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
    """Return every measure of :data:`sonotempo.measures.TEMPORAL`, or why it has no value."""
    present_T = run.tp_T + run.fn_T > 0
    if not present_T.any():
        return without_values(ABSENT)
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
    for metric, (value_of, flags_T) in timed.items():
        values[metric] = value_of(flags_T, present_T, times_ns) if has_time else NO_TIME
    return {one.name: _or_reason(one, values[one.name]) for one in TEMPORAL}


def without_values(reason: str) -> dict[str, float | str]:
    """Return one reason in place of every temporal measure."""
    return {one.name: reason for one in TEMPORAL}


def _or_reason(measure: Measure, value: float | str) -> float | str:
    undefined = isinstance(value, float) and math.isnan(value)
    return measure.undefined if undefined else value
