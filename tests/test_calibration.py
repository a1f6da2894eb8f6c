"""Reliability, temperature and confidence, against drawn pixels and another library."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sonotempo.training  # noqa: F401  (mends torchvision, which torchmetrics needs)
from sonotempo.calibration import (
    BINS,
    LEAST_PIXELS,
    Reliability,
    calibration_error,
    fitted_temperature,
    structure_confidences,
)


def drawn(temperature, pixels=60_000, seed=0):
    """A mask of one structure whose pixels are right less often than their probability says."""
    random = np.random.default_rng(seed)
    logits = random.normal(2.0, 1.5, pixels).clip(-1.9, 9)
    right = random.random(pixels) < 1 / (1 + np.exp(-logits / temperature))
    probability = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return np.ones((1, pixels), np.uint8), probability[None], right[None].astype(np.uint8)


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.0, 5.0])
def test_the_temperature_of_drawn_pixels_is_found_and_mends_them(temperature):
    table = Reliability(1)
    table.add(*drawn(temperature))
    (found,) = table.temperatures()
    assert found == pytest.approx(temperature, rel=0.06)
    (raw,), (mended,) = table.errors(), table.errors((found,))
    assert mended < 0.012
    assert raw >= mended - 1e-3


def test_the_error_is_that_of_torchmetrics():
    from torchmetrics.functional.classification import binary_calibration_error

    mask, probability, reference = drawn(2.0)
    table = Reliability(1)
    table.add(mask, probability, reference)
    theirs = binary_calibration_error(
        torch.from_numpy(probability[0]), torch.from_numpy(reference[0].astype(int)), n_bins=15
    )
    # torchmetrics' binary error counts confidence as it is, too; ours is on a grid of logits.
    assert table.errors()[0] == pytest.approx(float(theirs), abs=0.003)


def test_structures_are_counted_apart_and_the_background_not_at_all():
    table = Reliability(3)
    mask = np.array([[0, 1, 1, 3]], np.uint8)
    table.add(mask, np.full(mask.shape, 0.9), np.array([[1, 1, 3, 3]], np.uint8))
    assert table.predicted_KB.sum(axis=1).tolist() == [2, 0, 1]
    assert table.right_KB.sum(axis=1).tolist() == [1, 0, 1]
    assert math.isnan(table.errors()[1])
    assert table.temperatures() == (1.0, 1.0, 1.0), "too few pixels for a fit"


def test_rows_of_weighted_counts_have_errors_of_their_own():
    counts = np.zeros((2, BINS), np.int64)
    right = np.zeros_like(counts)
    counts[0, -1], right[0, -1] = 100, 50
    error = calibration_error(counts, right)
    assert error[0] == pytest.approx(0.5, abs=0.01)
    assert np.isnan(error[1])


@given(st.integers(LEAST_PIXELS, 5000), st.floats(0, 1))
def test_any_counts_give_a_usable_temperature(pixels, share):
    predicted, right = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    predicted[BINS // 2], right[BINS // 2] = pixels, int(share * pixels)
    assert 0.25 <= fitted_temperature(predicted, right) <= 20


@given(st.lists(st.floats(0.5, 1.0, width=32), min_size=1, max_size=20), st.floats(0.3, 10))
def test_a_confidence_lies_in_its_range_and_a_higher_temperature_lowers_it(values, temperature):
    probability = np.array([values], np.float32)
    mask = np.ones(probability.shape, np.uint8)
    (raw,) = structure_confidences(mask, probability, 1, (1.0,))
    (scaled,) = structure_confidences(mask, probability, 1, (temperature,))
    assert 0.5 - 1e-3 <= scaled <= 1
    assert scaled <= raw + 1e-3 if temperature > 1 else scaled >= raw - 1e-3


def test_probabilities_of_0_and_1_are_values_too():
    mask = np.array([[1, 2]], np.uint8)
    found = structure_confidences(mask, np.array([[1.0, 0.0]], np.float32), 2, (2.0, 2.0))
    assert found[0] == pytest.approx(1, abs=2e-3)
    assert found[1] == pytest.approx(0, abs=2e-3)
    table = Reliability(2)
    table.add(mask, np.array([[1.0, 0.0]]), mask)
    assert table.predicted_KB.sum() == 2
