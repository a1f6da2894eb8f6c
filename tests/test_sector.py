"""The shape of a curved or phased array's image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonotempo.errors import RecordingError
from sonotempo.preprocess import fit_to
from sonotempo.recording import Box
from sonotempo.sector import Sector

WEDGE = Sector(10.0, 100.0, 20.0, 150.0, -0.6, 0.6)


@given(st.floats(-0.6, 0.6), st.floats(20, 150))
def test_what_is_between_the_arcs_and_the_sides_is_inside(angle, radius):
    row, column = 10 + radius * np.cos(angle), 100 + radius * np.sin(angle)
    rows, columns = np.array([row]), np.array([column])
    is_inside = bool(WEDGE.inside(rows, columns)[0, 0])
    edge = min(abs(radius - 20), abs(radius - 150), (0.6 - abs(angle)) * radius)
    assert is_inside or edge < 1e-6


@pytest.mark.parametrize(
    ("row", "column"), [(15, 100), (170, 100), (60, 20), (60, 180), (-80, 100)]
)
def test_what_is_beyond_is_not(row, column):
    assert not WEDGE.inside(np.array([row + 0.0]), np.array([column + 0.0]))[0, 0]


@pytest.mark.parametrize(
    "numbers",
    [
        (0, 0, 5, 4, -0.1, 0.1),
        (0, 0, -1, 4, -0.1, 0.1),
        (0, 0, 1, 4, 0.1, -0.1),
        (0, 0, 1, 4, -2, 0.1),
        (0, 0, 1, float("nan"), -0.1, 0.1),
        (float("inf"), 0, 1, 4, -0.1, 0.1),
    ],
)
def test_nonsense_is_refused(numbers):
    with pytest.raises(RecordingError, match="is no sector"):
        Sector(*map(float, numbers))


def test_the_network_neither_sees_nor_segments_what_is_outside():
    area = Box(20, 10, 160, 190)
    fit = fit_to((180, 200), None, area, 64, 1.0, WEDGE)
    seen_SS = fit.image(np.full((180, 200), 99, np.uint8))
    assert 0.3 < (seen_SS == 99).mean() < 0.9
    assert set(np.unique(seen_SS)) == {0, 99}
    back_HW = fit.mask_back(np.ones((64, 64), np.uint8))
    inside_HW = WEDGE.inside(np.arange(180.0), np.arange(200.0))
    inside_HW[:20] = inside_HW[160:] = False
    agreed = (back_HW == 1) == inside_HW
    assert agreed.mean() > 0.97, "to the grid's resolution"
    assert not fit.mask(np.ones((180, 200), np.uint8))[0, 0]
