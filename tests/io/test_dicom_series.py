"""Cines that are stored as one DICOM file per frame."""

import numpy as np
import pytest
from pydicom.uid import generate_uid

from fakes.files import dicom, noise, write_dicom
from sonotempo.errors import RecordingError
from sonotempo.io import open_dataset, open_recording
from sonotempo.structures import NERVE_VESSEL


def write_series(folder, frames, *, uid=None, prefix="IM", period_s=None, **elements):
    """Write files whose names are in the wrong order."""
    uid = uid or generate_uid()
    for i, frame in enumerate(frames):
        data = dicom(frame, SeriesInstanceUID=uid, InstanceNumber=i + 1, **elements)
        if period_s is not None:
            seconds = 10 * 3600 + i * period_s
            clock = f"{int(seconds // 3600):02}{int(seconds % 3600 // 60):02}{seconds % 60:09.6f}"
            data.AcquisitionTime = clock
        write_dicom(folder / f"{prefix}{len(frames) - i}.dcm", data)
    return folder


def test_a_series_is_one_recording_in_the_order_of_its_instance_numbers(tmp_path):
    frames = noise(12, 8, 10)
    recording = open_recording(write_series(tmp_path / "p1" / "cine", frames, PatientID="p1"))
    assert len(recording) == 12
    for i, frame in enumerate(recording):
        np.testing.assert_array_equal(frame.image_HW, frames[i])
    assert recording.frame_numbers.tolist() == list(range(1, 13))
    assert (recording.subject, recording.name) == ("p1", "cine")
    assert recording.rate_is_assumed


def test_its_times_are_those_of_the_files(tmp_path):
    recording = open_recording(write_series(tmp_path, noise(3, 8, 10), period_s=0.05))
    assert recording.timestamps_ns / 1e6 == pytest.approx([0, 50, 100], abs=0.001)


def test_frame_time_gives_the_rate_where_files_have_no_time(tmp_path):
    recording = open_recording(write_series(tmp_path, noise(3, 8, 10), FrameTime=25))
    assert (recording.timestamps_ns / 1e6).tolist() == [0, 25, 50]


def test_stills_of_an_examination_stay_apart(tmp_path):
    write_series(tmp_path, noise(3, 8, 10), period_s=20)
    found = open_dataset(tmp_path, NERVE_VESSEL)
    assert [len(recording) for recording in found.recordings] == [1, 1, 1]


def test_two_series_in_one_folder_are_refused_and_named(tmp_path):
    write_series(tmp_path, noise(3, 8, 10), prefix="A")
    write_series(tmp_path, noise(3, 8, 10), prefix="B")
    with pytest.raises(RecordingError, match=r"2 DICOM series, A3.dcm and B3.dcm"):
        open_recording(tmp_path)


def test_a_cine_in_one_file_beside_a_series_is_a_recording_of_its_own(tmp_path):
    write_series(tmp_path / "s1", noise(3, 8, 10))
    write_dicom(tmp_path / "s1" / "whole.dcm", dicom(noise(5, 8, 10)))
    found = open_dataset(tmp_path, NERVE_VESSEL)
    assert sorted(len(recording) for recording in found.recordings) == [3, 5]
