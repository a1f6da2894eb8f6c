"""Who says where the ultrasound is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.patients import SHAPE, TISSUE, screens
from sonotempo.deidentify.area import GivenArea, find_area, parse_area
from sonotempo.deidentify.refused import RefusedError
from sonotempo.errors import ConfigError
from sonotempo.recording import Box


def test_changing_pixels_are_found_without_the_name_above_them():
    area, shape_HW = find_area(screens(20), None, None, "a")
    assert shape_HW == SHAPE
    assert area.found_by == "changing pixels"
    box = area.box
    assert abs(box.top - TISSUE.top) <= 2
    assert abs(box.right - TISSUE.right) <= 2


@given(st.integers(40, 60), st.integers(30, 80), st.integers(60, 120), st.integers(80, 200))
@settings(max_examples=20, deadline=None)
def test_a_box_that_is_found_never_reaches_the_name(top, left, height, width):
    box = Box(top, left, top + height, left + width)
    frames = screens(12, shape=(220, 320), box=box)
    found = find_area(frames, None, None, "a")[0].box
    assert found.top >= 20  # the text ends above


def test_the_user_comes_before_the_file_and_the_file_before_what_changes():
    frames = screens(20)
    stored, given_box = Box(1, 2, 30, 40), Box(5, 6, 70, 80)
    assert find_area(frames, stored, None, "a")[0].box == stored
    assert find_area(frames, stored, GivenArea(given_box), "a")[0].box == given_box
    assert find_area(frames, stored, GivenArea(None), "a")[0].box == Box(0, 0, *SHAPE)


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (screens(3), r"too few frames \(3\)"),
        (np.full((20, 60, 80), 9, np.uint8), "nothing changes in"),
        (np.random.default_rng(0).integers(0, 255, (20, 60, 80), np.uint8), "all pixels change"),
    ],
)
def test_what_is_not_certain_is_refused(frames, words):
    with pytest.raises(RefusedError, match=words) as caught:
        find_area(frames, None, None, "a.mp4")
    assert caught.value.kind == "no ultrasound region found"
    assert "--area" in str(caught.value)


def test_an_area_that_does_not_fit_is_refused():
    with pytest.raises(RefusedError, match=r"120x160 pixels .* exceeds"):
        find_area(screens(20), None, GivenArea(Box(0, 0, 121, 10)), "a")


@pytest.mark.parametrize("text", ["", "1,2,3", "4,0,4,9", "0,9,9,9", "a,b,c,d", "-1,0,2,3", "all"])
def test_what_is_no_area_is_said(text):
    with pytest.raises(ConfigError, match="TOP,LEFT,BOTTOM,RIGHT"):
        parse_area(text)
