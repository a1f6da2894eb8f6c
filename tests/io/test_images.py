"""Folders of images and single stills, with their masks."""

import numpy as np
import pytest
from PIL import Image as Pillow

from fakes.files import noise, write_png
from sonotempo.errors import RecordingError
from sonotempo.io import open_dataset, open_recording
from sonotempo.io.formats import Request
from sonotempo.io.images import open_image_folder, open_still, read_grey, read_labels
from sonotempo.structures import NERVE_VESSEL, structure_set


def folder_of(tmp_path, numbers=(3, 10, 11), shape=(6, 8)):
    for number in numbers:
        write_png(tmp_path / "images" / f"f{number}.png", noise(*shape, seed=number))
    return tmp_path / "images"


def test_frames_follow_their_numbers(tmp_path):
    recording = open_image_folder(Request(folder_of(tmp_path)))
    assert recording.frame_numbers.tolist() == [3, 10, 11]
    assert recording.timestamps_ns.tolist() == [0, 280_000_000, 320_000_000]
    assert recording.segments() == (range(0, 1), range(1, 3))
    assert recording.labelled == ()
    np.testing.assert_array_equal(recording[1].image_HW, noise(6, 8, seed=10))


def test_names_without_numbers_keep_their_order(tmp_path):
    for name in ("b2x", "b10x", "a"):
        write_png(tmp_path / f"{name}.png", noise(4, 5, seed=len(name)))
    recording = open_image_folder(Request(tmp_path))
    assert [path.stem for path in recording.files] == ["a", "b2x", "b10x"]
    assert recording.frame_numbers.tolist() == [0, 1, 2]


@pytest.mark.parametrize("masks", ["masks", "images_masks"])
def test_masks_lie_beside_the_images(tmp_path, masks):
    folder = folder_of(tmp_path)
    labels = noise(6, 8, high=3)
    mask = write_png(tmp_path / masks / "f10.png", labels, palette=True)
    recording = open_image_folder(Request(folder))
    assert recording.labelled == (1,)
    assert recording.mask(0) is None
    np.testing.assert_array_equal(recording.mask(1), labels)
    assert mask in recording.files


def test_a_mask_without_its_image_is_named(tmp_path):
    folder = folder_of(tmp_path)
    write_png(tmp_path / "masks" / "f12.png", noise(6, 8, high=3))
    with pytest.raises(RecordingError, match=r"1 masks in .* have no image .* f12\.png"):
        open_image_folder(Request(folder))


def test_a_mask_of_another_size_is_named(tmp_path):
    folder = folder_of(tmp_path)
    write_png(tmp_path / "masks" / "f10.png", noise(5, 8, high=3))
    recording = open_image_folder(Request(folder))
    with pytest.raises(RecordingError, match=r"frame 10 of .*images is 5x8 .* image is 6x8"):
        recording.mask(1)


def test_a_label_value_without_a_name_is_named(tmp_path):
    folder = folder_of(tmp_path)
    write_png(tmp_path / "masks" / "f10.png", np.full((6, 8), 3, np.uint8))
    recording = open_image_folder(Request(folder))
    with pytest.raises(RecordingError, match="label value 3, but only 2 structures"):
        recording.mask(1)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_colour_becomes_grey(tmp_path, suffix):
    pixels = noise(6, 8, 3)
    image = read_grey(write_png(tmp_path / f"a{suffix}", pixels))
    np.testing.assert_allclose(image, pixels @ np.array([0.299, 0.587, 0.114]), atol=1)
    grey = np.repeat(noise(6, 8)[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_grey(write_png(tmp_path / f"b{suffix}", grey)), grey[..., 0])


def test_palettes_and_opacity_become_grey(tmp_path):
    pixels = noise(6, 8, 4)
    np.testing.assert_allclose(
        read_grey(write_png(tmp_path / "a.png", pixels)),
        pixels[..., :3] @ np.array([0.299, 0.587, 0.114]),
        atol=1,
    )
    image = read_grey(write_png(tmp_path / "b.png", np.array([[0, 1, 2]], np.uint8), palette=True))
    assert image.tolist() == [[0, 226, 76]]


def test_pixels_of_16_bits_are_refused(tmp_path):
    path = tmp_path / "a.png"
    Pillow.fromarray(noise(4, 5).astype(np.uint16) * 200).save(path)
    with pytest.raises(RecordingError, match=r"more than 8 bits .*convert it"):
        read_grey(path)


def test_several_images_in_one_file_are_refused(tmp_path):
    pages = [Pillow.fromarray(noise(4, 5, seed=i)) for i in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(RecordingError, match="several images"):
        read_grey(tmp_path / "a.tif")


def test_masks_in_colour_are_refused(tmp_path):
    path = write_png(tmp_path / "a.png", noise(4, 5, 3))
    with pytest.raises(RecordingError, match=r"holds colours \(mode RGB\)"):
        read_labels(path)


def test_masks_in_jpeg_are_refused(tmp_path):
    path = write_png(tmp_path / "a.jpg", noise(4, 5, high=3))
    with pytest.raises(RecordingError, match="a JPG file, whose writers change label values"):
        read_labels(path)


def test_masks_of_one_bit_hold_0_and_1(tmp_path):
    Pillow.fromarray(noise(4, 5, high=2).astype(bool)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), noise(4, 5, high=2))


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_files_cut_short_are_named(tmp_path, keep):
    path = write_png(tmp_path / "a.png", noise(40, 50))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RecordingError, match=r"a\.png cannot be read as an image"):
        read_grey(path)
    with pytest.raises(RecordingError, match=r"a\.png cannot be read as an image"):
        read_labels(path)


def test_frames_whose_pixels_are_gone_are_named(tmp_path):
    folder = folder_of(tmp_path)
    recording = open_image_folder(Request(folder))
    (folder / "f3.png").unlink()
    with pytest.raises(RecordingError, match=r"f3\.png cannot be read as an image \(No such file"):
        recording[0]


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(RecordingError, match=r"holds no images; expected files ending in \.bmp"):
        open_image_folder(Request(tmp_path))


def test_a_still_is_one_frame_with_its_mask(tmp_path):
    image = write_png(tmp_path / "a.png", noise(6, 8))
    mask = write_png(tmp_path / "m.png", noise(6, 8, high=3))
    recording = open_still(Request(image), mask)
    assert (len(recording), recording.subject, recording.files) == (1, "a", (image, mask))
    np.testing.assert_array_equal(recording.mask(0), noise(6, 8, high=3))
    write_png(mask, noise(6, 7, high=3))
    with pytest.raises(RecordingError, match=r"m\.png is 6x7 .* image a\.png is 6x8"):
        open_still(Request(image), mask)


def test_real_stills_open(real_data):
    recording = open_image_folder(Request(real_data / "usgra-seg" / "images"))
    assert len(recording) == len(recording.labelled) == 204
    assert recording[0].image_HW.shape == recording.mask(0).shape


def test_a_black_and_white_mask_marks_the_only_structure(tmp_path):
    write_png(tmp_path / "images" / "a.png", noise(4, 5))
    mask = noise(4, 5, high=2)
    write_png(tmp_path / "masks" / "a.png", mask * 255)
    one = open_recording(tmp_path, structure_set(["nerve"]))
    np.testing.assert_array_equal(one.mask(0), mask)
    two = open_recording(tmp_path)
    with pytest.raises(RecordingError, match=r"black and white .* can mark one structure, but 2"):
        two.mask(0)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_masks_of_more_bits_hold_label_values(tmp_path, dtype):
    mask = noise(4, 5, high=3)
    Pillow.fromarray(mask.astype(dtype)).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), mask)
    Pillow.fromarray((mask.astype(dtype) + 1) * 300).save(tmp_path / "a.tif")
    with pytest.raises(RecordingError, match="holds values from 300 to 900"):
        read_labels(tmp_path / "a.tif")


def test_masks_of_floating_point_numbers_are_refused(tmp_path):
    Pillow.fromarray(noise(4, 5, high=3).astype(np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(RecordingError, match="holds floating-point numbers"):
        read_labels(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".jpg"])
def test_masks_in_formats_that_change_values_are_counted_as_skipped(tmp_path, suffix):
    write_png(tmp_path / "images" / "a.png", noise(4, 5))
    write_png(tmp_path / "images" / "b.png", noise(4, 5))
    write_png(tmp_path / "masks" / "b.png", noise(4, 5, high=2))
    Pillow.fromarray(noise(4, 5, high=2)).save(tmp_path / "masks" / f"a{suffix}")
    found = open_dataset(tmp_path, NERVE_VESSEL)
    assert [skip.path.name for skip in found.skipped] == ["a.png"]
    assert "whose writers change label values" in found.skipped[0].reason


def test_images_without_time_say_that_their_rate_is_assumed(tmp_path):
    for i in range(3):
        write_png(tmp_path / f"us_{i}.png", noise(4, 5, seed=i))
    assert open_recording(tmp_path).rate_is_assumed
    assert not open_recording(tmp_path / "us_0.png").rate_is_assumed
