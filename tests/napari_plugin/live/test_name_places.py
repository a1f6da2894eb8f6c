"""Names keep off every structure and off each other, and do not jump."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sonotempo.live.name_places import NamePlaces, largest_regions

LINE = (0.05, 0.04)
ALL = ((0.0, 0.0), (1.0, 1.0))
SIZES = dict.fromkeys((1, 2, 3), (0.05, 0.2))


def mask_of(*boxes):
    """Boxes of top, left, bottom, right for the labels 1, 2…"""
    labels_HW = np.zeros((96, 96), np.uint8)
    for label, (top, left, bottom, right) in enumerate(boxes, start=1):
        labels_HW[top:bottom, left:right] = label
    return labels_HW


def pixels(labels_HW, one, size):
    """The part of a mask that a name covers."""
    sides = labels_HW.shape
    low = [int((one.centre[axis] - size[axis] / 2) * sides[axis]) for axis in (0, 1)]
    high = [int(np.ceil((one.centre[axis] + size[axis] / 2) * sides[axis])) for axis in (0, 1)]
    return labels_HW[low[0] : high[0], low[1] : high[1]]


box = st.tuples(st.integers(0, 80), st.integers(0, 80)).flatmap(
    lambda at: st.tuples(
        st.just(at[0]), st.just(at[1]), st.integers(at[0] + 2, 96), st.integers(at[1] + 2, 96)
    )
)


@settings(max_examples=60)
@given(st.lists(box, min_size=1, max_size=3))
def test_no_name_lies_over_a_structure_or_another_name_or_leaves_the_picture(boxes):
    labels_HW = mask_of(*boxes)
    placed = NamePlaces().place(labels_HW, SIZES, LINE, ALL)
    for number, one in enumerate(placed):
        size = SIZES[one.label]
        assert not pixels(labels_HW, one, size).any()
        for axis in (0, 1):
            assert size[axis] / 2 <= one.centre[axis] <= 1 - size[axis] / 2
        for other in placed[:number]:
            assert any(abs(one.centre[axis] - other.centre[axis]) >= size[axis] for axis in (0, 1))


def test_the_leader_line_ends_on_the_structure():
    labels_HW = mask_of((30, 30, 40, 40))
    (one,) = NamePlaces().place(labels_HW, SIZES, LINE, ALL)
    row, column = (int(share * 96) for share in one.tip)
    assert labels_HW[row, column] == 1


def test_a_name_follows_its_structure_without_changing_sides():
    places = NamePlaces()
    offsets = []
    for shift in range(20):
        labels_HW = mask_of((30, 20 + shift, 40, 30 + shift), (60, 60, 70, 70))
        one = next(one for one in places.place(labels_HW, SIZES, LINE, ALL) if one.label == 1)
        offsets.append(one.centre[1] - (25 + shift) / 96)
    # It lags behind a little, and stays to the same side.
    assert max(offsets) - min(offsets) < 0.05


def test_a_name_comes_back_when_a_closer_place_has_been_free_for_a_while():
    places = NamePlaces()
    free = mask_of((40, 40, 50, 50))

    def distance(labels_HW):
        (one,) = (one for one in places.place(labels_HW, SIZES, LINE, ALL) if one.label == 1)
        return abs(one.centre[0] - 0.47) + abs(one.centre[1] - 0.47)

    blocked = mask_of((40, 40, 50, 50), (40, 52, 50, 96), (40, 0, 50, 38))
    blocked[30:39, 20:76] = 2
    blocked[51:62, 20:76] = 2
    far = distance(blocked)
    assert distance(free) == far  # not at once
    for _ in range(30):
        near = distance(free)
    assert near < far


def test_a_structure_without_room_gets_no_name_and_a_tiny_one_neither():
    assert NamePlaces().place(np.ones((96, 96), np.uint8), SIZES, LINE, ALL) == []
    assert NamePlaces().place(mask_of((10, 10, 11, 12)), SIZES, LINE, ALL) == []


def test_the_largest_region_is_named():
    labels_HW = mask_of((4, 4, 8, 8))
    labels_HW[40:60, 20:40] = 1
    region = largest_regions(labels_HW, [1])[1]
    assert region.area == 400
    assert region.centre == (50 / 96, 30 / 96)
