import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from sonotempo.errors import RecordingError
from sonotempo.exchange.filled import filled
from sonotempo.exchange.outlines import outlines

BINARY = hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@given(BINARY)
@settings(max_examples=150, deadline=None)
def test_filled_outlines_are_the_mask_unless_it_has_holes(mask_HW):
    found = outlines(mask_HW)
    solid_HW = ndimage.binary_fill_holes(mask_HW, np.ones((3, 3)))
    assert found.has_holes == bool((solid_HW != mask_HW).any())
    if mask_HW.any() and not found.has_holes:
        flat = [[number for xy in part for number in xy] for part in found.outer]
        np.testing.assert_array_equal(filled(flat, mask_HW.shape, "a"), mask_HW)


def test_nothing_has_no_outline():
    assert outlines(np.zeros((3, 4), bool)).outer == ()


def test_parts_that_touch_at_a_corner_are_separate():
    found = outlines(np.eye(3, dtype=bool))
    assert len(found.outer) == 3
    assert all(len(part) == 4 for part in found.outer)


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        ([1, 1, 3, 3], "a polygon of 4 numbers; expected x and y of at least 3 corners"),
        ([1, 1, 3, 3, 5, 5, 6], "a polygon of 7 numbers"),
        ([[1, 1], [3, 3], [5, 5]], "a polygon of 6 numbers"),
        ([1, 1, 3, "x", 5, 5], "corners are no numbers"),
        ([1, 1, 3, float("nan"), 5, 5], "corners are not finite"),
    ],
)
def test_what_is_no_polygon_is_named(polygon, message):
    with pytest.raises(RecordingError, match=rf"a\.json holds .*{message}"):
        filled([polygon], (9, 9), "a.json")


def test_corners_far_outside_cost_no_memory():
    found_HW = filled([[-1e12, -1e12, 1e12, -1e12, 1e12, 1e12, -1e12, 1e12]], (5, 7), "a.json")
    assert found_HW.all()
