"""Dragging a box and setting ticks, as plain values."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonotempo.recording import Box
from sonotempo.sector import Sector

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from napari_sonotempo.live.framing.draft import Draft

SHAPE = (200, 300)
BEGUN = Box(50, 60, 150, 260)


def draft(**more):
    return Draft(SHAPE, BEGUN, **more)


def pulled(one, begin, end):
    return one.pressed(begin, 5).dragged(end).released()


@pytest.mark.parametrize(
    ("begin", "end", "box"),
    [
        ((50, 160), (40, 160), Box(40, 60, 150, 260)),
        ((148, 258), (170, 290), Box(50, 60, 172, 292)),
        ((100, 62), (100, 0), Box(50, 0, 150, 260)),
        ((100, 160), (110, 150), Box(60, 50, 160, 250)),
        ((100, 160), (900, 900), Box(100, 100, 200, 300)),
        ((10, 10), (40, 40), Box(10, 10, 40, 40)),
        ((10, 10), (12, 12), BEGUN),
        ((50, 160), (500, 160), Box(142, 60, 150, 260)),
    ],
)
def test_edges_corners_all_or_a_new_box(begin, end, box):
    assert pulled(draft(), begin, end).box == box


places = st.tuples(st.floats(-50, 250), st.floats(-50, 350))


@given(st.lists(st.tuples(places, places), max_size=6))
def test_the_box_stays_in_the_frame_whatever_is_dragged(drags):
    one = draft()
    for begin, end in drags:
        one = pulled(one, begin, end)
        assert one.held is None
        box = one.box
        assert 0 <= box.top < box.bottom <= SHAPE[0]
        assert 0 <= box.left < box.right <= SHAPE[1]
        one.framing(0.1)


def test_ticks_are_set_dragged_and_begun_again():
    one = draft(tool="ruler").pressed((10, 20), 5).released().pressed((110, 20), 5).released()
    assert one.ticks == ((10, 20), (110, 20))
    assert pulled(one, (108, 22), (120, 20)).ticks == ((10, 20), (120, 20))
    assert one.pressed((60, 60), 5).ticks == ((60, 60),)
    assert one.box == BEGUN


def test_the_whole_frame_is_no_area():
    assert Draft.of(SHAPE, None).area is None
    assert draft().area == BEGUN


def test_a_sector_follows_the_last_row_of_the_box_until_it_is_refused():
    wedge = Sector(-20.0, 160.0, 80.0, 150.0, -0.5, 0.5)
    one = Draft.of(SHAPE, BEGUN, wedge)
    one = pulled(one, (150, 160), (180, 160))
    assert one.framing(None).sector.outer_px == 200
