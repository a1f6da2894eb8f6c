import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.path import Path as Polygon

from sonotempo.evaluation.report.page.outlines import _ALPHABET, _DIRECTIONS, outlines_of

SIDE = 9


def points_of(code):
    """Decode an outline into its corners, in pixels from the centre of the first pixel."""
    x, y, pairs = code.split(",")
    steps = [step for pair in map(_ALPHABET.index, pairs) for step in divmod(pair, 8)]
    moves = [_DIRECTIONS[step] for step in steps]
    halves = [(dx, dy) if dx and dy else (2 * dx, 2 * dy) for dx, dy in moves]
    return np.cumsum([(int(x), int(y)), *halves], axis=0) / 2


def filled(outlines, shape_HW):
    """Fill outlines as a canvas does, by the even-odd rule."""
    rows, columns = np.indices(shape_HW)
    centres_N2 = np.stack([columns.ravel(), rows.ravel()], axis=1)
    mask_HW = np.zeros(shape_HW, np.uint8)
    for label in {label for label, _ in outlines}:
        crossed = np.zeros(rows.size, int)
        for _, code in (one for one in outlines if one[0] == label):
            crossed += Polygon(points_of(code)).contains_points(centres_N2)
        mask_HW[(crossed % 2 == 1).reshape(shape_HW)] = label
    return mask_HW


@given(arrays(np.uint8, (SIDE, SIDE), elements=st.integers(0, 3)))
def test_outlines_enclose_exactly_the_mask_they_were_made_from(mask_HW):
    np.testing.assert_array_equal(filled(outlines_of(mask_HW), mask_HW.shape), mask_HW)


@given(arrays(np.uint8, (SIDE, SIDE), elements=st.integers(0, 1)))
def test_every_outline_is_closed_by_one_last_step(mask_HW):
    for _, code in outlines_of(mask_HW):
        points_N2 = points_of(code)
        assert np.abs(points_N2[-1] - points_N2[0]).max() <= 1


def test_a_hole_is_an_outline_of_its_own():
    mask_HW = np.ones((5, 5), np.uint8)
    mask_HW[2, 2] = 0
    assert [label for label, _ in outlines_of(mask_HW)] == [1, 1]


def test_an_empty_mask_has_no_outlines():
    assert outlines_of(np.zeros((4, 4), np.uint8)) == []


def test_a_large_disc_takes_few_bytes():
    rows, columns = np.ogrid[:256, :256]
    disc_HW = ((rows - 128) ** 2 + (columns - 128) ** 2 < 40**2).astype(np.uint8)
    [(_, code)] = outlines_of(disc_HW)
    assert len(code) < 200


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 3), (3, 0), (3, 3)])
def test_a_pixel_in_a_corner_is_enclosed_too(row, column):
    mask_HW = np.zeros((4, 4), np.uint8)
    mask_HW[row, column] = 1
    [(_, code)] = outlines_of(mask_HW)
    points_N2 = points_of(code)
    middle = (points_N2.min(axis=0) + points_N2.max(axis=0)) / 2
    np.testing.assert_array_equal(middle, [column, row])
