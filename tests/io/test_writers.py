import numpy as np
import pytest

from fakes.files import noise
from sonotempo.io import open_recording
from sonotempo.io.writers import write_sequence

TIMES = np.array([0, 50_000_000, 123_456_000], np.int64)


def written(tmp_path, masks, spacing_mm=(0.1, 0.25)):
    images = noise(3, 20, 30)
    folder = tmp_path / "anna" / "one"
    write_sequence(folder, "frame", images, masks, spacing_mm=spacing_mm, timestamps_ns=TIMES)
    return images, open_recording(folder)


def test_what_is_written_is_read_back_with_time_and_space(tmp_path):
    masks = noise(3, 20, 30, high=3)
    images, recording = written(tmp_path, masks)
    assert recording.subject == "anna"
    assert recording.spacing_mm == pytest.approx((0.1, 0.25))
    assert recording.timestamps_ns.tolist() == TIMES.tolist()
    assert recording.labelled == (0, 1, 2)
    for index in range(3):
        np.testing.assert_array_equal(recording[index].image_HW, images[index])
        np.testing.assert_array_equal(recording.mask(index), masks[index])


def test_frames_without_a_mask_are_written_without_one(tmp_path):
    _, recording = written(tmp_path, [None, noise(20, 30, high=3), None])
    assert recording.labelled == (1,)


def test_a_sequence_without_any_mask_is_a_recording_all_the_same(tmp_path):
    images, recording = written(tmp_path, None)
    assert recording.labelled == ()
    np.testing.assert_array_equal(recording[2].image_HW, images[2])


def test_unknown_spacing_is_read_back_as_unknown(tmp_path):
    _, recording = written(tmp_path, None, spacing_mm=None)
    assert recording.spacing_mm is None


def test_pixels_need_not_be_contiguous(tmp_path):
    images = noise(30, 20, 3).transpose(2, 1, 0)
    folder = tmp_path / "anna" / "one"
    write_sequence(folder, "frame", images, None, spacing_mm=None, timestamps_ns=TIMES)
    np.testing.assert_array_equal(open_recording(folder)[1].image_HW, images[1])
