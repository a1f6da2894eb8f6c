"""DICOM secondary captures, as other programs and our own reader open them."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from fakes.exchange import export_to
from fakes.recordings import make_recording
from sonotempo.errors import RecordingError
from sonotempo.exchange import dicom
from sonotempo.io import open_recording

TRUE_COLOUR = "1.2.840.10008.5.1.4.1.1.7.4"
GREY_BYTE = "1.2.840.10008.5.1.4.1.1.7.2"


def written(tmp_path, made, *, all_frames=False):
    export_to("dicom", tmp_path / "out", [made], all_frames=all_frames)
    path = tmp_path / "out" / "anna" / "one.dcm"
    return pydicom.dcmread(path), open_recording(path)


def test_structures_are_outlined_in_colour(tmp_path):
    made = make_recording(tmp_path / "raw", 3, labelled=[0, 2], spacing_mm=(0.25, 0.5))
    data, found = written(tmp_path, made, all_frames=True)
    pixels = data.pixel_array
    assert (data.SOPClassUID, pixels.shape) == (TRUE_COLOUR, (3, 40, 48, 3))
    nerve_rgb = made.structures.structures[0].color_rgb
    assert tuple(pixels[0, 0, 0]) == tuple(pixels[2, 39, 23]) == nerve_rgb
    for plain in (pixels[1], pixels[0][:, 24:], pixels[0][2:-2, 2:22]):
        assert np.ptp(plain, axis=2).max() == 0, "grey where nothing is outlined"
    np.testing.assert_array_equal(pixels[1, ..., 0], made[1].image_HW)
    assert found.spacing_mm == (0.25, 0.5)
    np.testing.assert_array_equal(found[1].image_HW, made[1].image_HW)


def test_without_masks_it_is_grey(tmp_path):
    made = make_recording(tmp_path / "raw", 3, labelled=[], shape_HW=(5, 7))
    data, found = written(tmp_path, made, all_frames=True)
    assert (data.SOPClassUID, data.BitsAllocated) == (GREY_BYTE, 8)
    for index in range(3):
        np.testing.assert_array_equal(data.pixel_array[index], made[index].image_HW)
        np.testing.assert_array_equal(found[index].image_HW, made[index].image_HW)
    assert found.spacing_mm is None
    assert "PixelSpacing" not in data


def test_nobody_is_named(tmp_path):
    data, _ = written(tmp_path, make_recording(tmp_path / "raw", 2))
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate"):
        assert data[keyword].value in ("", None)
    assert "anna" not in str(data)


@pytest.mark.parametrize("times_ns", [[0, 40_000_000, 80_000_000], [0, 40_000_000, 95_000_000]])
def test_times_come_back(tmp_path, times_ns):
    made = make_recording(tmp_path / "raw", 3)
    data, found = written(tmp_path, replace(made, timestamps_ns=np.array(times_ns, np.int64)))
    assert ("FrameTime" in data) == (times_ns[-1] == 80_000_000)
    assert found.timestamps_ns.tolist() == times_ns
    assert not found.rate_is_assumed


def test_unknown_times_stay_unknown(tmp_path):
    _, found = written(tmp_path, make_recording(tmp_path / "raw", 3, rate_is_assumed=True))
    assert found.rate_is_assumed


def test_a_single_frame_and_pixels_that_are_not_square(tmp_path):
    made = make_recording(tmp_path / "raw", 1, pixel_aspect=1.5)
    data, found = written(tmp_path, made)
    assert data.PixelAspectRatio == [3, 2]
    assert (len(found), found.pixel_aspect) == (1, 1.5)


def test_what_no_file_can_hold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom, "_MOST_BYTES", 100)
    with pytest.raises(RecordingError, match=r"GiB of pixels .*a DICOM file holds 4"):
        written(tmp_path, make_recording(tmp_path / "raw", 2))
    assert not (tmp_path / "out").exists()
