"""The ultrasound in a frame with menus and texts, and pictures without a signal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonotempo.image_area import ImageFinder, is_blank
from sonotempo.recording import Box
from sonotempo.sector import Sector

SHAPE = (360, 640)


def screen(box, frames=24, *, clock=False, cursor=False):
    """Frames with static menus and, in a box, tissue that changes."""
    random = np.random.default_rng(0)
    menu = np.full(SHAPE, 40, np.uint8)
    menu[::40] = 120
    menu[:, ::90] = 90
    made = []
    for number in range(frames):
        frame = menu.copy()
        tissue = random.gamma(2.0, 25.0, (box.bottom - box.top, box.right - box.left))
        frame[box.top : box.bottom, box.left : box.right] = tissue.clip(0, 255)
        if clock:
            frame[5:15, 600:635] = random.integers(255)
        if cursor:
            frame[number * 5 % 300 : number * 5 % 300 + 12, 10:22] = 255
        made.append(frame)
    return made


def found_in(frames):
    finder = ImageFinder()
    for frame in frames:
        box = finder.look(frame)
        if box is not None:
            return box
    return None


def overlap(one, other):
    top, left = max(one.top, other.top), max(one.left, other.left)
    bottom, right = min(one.bottom, other.bottom), min(one.right, other.right)
    both = max(0, bottom - top) * max(0, right - left)
    size = sum((box.bottom - box.top) * (box.right - box.left) for box in (one, other))
    return both / (size - both)


@settings(max_examples=20, deadline=None)
@given(st.integers(20, 120), st.integers(20, 250), st.integers(120, 230), st.integers(150, 350))
def test_the_region_that_changes_is_found(top, left, height, width):
    box = Box(top, left, top + height, left + width)
    assert overlap(found_in(screen(box)), box) > 0.9


def test_clocks_and_cursors_are_not_the_image():
    box = Box(60, 120, 300, 480)
    assert overlap(found_in(screen(box, clock=True, cursor=True)), box) > 0.9


def test_a_still_screen_or_a_clock_alone_has_no_image():
    frames = screen(Box(60, 120, 300, 480))[:1] * 48
    assert found_in(frames) is None
    tiny = screen(Box(5, 600, 15, 635), frames=48)
    assert found_in(tiny) is None


def test_a_picture_that_changes_everywhere_is_the_image():
    random = np.random.default_rng(0)
    frames = [random.integers(255, size=SHAPE, dtype=np.uint8) for _ in range(24)]
    assert found_in(frames) == Box(0, 0, *SHAPE)


def test_an_image_that_is_still_at_first_is_found_later():
    box = Box(60, 120, 300, 480)
    frames = screen(box)
    assert overlap(found_in(frames[:1] * 30 + frames * 2), box) > 0.9


def test_another_size_starts_over():
    finder = ImageFinder()
    for frame in screen(Box(60, 120, 300, 480), frames=20):
        assert finder.look(frame) is None
    assert finder.look(np.zeros((100, 100), np.uint8)) is None


@pytest.mark.parametrize("grey", [0, 16, 128, 255])
def test_one_grey_level_is_no_signal(grey):
    noise = np.random.default_rng(0).integers(0, 3, SHAPE)
    assert is_blank(np.full(SHAPE, grey, np.uint8))
    assert is_blank((np.full(SHAPE, grey) + noise).clip(0, 255).astype(np.uint8))
    assert not is_blank(screen(Box(60, 120, 300, 480))[0])


@pytest.mark.parametrize(
    "sector",
    [
        Sector(-40, 200, 80, 320, -0.6, 0.6),  # curved
        Sector(30, 200, 0, 240, -0.75, 0.75),  # phased
        Sector(-200, 210, 240, 480, -0.35, 0.3),  # turned to one side
    ],
)
def test_the_sector_of_a_curved_or_phased_array_is_found(sector):
    random = np.random.default_rng(0)
    inside = sector.inside(np.arange(300.0), np.arange(400.0))
    finder, found = ImageFinder(), None
    for _ in range(40):
        frame = np.full((300, 400), 20, np.uint8)
        speckle = np.kron(random.gamma(2, 25, (75, 100)), np.ones((4, 4))).clip(0, 255)
        frame[inside] = speckle[inside]
        found = finder.look(frame) or found
    assert found is not None
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    true = Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    assert overlap(found, true) > 0.9
    again = finder.sector.inside(np.arange(300.0), np.arange(400.0))
    assert (again & inside).sum() / (again | inside).sum() > 0.95


def test_a_rectangle_has_no_sector():
    finder = ImageFinder()
    for frame in screen(Box(60, 120, 300, 480)):
        finder.look(frame)
    assert finder.sector is None
