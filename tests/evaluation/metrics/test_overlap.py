"""Dice by hand, on random masks, and against MONAI."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sonotempo.evaluation.metrics.overlap import PixelOverlap, pixel_overlaps

LABELS = arrays(np.uint8, (6, 8), elements=st.integers(0, 3))


def test_dice_is_twice_the_intersection_over_both_areas():
    assert PixelOverlap(3, 4, 6).dice == pytest.approx(0.6)


def test_dice_of_an_absent_structure_is_nan_and_of_a_one_sided_one_0():
    assert math.isnan(PixelOverlap(0, 0, 0).dice)
    assert PixelOverlap(0, 5, 0).dice == 0
    assert PixelOverlap(0, 0, 5).dice == 0


def test_every_structure_is_measured_apart():
    prediction = np.array([[1, 1, 2], [0, 3, 3]], np.uint8)
    reference = np.array([[1, 2, 2], [0, 0, 3]], np.uint8)
    assert pixel_overlaps(prediction, reference, 4) == (
        PixelOverlap(1, 2, 1),
        PixelOverlap(1, 1, 2),
        PixelOverlap(1, 2, 1),
        PixelOverlap(0, 0, 0),
    )


def test_many_structures_do_not_wrap_around_in_8_bits():
    labels = np.full((3, 3), 200, np.uint8)
    assert pixel_overlaps(labels, labels, 200)[-1] == PixelOverlap(9, 9, 9)


def test_a_wrong_mask_is_named():
    labels = np.full((3, 3), 5, np.uint8)
    with pytest.raises(
        ValueError, match="the prediction holds labels from 0 to 5; expected 0 to 3"
    ):
        pixel_overlaps(labels, labels, 3)
    with pytest.raises(ValueError, match="same network grid"):
        pixel_overlaps(labels, labels[:2], 5)


@given(LABELS, LABELS)
def test_dice_is_symmetric_and_between_0_and_1(one, other):
    there, back = pixel_overlaps(one, other, 3), pixel_overlaps(other, one, 3)
    for a, b in zip(there, back, strict=True):
        assert a.dice == b.dice or (math.isnan(a.dice) and math.isnan(b.dice))
        assert math.isnan(a.dice) or 0 <= a.dice <= 1


@given(LABELS)
def test_a_perfect_prediction_has_dice_of_1(labels):
    for overlap in pixel_overlaps(labels, labels, 3):
        assert overlap.dice == 1 if overlap.reference_px else math.isnan(overlap.dice)


def test_dice_agrees_with_monai():
    metrics = pytest.importorskip("monai.metrics")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(7)
    for _ in range(20):
        # Absent structures included: each label is dropped from each mask now and then.
        masks = [rng.integers(0, 4, (32, 32)) * (rng.random((32, 32)) < 0.7) for _ in range(2)]
        masks = [np.where(labels == rng.integers(1, 8), 0, labels) for labels in masks]
        one_hot = [
            torch.stack([torch.from_numpy(labels == k) for k in range(4)])[None].float()
            for labels in masks
        ]
        theirs = metrics.compute_dice(*one_hot, include_background=False, ignore_empty=False)
        both_empty_is_1 = theirs[0].numpy()
        for overlap, expected in zip(pixel_overlaps(*masks, 3), both_empty_is_1, strict=True):
            if overlap.predicted_px + overlap.reference_px == 0:
                assert math.isnan(overlap.dice)
                assert expected == 1
            else:
                assert overlap.dice == pytest.approx(expected, abs=1e-6)
