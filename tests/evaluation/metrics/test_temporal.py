import math

import numpy as np
import pytest

from sonotempo.evaluation.metrics.temporal import (
    StructureRun,
    dense_run,
    temporal_values,
)
from sonotempo.evaluation.scoring.temporal_table import (
    TEMPORAL_COLUMNS,
    TemporalScore,
    temporal_table,
)
from sonotempo.measures import TEMPORAL


def run(tp, fp=0, fn=0, period_ms=100):
    count = len(tp)
    masks = np.zeros((count, 8, 8), bool)
    masks[:, 2:6, 2:6] = True
    tp_T = np.array(tp)
    return StructureRun(
        masks & (tp_T > 0)[:, None, None],
        masks,
        tp_T,
        np.broadcast_to(fp, count),
        np.broadcast_to(fn, count),
        np.arange(count) * period_ms * 1_000_000,
    )


def test_dense_labels_are_a_run_that_holds_half_of_them():
    assert dense_run(range(10)) == range(10)
    assert dense_run([0, 1, 5, 6, 7, 8]) == range(2, 6)
    assert dense_run([0, 1]) is None
    assert dense_run([]) is None
    assert dense_run(range(0, 100, 10)) is None


def test_every_metric_has_a_value_or_a_reason():
    for given in (run([1] * 20), run([0] * 20, fn=1), run([0] * 20), run([1, 0, 1], fn=[0, 1, 0])):
        values = temporal_values(given)
        assert list(values) == [one.name for one in TEMPORAL]
        assert not any(isinstance(value, float) and math.isnan(value) for value in values.values())


def test_what_is_never_found_has_no_delay_but_no_continuity_either():
    values = temporal_values(run([0] * 20, fn=1))
    assert values["onset_delay_ms"] == values["dropouts_per_min"] == "never found"
    assert values["continuity"] == 0.0
    assert values["vc_correct_8"] == 0.0
    assert values["flicker_per_s"] == 0.0


def test_a_structure_that_is_never_there_has_no_temporal_metrics():
    assert set(temporal_values(run([0] * 20, fp=1)).values()) == {"structure absent"}


def test_a_short_run_has_no_long_windows():
    values = temporal_values(run([1] * 9))
    assert values["vc_correct_8"] == 1.0
    assert values["vc_correct_16"] == "no pixel keeps its label for 16 frames"


def test_metrics_in_seconds_need_time_stamps_that_increase():
    values = temporal_values(run([1] * 9, period_ms=0))
    assert values["flicker_per_s"] == values["ghosting_ms"] == "time stamps do not increase"
    assert values["dtssd"] == 0.0


def test_a_score_without_a_value_needs_a_reason_and_one_with_a_value_has_none():
    keys = ("frame", 0, "anna", "anna/one", "nerve", "dtssd")
    table = temporal_table([TemporalScore(*keys, 1.5, ""), TemporalScore(*keys, math.nan, "why")])
    assert tuple(table.columns) == TEMPORAL_COLUMNS
    assert table.value.dtype == np.float64
    assert temporal_table([]).dtypes.equals(table.dtypes)
    for value, reason in ((math.nan, ""), (1.0, "why")):
        with pytest.raises(ValueError, match="exactly where there is no value"):
            TemporalScore(*keys, value, reason)
