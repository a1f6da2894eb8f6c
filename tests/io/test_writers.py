from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from fakes.files import noise
from sonotempo.io import open_recording
from sonotempo.io.writers import write_frame, write_sequence
from sonotempo.label_origin import Origin

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


def test_other_programs_read_it_too(tmp_path):
    write_frame(tmp_path, "us_0", noise(20, 30), None, spacing_mm=(0.1, 0.25), timestamp_ns=10**6)
    image = sitk.ReadImage(str(tmp_path / "us_0.mhd"))
    assert image.GetSpacing() == pytest.approx((0.25, 0.1))
    assert image.GetMetaData("Timestamp") == "1.000"
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), noise(20, 30))


@pytest.mark.parametrize("fails_at", [1, 2, 3, 4])
def test_a_disk_that_fills_up_leaves_no_half_frame(tmp_path, monkeypatch, fails_at):
    calls = []

    def full(write):
        def attempt(path, *arguments, **options):
            calls.append(path)
            if len(calls) == fails_at:
                Path(path).touch()
                raise OSError(28, "No space left on device")
            return write(path, *arguments, **options)

        return attempt

    monkeypatch.setattr(Path, "write_bytes", full(Path.write_bytes))
    monkeypatch.setattr(Path, "write_text", full(Path.write_text))
    with pytest.raises(OSError, match="No space left"):
        write_frame(tmp_path, "us_0", noise(8, 8), noise(8, 8), spacing_mm=None, timestamp_ns=0)
    assert list(tmp_path.iterdir()) == []


def test_origins_are_written_by_frame_number(tmp_path):
    images_THW = np.zeros((3, 8, 8), np.uint8)
    write_sequence(
        tmp_path / "anna" / "left",
        "frame",
        images_THW,
        [images_THW[0], None, images_THW[0]],
        spacing_mm=None,
        timestamps_ns=np.arange(3, dtype=np.int64),
        frame_numbers=(10, 11, 15),
        origins={2: Origin("propagated")},
    )
    recording = open_recording(tmp_path / "anna" / "left")
    assert recording.frame_numbers.tolist() == [10, 11, 15]
    assert recording.labelled == (0, 2)
    assert recording.origins == {2: Origin("propagated")}
