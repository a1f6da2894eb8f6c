"""Masks in their places, disagreement, and where names belong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sonotempo.live.picture import (
    Mask,
    centres,
    columns_between,
    disagreement,
    grid_mask,
    on_one_grid,
    spread,
)
from sonotempo.live.models.onnx_predictor import GridPrediction
from sonotempo.preprocess import fit_to
from sonotempo.recording import Box


def prediction(mask_SS, fit):
    return GridPrediction(mask_SS, fit, 1, "frame")


@given(
    height=st.integers(20, 90),
    width=st.integers(20, 90),
    size=st.sampled_from([16, 32, 64]),
    row_mm=st.floats(0.05, 0.5),
)
def test_a_grid_mask_lies_where_the_mask_in_the_frames_shape_does(height, width, size, row_mm):
    spacing = (row_mm, 0.1)
    fit = fit_to((height, width), spacing, Box(2, 3, height, width), size)
    mask_SS = np.zeros((size, size), np.uint8)
    mask_SS[: fit.content_rows // 2 + 1, : size // 2] = 1
    made = prediction(mask_SS, fit)
    mask = grid_mask(made, spacing, frozenset())
    rows, columns = np.nonzero(mask.labels_HW)
    on_grid = [
        origin + axis.mean() * step
        for axis, step, origin in zip((rows, columns), mask.step, mask.origin, strict=True)
    ]
    rows, columns = np.nonzero(made.mask_HW())
    in_frame = [rows.mean() * spacing[0], columns.mean() * spacing[1]]
    # Within a pixel: of the grid or of the frame, whichever is larger.
    for one, other, step, pixel in zip(on_grid, in_frame, mask.step, spacing, strict=True):
        assert one == pytest.approx(other, abs=max(step, pixel))


def test_rows_of_padding_are_left_out():
    fit = fit_to((20, 40), None, None, 32)
    mask_SS = np.ones((32, 32), np.uint8)
    assert grid_mask(prediction(mask_SS, fit), (1, 1), frozenset()).labels_HW.shape == (16, 32)


def test_hidden_structures_become_background():
    fit = fit_to((32, 32), None, None, 32)
    mask_SS = np.repeat(np.array([1, 2], np.uint8), 512).reshape(32, 32)
    mask = grid_mask(prediction(mask_SS, fit), (1, 1), frozenset({2}))
    assert set(np.unique(mask.labels_HW)) == {0, 1}


def test_masks_of_different_grids_are_compared_in_the_frames_shape():
    small, large = (fit_to((64, 64), None, None, size) for size in (16, 32))
    half = [np.zeros((size, size), np.uint8) for size in (16, 32)]
    for mask_SS in half:
        mask_SS[:, len(mask_SS) // 2 :] = 1
    masks = on_one_grid(
        [prediction(half[0], small), prediction(half[1], large)], (1.0, 1.0), frozenset()
    )
    assert [mask.labels_HW.shape for mask in masks] == [(64, 64)] * 2
    assert not disagreement(masks[0].labels_HW, masks[1].labels_HW).any()


def test_the_centre_is_that_of_the_largest_region():
    labels_HW = np.zeros((64, 64), np.uint8)
    labels_HW[4:8, 4:8] = 1
    labels_HW[40:60, 20:40] = 1
    found = centres(Mask(labels_HW, (0.5, 0.5), (0.0, 10.0)), 2)
    assert found[0] == pytest.approx((24.5, 24.5), abs=0.6)
    assert np.isnan(found[1]).all()


@given(st.integers(100, 1000), st.floats(0.3, 8.0))
def test_a_picture_and_its_mask_are_not_shifted_against_each_other(width, step):
    columns = columns_between(width, step, 0.04 * width)
    offset = columns * step
    assert offset >= 1.04 * width
    assert abs(offset - round(offset)) <= 0.5


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 20)), min_size=1, max_size=8))
def test_no_name_lies_over_another(places):
    names = ["nerve"] * len(places)
    moved = spread(np.array(places), names, 1.0)
    for i in range(len(moved)):
        for j in range(i):
            is_over = abs(moved[i, 1] - moved[j, 1]) < 0.62 * 5
            assert not is_over or abs(moved[i, 0] - moved[j, 0]) > 1 - 1e-6
