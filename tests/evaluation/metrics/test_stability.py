"""Stability on toy sequences worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sonotempo.evaluation.metrics.stability import (
    area_inconsistency,
    centroid_inconsistency,
    dtssd,
    lag_frames,
    vc_correct,
)


def blocks(*columns, width=4, height=4, size=20):
    """One frame for each column: a block of ``height`` by ``width`` pixels; None is empty."""
    masks_THW = np.zeros((len(columns), size, size), bool)
    for mask_HW, column in zip(masks_THW, columns, strict=True):
        if column is not None:
            mask_HW[5 : 5 + height, column : column + width] = True
    return masks_THW


def sized(*widths):
    """One frame for each width: a block of four rows that begins in column 2."""
    return np.concatenate([blocks(2 if width else None, width=width) for width in widths])


def test_only_foreground_that_lasts_and_is_right_is_correct():
    reference = blocks(2, 2, 2, 3)  # 16 pixels last in the first two windows of two, 12 in the last
    assert vc_correct(reference, reference, 2) == 1.0
    late = blocks(2, 2, 2, 2)  # covers the last window's 12 pixels in both frames
    assert vc_correct(late, reference, 2) == 1.0
    lost = blocks(2, None, 2, 3)
    assert vc_correct(lost, reference, 2) == pytest.approx((0 + 0 + 1) / 3)
    half = sized(2, 4, 4, 4)  # 8 of 16 pixels in the first window
    assert vc_correct(half, blocks(2, 2, 2, 2), 2) == pytest.approx((0.5 + 1 + 1) / 3)


def test_a_constant_wrong_prediction_is_constant_but_not_correct():
    assert vc_correct(blocks(12, 12, 12), blocks(2, 2, 2), 2) == 0.0
    assert vc_correct(blocks(None, None, None), blocks(2, 2, 2), 2) == 0.0


def test_windows_without_lasting_foreground_do_not_count():
    reference = blocks(2, 2, 12, 12)
    assert vc_correct(blocks(2, 2, 12, None), reference, 2) == pytest.approx((1 + 0) / 2)
    assert math.isnan(vc_correct(reference, reference, 3))
    assert math.isnan(vc_correct(reference, reference, 5))


def vspw_vc(prediction_THW, reference_THW, frames):
    """VC_n of VSPW's own definition on its two labels, for a reference that is all foreground."""
    shares = []
    for start in range(len(reference_THW) - frames + 1):
        window = slice(start, start + frames)
        constant = (reference_THW[window] == reference_THW[start]).all(0)
        stays = (prediction_THW[window] == prediction_THW[start]).all(0)
        shares.append((constant & stays).sum() / constant.sum())
    return np.mean(shares)


@settings(max_examples=30, deadline=None)
@given(arrays(bool, (6, 3, 4)), st.integers(1, 6))
def test_vc_correct_is_never_above_vspw_s_vc_where_all_is_foreground(prediction, frames):
    reference = np.ones_like(prediction)
    assert vc_correct(prediction, reference, frames) <= vspw_vc(prediction, reference, frames)


def test_freezing_is_as_bad_as_flicker():
    moves, stands = blocks(2, 6), blocks(2, 2)
    # 32 of 400 pixels change: 100 √(32 / 400).
    assert dtssd(stands, moves) == pytest.approx(100 * math.sqrt(32 / 400))
    assert dtssd(moves, stands) == pytest.approx(100 * math.sqrt(32 / 400))
    assert dtssd(moves, moves) == 0.0


def test_a_constant_error_does_not_move_and_an_opposite_move_counts_fourfold():
    assert dtssd(blocks(10, 10, 10), blocks(2, 2, 2)) == 0.0
    # 16 pixels vanish in one and appear in the other.
    assert dtssd(blocks(2, None), blocks(None, 2)) == pytest.approx(100 * math.sqrt(64 / 400))
    assert math.isnan(dtssd(blocks(2), blocks(2)))


def rvm_dtssd(pred_t, pred_before, true_t, true_before):
    """The formula of Robust Video Matting's evaluate_lr.py, on alphas of 0 and 1."""
    change = (pred_t - pred_before) - (true_t - true_before)
    return np.sqrt(np.sum(change**2) / true_t.size) * 100


@settings(max_examples=30, deadline=None)
@given(arrays(bool, (4, 5, 6)), arrays(bool, (4, 5, 6)))
def test_dtssd_is_robust_video_matting_s(prediction, reference):
    p, g = prediction.astype(float), reference.astype(float)
    expected = np.mean([rvm_dtssd(p[t], p[t - 1], g[t], g[t - 1]) for t in (1, 2, 3)])
    assert dtssd(prediction, reference) == pytest.approx(expected, abs=1e-9)


def test_areas_may_jump_as_much_as_the_reference_s_do():
    reference = sized(4, 5, 4, 4, 4)  # areas 16, 20, 16, 16, 16: the largest jump is 4 pixels
    assert area_inconsistency(reference, reference) == 0.0
    assert area_inconsistency(sized(4, 4, 5, 4, 4), reference) == 0.0
    # Jumps of 4, 8 and 4 pixels: only the middle one is larger.
    assert area_inconsistency(sized(4, 4, 6, 4, 4), reference) == pytest.approx(1 / 3)
    # A frame without a prediction has no area: jumps of 8, 16 and 8 pixels.
    assert area_inconsistency(sized(4, 4, 0, 4, 4), reference) == 1.0


def test_only_frames_within_the_structure_s_presence_are_judged():
    reference = sized(0, 4, 4, 4, 0, 0)
    assert area_inconsistency(sized(9, 4, 4, 4, 9, 0), reference) == 0.0
    assert math.isnan(area_inconsistency(reference, sized(4, 4, 0, 4, 4, 0)))


def test_centroids_may_jump_as_much_as_the_reference_s_do():
    reference = blocks(2, 3, 2, 2, 2)  # jumps of 1, ½ and 0 columns
    assert centroid_inconsistency(reference, reference) == 0.0
    assert centroid_inconsistency(blocks(9, 10, 9, 9, 9), reference) == 0.0
    assert centroid_inconsistency(blocks(2, 2, 5, 2, 2), reference) == pytest.approx(3 / 3)
    assert centroid_inconsistency(blocks(2, 4, 4, 4, 4), reference) == 0.0
    assert centroid_inconsistency(blocks(2, 5, 5, 5, 5), reference) == pytest.approx(1 / 3)
    down = np.roll(reference, 3, axis=1)
    down[2] = np.roll(down[2], 2, axis=0)  # two rows: jumps of 1, 2 and 1
    assert centroid_inconsistency(down, reference) == pytest.approx(3 / 3)


def test_centroids_need_three_predicted_frames_on_end():
    reference = blocks(2, 2, 2, 2, 2)
    assert math.isnan(centroid_inconsistency(blocks(2, 2, None, 2, 2), reference))
    assert centroid_inconsistency(blocks(2, 2, 2, None, 2), reference) == 0.0


@pytest.mark.parametrize("lag", [-2, 0, 1, 3])
def test_a_prediction_that_repeats_earlier_frames_lags_by_them(lag):
    columns = np.arange(12)
    moving = blocks(*columns.tolist())
    late = blocks(*np.clip(columns - lag, 0, 14).tolist())
    assert lag_frames(late, moving) == lag


def test_what_does_not_move_has_no_lag_to_see():
    assert lag_frames(blocks(*[4] * 9), blocks(*[3] * 9)) == 0.0


def test_lag_needs_an_overlap_and_three_frames():
    assert math.isnan(lag_frames(blocks(*[12] * 9), blocks(*[3] * 9)))
    assert math.isnan(lag_frames(blocks(*[None] * 9), blocks(*[3] * 9)))
    assert math.isnan(lag_frames(blocks(3, 3), blocks(3, 3)))


def test_labels_in_place_of_yes_and_no_are_refused():
    with pytest.raises(ValueError, match="labels == value"):
        dtssd(blocks(2, 2).astype(np.uint8), blocks(2, 2))
    with pytest.raises(ValueError, match="same frames"):
        dtssd(blocks(2, 2), blocks(2, 2, 2))
