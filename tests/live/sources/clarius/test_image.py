import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sonotempo.errors import SourceError
from sonotempo.live.sources.clarius.image import SETTLING_FRAMES, CastImage, HeldArea, decode_image
from sonotempo.recording import Box

SPACING = (0.08, 0.08)


def noise(height, width, channels=(), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, *channels), np.uint8)


def encoded(pixels, kind):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=95)
    return file.getvalue()


@given(height=st.integers(1, 12), width=st.integers(1, 12), seed=st.integers(0, 99))
def test_four_bytes_are_blue_green_red_alpha_and_become_luma(height, width, seed):
    bgra_HWC = noise(height, width, (4,), seed)
    decoded = decode_image(bgra_HWC.tobytes(), width, height, bgra_HWC.size)
    blue, green, red, alpha = np.moveaxis(bgra_HWC.astype(float), 2, 0)
    luma_HW = 0.299 * red + 0.587 * green + 0.114 * blue
    assert np.abs(decoded.image_HW - luma_HW).max() <= 0.51
    np.testing.assert_array_equal(decoded.opaque_HW, alpha > 0)


def test_grey_in_all_colours_keeps_its_values():
    grey_HW = noise(9, 13)
    bgra_HWC = np.dstack([grey_HW] * 4)
    np.testing.assert_array_equal(decode_image(bgra_HWC, 13, 9, 9 * 13 * 4).image_HW, grey_HW)


@given(height=st.integers(1, 12), width=st.integers(1, 12), seed=st.integers(0, 99))
def test_one_byte_is_grey_without_a_word_on_what_is_opaque(height, width, seed):
    grey_HW = noise(height, width, seed=seed)
    decoded = decode_image(grey_HW.tobytes(), width, height, grey_HW.size)
    np.testing.assert_array_equal(decoded.image_HW, grey_HW)
    assert decoded.opaque_HW is None


def test_png_keeps_every_value_and_jpeg_nearly():
    smooth_HW = np.add.outer(np.arange(40), np.arange(64)).astype(np.uint8)
    png, jpeg = encoded(smooth_HW, "PNG"), encoded(smooth_HW, "JPEG")
    np.testing.assert_array_equal(decode_image(png, 64, 40, len(png)).image_HW, smooth_HW)
    decoded = decode_image(jpeg, 64, 40, len(jpeg)).image_HW
    assert np.abs(decoded.astype(int) - smooth_HW).max() < 6


def test_a_png_with_opacity_tells_what_is_opaque():
    rgba_HWC = np.zeros((30, 40, 4), np.uint8)
    rgba_HWC[5:20, 10:30] = (50, 50, 50, 255)
    file = encoded(rgba_HWC, "PNG")
    decoded = decode_image(file, 40, 30, len(file))
    np.testing.assert_array_equal(decoded.opaque_HW, rgba_HWC[..., 3] > 0)
    assert decoded.image_HW[10, 20] == 50


@pytest.mark.parametrize("channels", [(), (4,)])
def test_what_is_decoded_does_not_change_with_the_sdks_buffer(channels):
    pixels = noise(8, 10, channels)
    buffer = bytearray(pixels.tobytes())
    decoded = decode_image(memoryview(buffer), 10, 8, len(buffer))
    before_HW = decoded.image_HW.copy()
    opaque_HW = None if decoded.opaque_HW is None else decoded.opaque_HW.copy()
    buffer[:] = b"\xa5" * len(buffer)
    np.testing.assert_array_equal(decoded.image_HW, before_HW)
    if opaque_HW is not None:
        np.testing.assert_array_equal(decoded.opaque_HW, opaque_HW)


def test_bytes_behind_the_announced_size_are_left_alone():
    grey_HW = noise(8, 10)
    decoded = decode_image(grey_HW.tobytes() + b"more", 10, 8, 80)
    np.testing.assert_array_equal(decoded.image_HW, grey_HW)


@pytest.mark.parametrize(
    ("buffer", "width", "height", "size", "says"),
    [
        (b"\0" * 80, 10, 8, 81, "announced an image of 10x8 pixels in 81 bytes"),
        (b"\0" * 80, 0, 8, 80, "announced an image of 0x8"),
        (b"\0" * 80, 10, 8, 0, "in 0 bytes"),
        (b"\0" * 160, 10, 8, 160, "neither ARGB32"),
        (b"\xff\xd8\xff" + b"\0" * 97, 10, 8, 100, "cannot be decoded"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 92, 10, 8, 100, "cannot be decoded"),
    ],
)
def test_a_buffer_that_holds_no_image_is_refused_in_words(buffer, width, height, size, says):
    with pytest.raises(SourceError, match=says):
        decode_image(buffer, width, height, size)


def framed(box, shape=(60, 80), value=90):
    image_HW = np.zeros(shape, np.uint8)
    image_HW[box.top : box.bottom, box.left : box.right] = value
    return image_HW


def test_the_area_is_what_is_opaque_even_where_it_is_black():
    opaque_HW = framed(Box(0, 10, 50, 70)) > 0
    dark = CastImage(np.zeros((60, 80), np.uint8), opaque_HW)
    assert HeldArea().of(dark, SPACING) == Box(0, 10, 50, 70)


def test_the_area_is_held_until_size_or_spacing_changes():
    area, small, large = HeldArea(), Box(0, 20, 40, 60), Box(0, 10, 50, 70)
    images = {box: CastImage(framed(box), framed(box) > 0) for box in (small, large)}
    assert area.of(images[small], SPACING) == small
    assert area.of(images[large], SPACING) == small
    assert area.of(images[large], (0.1, 0.1)) == large
    other = CastImage(framed(small, (70, 80)), framed(small, (70, 80)) > 0)
    assert area.of(other, (0.1, 0.1)) == small


def test_without_opacity_the_area_grows_at_first_and_then_stays():
    area = HeldArea()
    assert area.of(CastImage(framed(Box(5, 20, 40, 60)), None), SPACING) == Box(5, 20, 40, 60)
    grown = Box(0, 20, 50, 60)
    for _ in range(SETTLING_FRAMES):
        assert area.of(CastImage(framed(Box(0, 30, 50, 50)), None), SPACING) == grown
    assert area.of(CastImage(framed(Box(0, 0, 60, 80)), None), SPACING) == grown


def test_borders_that_are_opaque_too_are_told_by_their_black():
    image = CastImage(framed(Box(0, 20, 50, 60)), np.ones((60, 80), bool))
    assert HeldArea().of(image, SPACING) == Box(0, 20, 50, 60)


def test_black_images_leave_the_area_open_until_something_is_seen():
    area = HeldArea()
    for _ in range(2 * SETTLING_FRAMES):
        assert area.of(CastImage(framed(Box(0, 0, 1, 1), value=0), None), SPACING) is None
    assert area.of(CastImage(framed(Box(3, 4, 50, 60)), None), SPACING) == Box(3, 4, 50, 60)
