"""Every measure has what its users derive from it."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from pydantic import ValidationError

from sonotempo.config import EvaluateConfig
from sonotempo.errors import ConfigError
from sonotempo.evaluation.scoring.frames import score_frame
from sonotempo.measures import COMPARED, TEMPORAL, TESTABLE, OfFrames, measure
from sonotempo.structures import structure_set


def test_names_and_titles_are_unique_and_records_can_be_written_as_json():
    every = (*COMPARED, *TEMPORAL)
    for field in ("name", "title"):
        assert len({getattr(one, field) for one in every}) == len(every)
    assert json.dumps([asdict(one) for one in every], allow_nan=False)


def test_every_mean_over_frames_has_a_column_that_is_scored():
    empty_HW = np.zeros((8, 8), np.uint8)
    (score,) = score_frame(empty_HW, empty_HW, structure_set(["nerve"]), EvaluateConfig())
    columns = {one.aggregation.column for one in COMPARED if isinstance(one.aggregation, OfFrames)}
    assert set(score.values) == columns


def test_compared_measures_have_a_direction_that_a_sign_can_show():
    assert {one.better for one in COMPARED} <= {"higher", "lower"}
    assert all(one.undefined for one in COMPARED)


@pytest.mark.parametrize(
    "given", [{"primary_metrics": ["dise"]}, {"equivalence_margins": {"dise": 0.1}}]
)
def test_unknown_metrics_are_refused_with_the_options(given):
    with pytest.raises(ValidationError, match=rf"did you mean 'dice'\? Options: {TESTABLE[0]}, "):
        EvaluateConfig(**given)


def test_measures_over_time_cannot_be_primary():
    with pytest.raises(ValidationError, match="unknown metric 'continuity'"):
        EvaluateConfig(primary_metrics=["continuity"])
    with pytest.raises(ConfigError, match="unknown measure 'hd'"):
        measure("hd")


def test_margins_are_positive_numbers_in_the_unit_of_the_metric():
    assert EvaluateConfig(equivalence_margins={"dice": 2.5}).equivalence_margins == {"dice": 2.5}
    with pytest.raises(ValidationError, match="greater than 0"):
        EvaluateConfig(equivalence_margins={"dice": 0})
