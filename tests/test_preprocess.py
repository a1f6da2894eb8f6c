"""The fit: odd sizes, spacings, empty borders, and masks back in the frame's shape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from sonotempo.errors import RecordingError
from sonotempo.preprocess import fit_frame, fit_to
from sonotempo.recording import Box, Frame

sizes = st.integers(1, 300)
spacings = st.none() | st.tuples(st.floats(0.02, 0.5), st.floats(0.02, 0.5))


@given(height=sizes, width=sizes, spacing=spacings)
def test_shapes_and_labels_survive_any_geometry(height, width, spacing):
    fit = fit_to((height, width), spacing, None, 64)
    mask = np.random.default_rng(0).integers(0, 4, (height, width)).astype(np.uint8)
    fitted = fit.mask(mask)
    assert fitted.shape == fit.image(mask).shape == (64, 64)
    assert not fitted[fit.content_rows :].any()
    assert not fit.image(np.full_like(mask, 200))[fit.content_rows :].any()
    back = fit.mask_back(fitted)
    assert back.shape == mask.shape
    assert back.dtype == np.uint8
    assert set(np.unique(back)) <= set(np.unique(mask)) | {0}
    assert not back[~fit.seen()].any()


@given(height=st.integers(1, 60), width=st.integers(1, 60))
def test_a_mask_that_grows_comes_back_exactly(height, width):
    fit = fit_to((height, width), None, None, 64)
    mask = np.random.default_rng(1).integers(0, 4, (height, width)).astype(np.uint8)
    seen = fit.seen()
    np.testing.assert_array_equal(fit.mask_back(fit.mask(mask))[seen], mask[seen])
    assert seen.all() == (height <= width)


@given(
    top=st.integers(0, 20),
    left=st.integers(0, 20),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_empty_borders_are_cropped_and_come_back_as_background(top, left, height, width):
    image = np.zeros((80, 90), np.uint8)
    image[top : top + height, left : left + width] = 200
    area = Box(top, left, top + height, left + width)
    fit = fit_frame(Frame(image, 0, 0, None, area), 64)
    assert (fit.image(image)[: fit.content_rows] == 200).all()
    back = fit.mask_back(np.ones((64, 64), np.uint8))
    assert not back[image == 0].any()


def test_pixels_become_square():
    disc_HW = np.zeros((100, 200), np.uint8)
    y, x = np.mgrid[:100, :200]
    disc_HW[((y - 50) * 2.0) ** 2 + (x - 100) ** 2 < 60**2] = 1
    fitted = fit_to((100, 200), (0.2, 0.1), None, 128).mask(disc_HW)
    rows, columns = np.nonzero(fitted)
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=2)


def test_spacing_follows_the_fit():
    fit = fit_to((500, 1000), (0.05, 0.05), None, 250)
    assert fit.spacing_mm == pytest.approx((0.2, 0.2))
    assert fit_to((500, 1000), None, None, 250).spacing_mm is None


def test_resampling_agrees_with_pillow():
    image = np.random.default_rng(0).integers(0, 256, (300, 400)).astype(np.uint8)
    ours = fit_to((300, 400), None, None, 128).image(image)[:96]
    theirs = PillowImage.fromarray(image).resize((128, 96), PillowImage.Resampling.BILINEAR)
    assert np.abs(ours.astype(int) - np.asarray(theirs, int)).max() <= 1


def test_an_area_larger_than_the_image_is_clamped():
    assert fit_to((50, 60), None, Box(10, 10, 500, 500), 32).area == Box(10, 10, 50, 60)


@pytest.mark.parametrize(
    ("area", "spacing"),
    [(Box(60, 0, 70, 10), None), (None, (0.0, 0.1)), (None, (0.1, float("nan")))],
)
def test_impossible_geometry_is_one_sentence(area, spacing):
    with pytest.raises(RecordingError, match=r"outside|positive"):
        fit_to((50, 60), spacing, area, 32)


def test_a_mask_of_another_grid_is_refused():
    with pytest.raises(ValueError, match=r"expected \(32, 32\)"):
        fit_to((50, 60), None, None, 32).mask_back(np.zeros((16, 16), np.uint8))


def test_the_frames_own_area_goes_before_the_users():
    own, users = Box(0, 0, 10, 10), Box(5, 5, 40, 40)
    image = np.zeros((50, 60), np.uint8)
    assert fit_frame(Frame(image, 0, 0, None, own), 32, users).area == own
    assert fit_frame(Frame(image, 0, 0, None, None), 32, users).area == users
