import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sonotempo.evaluation.metrics.boundary import hausdorff_95, surface_dice

SQUARE = np.zeros((40, 40), bool)
SQUARE[10:20, 10:20] = True
EMPTY = np.zeros((40, 40), bool)


def monai(function, prediction_HW, reference_HW, *arguments, **more):
    """Call one of MONAI's metrics on one structure."""
    import torch

    from sonotempo._torchvision import ensure_torchvision

    ensure_torchvision()
    from monai import metrics

    both = (
        torch.from_numpy(mask[None, None].astype(np.float32))
        for mask in (prediction_HW, reference_HW)
    )
    return getattr(metrics, function)(*both, *arguments, include_background=True, **more).item()


def test_boundaries_within_the_tolerance_agree_and_others_do_not():
    shifted = np.roll(SQUARE, 2, axis=1)
    assert surface_dice(shifted, SQUARE, (0.5, 0.5), 1.0) == 1.0
    # Of 36 pixels each, rows 10 and 19 share columns 12 to 19.
    assert surface_dice(shifted, SQUARE, (0.5, 0.5), 0.0) == pytest.approx(2 * 16 / 72)


def test_spacing_is_that_of_rows_and_columns():
    shifted = np.roll(SQUARE, 1, axis=0)
    assert surface_dice(shifted, SQUARE, (0.5, 3.0), 0.5) == 1.0
    assert surface_dice(shifted, SQUARE, (3.0, 0.5), 0.5) < 1.0


def test_a_structure_that_is_only_predicted_or_only_there_scores_0_and_neither_is_undefined():
    assert surface_dice(SQUARE, EMPTY, (1, 1), 1) == 0.0
    assert surface_dice(EMPTY, SQUARE, (1, 1), 1) == 0.0
    assert math.isnan(surface_dice(EMPTY, EMPTY, (1, 1), 1))


def test_masks_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="same network grid"):
        surface_dice(SQUARE, SQUARE[1:], (1, 1), 1)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=40, deadline=None)
@given(
    arrays(bool, (9, 11)),
    arrays(bool, (9, 11)),
    st.tuples(st.floats(0.1, 2), st.floats(0.1, 2)),
    st.floats(0.05, 3),
)
def test_values_are_monai_s(prediction_HW, reference_HW, spacing_mm, tolerance_mm):
    ours = surface_dice(prediction_HW, reference_HW, spacing_mm, tolerance_mm)
    theirs = monai(
        "compute_surface_dice", prediction_HW, reference_HW, [tolerance_mm], spacing=spacing_mm
    )
    assert ours == pytest.approx(theirs, abs=1e-6, nan_ok=True)


def test_the_hausdorff_distance_is_in_millimetres_of_rows_and_columns():
    shifted = np.roll(SQUARE, 2, axis=0)
    assert hausdorff_95(shifted, SQUARE, (0.5, 3.0)) == pytest.approx(1.0)
    assert hausdorff_95(SQUARE, SQUARE, (0.5, 3.0)) == 0.0


def test_a_few_far_pixels_do_not_set_the_95th_percentile_but_many_do():
    speck, block = SQUARE.copy(), SQUARE.copy()
    speck[35, 35] = True
    block[30:38, 30:38] = True
    assert hausdorff_95(speck, SQUARE, (1, 1)) == 0.0
    assert hausdorff_95(block, SQUARE, (1, 1)) > 15
    assert hausdorff_95(block, SQUARE, (1, 1)) == hausdorff_95(SQUARE, block, (1, 1))


def test_a_structure_that_is_missed_or_invented_has_no_distance():
    for masks in ((SQUARE, EMPTY), (EMPTY, SQUARE), (EMPTY, EMPTY)):
        assert math.isnan(hausdorff_95(*masks, (1, 1)))
    with pytest.raises(ValueError, match="same network grid"):
        hausdorff_95(SQUARE, SQUARE[1:], (1, 1))


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=40, deadline=None)
@given(
    arrays(bool, (9, 11)).filter(np.any),
    arrays(bool, (9, 11)).filter(np.any),
    st.tuples(st.floats(0.1, 2), st.floats(0.1, 2)),
)
def test_hausdorff_distances_are_monai_s(prediction_HW, reference_HW, spacing_mm):
    theirs = monai(
        "compute_hausdorff_distance",
        prediction_HW,
        reference_HW,
        percentile=95,
        spacing=spacing_mm,
    )
    # MONAI interpolates between distances in 32 bits.
    ours = hausdorff_95(prediction_HW, reference_HW, spacing_mm)
    assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-5)
