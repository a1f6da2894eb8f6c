"""The guard around every reader: errors at opening, at a frame and at a mask name the file."""

import dataclasses
import pickle

import numpy as np
import pytest

from fakes.files import dicom, noise, write_dicom, write_meta, write_png
from fakes.recordings import make_recording
from sonotempo.errors import RecordingError
from sonotempo.io import formats, open_dataset, open_recording
from sonotempo.io.guard import read_safely
from sonotempo.structures import NERVE_VESSEL

ERRORS = [RecursionError, MemoryError, OverflowError, KeyError, AssertionError, SystemError]


class Broken:
    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 2

    def __getitem__(self, index):
        raise self.error


def recording(folder, **changes):
    return dataclasses.replace(make_recording(folder, 2), **changes)


@pytest.mark.parametrize("error", ERRORS)
def test_what_a_reader_raises_names_the_file(tmp_path, monkeypatch, error):
    def fails(request):
        raise error("deep inside")

    path = write_meta(tmp_path / "a.mha", noise(3, 4, 5))
    monkeypatch.setattr("sonotempo.io.metaimage.open_metaimage", fails)
    with pytest.raises(RecordingError, match=r"a\.mha cannot be read \(.+\); copy") as caught:
        open_recording(path)
    assert isinstance(caught.value.__cause__, error)


@pytest.mark.parametrize("error", ERRORS)
def test_what_a_frame_or_mask_raises_names_the_frame(tmp_path, error):
    def fails():
        raise error("late")

    broken = recording(tmp_path, images=Broken(error("late")), mask_readers={1: fails})
    guarded = read_safely(tmp_path, lambda: broken)
    for read in (lambda: guarded[1], lambda: guarded.images[1]):
        with pytest.raises(RecordingError, match="frame 1 of"):
            read()
    with pytest.raises(RecordingError, match="the mask of frame 1 of"):
        guarded.mask(1)


def test_a_guarded_recording_is_the_same_recording(tmp_path):
    for i in range(3):
        write_png(tmp_path / "images" / f"us_{i}.png", noise(4, 5, seed=i))
        write_png(tmp_path / "masks" / f"us_{i}.png", noise(4, 5, seed=i, high=2))
    found = open_recording(tmp_path / "images")
    assert [image.tolist() for image in found.images] == [
        frame.image_HW.tolist() for frame in found
    ]
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.mask(2), noise(4, 5, seed=2, high=2))


def test_one_bad_file_of_a_data_set_is_named_and_the_others_are_used(tmp_path):
    write_dicom(tmp_path / "s1" / "good.dcm", dicom(noise(3, 8, 9)))
    for name, frames in (("bad", -3), ("worse", 2_000_000_000)):
        data = dicom(noise(3, 8, 9))
        data.NumberOfFrames = frames
        write_dicom(tmp_path / "s2" / f"{name}.dcm", data)
    found = open_dataset(tmp_path, NERVE_VESSEL)
    assert [one.name for one in found.recordings] == ["s1/good"]
    assert sorted(one.path.name for one in found.skipped) == ["bad.dcm", "worse.dcm"]


def test_a_file_that_cannot_be_recognised_is_left_to_its_reader(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise RecursionError

    monkeypatch.setattr("PIL.Image.open", fails)
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0")
    assert formats.format_of(path).name == "image"
    with pytest.raises(RecordingError, match="nested too deeply"):
        open_recording(path)
