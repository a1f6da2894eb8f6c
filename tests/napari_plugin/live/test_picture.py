"""Masks in their places, and their disagreement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.live_results import result_of
from napari_sonotempo.live.picture import (
    Region,
    difference,
    disagreement,
    grid_mask,
    on_one_grid,
    shown_region,
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
    fit = fit_to((height, width), (row_mm, 0.1), Box(2, 3, height, width), size)
    mask_SS = np.zeros((size, size), np.uint8)
    mask_SS[: fit.content_rows // 2 + 1, : size // 2] = 1
    made = prediction(mask_SS, fit)
    mask = grid_mask(made, frozenset())
    region = mask.region
    steps = [
        side / count
        for side, count in zip((region.height, region.width), mask.labels_HW.shape, strict=True)
    ]
    rows, columns = np.nonzero(mask.labels_HW)
    on_grid = [
        first + (axis.mean() + 0.5) * step
        for axis, step, first in zip((rows, columns), steps, (region.top, region.left), strict=True)
    ]
    rows, columns = np.nonzero(made.mask_HW())
    in_frame = [rows.mean() + 0.5, columns.mean() + 0.5]
    # Within a pixel: of the grid or of the frame, whichever is larger.
    for one, other, step in zip(on_grid, in_frame, steps, strict=True):
        assert one == pytest.approx(other, abs=max(step, 1.0))


def test_rows_of_padding_are_left_out():
    fit = fit_to((20, 40), None, None, 32)
    mask = grid_mask(prediction(np.ones((32, 32), np.uint8), fit), frozenset())
    assert mask.labels_HW.shape == (16, 32)
    assert mask.region == Region(0, 0, 20, 40)


def test_hidden_structures_become_background():
    fit = fit_to((32, 32), None, None, 32)
    mask_SS = np.repeat(np.array([1, 2], np.uint8), 512).reshape(32, 32)
    mask = grid_mask(prediction(mask_SS, fit), frozenset({2}))
    assert set(np.unique(mask.labels_HW)) == {0, 1}


def test_masks_of_different_grids_are_compared_in_the_frames_shape():
    small, large = (fit_to((64, 64), None, None, size) for size in (16, 32))
    half = [np.zeros((size, size), np.uint8) for size in (16, 32)]
    for mask_SS in half:
        mask_SS[:, len(mask_SS) // 2 :] = 1
    masks = on_one_grid([prediction(half[0], small), prediction(half[1], large)], frozenset())
    assert [mask.labels_HW.shape for mask in masks] == [(64, 64)] * 2
    assert not disagreement(masks[0].labels_HW, masks[1].labels_HW).any()


def test_a_difference_needs_two_masks():
    masks = on_one_grid(result_of().predictions, frozenset())
    assert difference(masks[:1]) == ()
    (values,) = difference(masks)
    assert set(np.unique(values.labels_HW)) == {1, 2}


def test_the_ultrasound_image_is_shown_unless_the_whole_frame_is_wanted():
    result = result_of(area=Box(4, 8, 40, 60))
    assert shown_region(result, whole_frame=False) == Region(4, 8, 36, 52)
    assert shown_region(result, whole_frame=True) == Region(0, 0, 48, 64)
    assert shown_region(result_of(), whole_frame=False) == Region(0, 0, 48, 64)
