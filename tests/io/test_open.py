"""open_recording: every kind of file and folder, and what is refused."""

import importlib
import subprocess
import sys

import numpy as np
import pytest

from fakes.files import (
    dicom,
    noise,
    write_clarius,
    write_dicom,
    write_meta,
    write_png,
    write_video,
)
from sonotempo.errors import RecordingError
from sonotempo.io import FORMATS, Format, formats, open_dataset, open_recording
from sonotempo.structures import AXILLARY


def write_any(folder, name):
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    if name.endswith((".mp4", ".avi")):
        return write_video(path, noise(3, 32, 48))
    if name.endswith((".mha", ".mhd")):
        return write_meta(path, noise(3, 32, 48))
    if name.endswith(".raw"):
        return write_clarius(path, noise(3, 48, 32))
    if name.endswith((".png", ".JPG")):
        return write_png(path, noise(32, 48))
    return write_dicom(path, dicom(noise(3, 32, 48)))


CINES = ["a.mp4", "a.avi", "a.mha", "a.mhd", "a.raw", "a.dcm", "IM01", "1.2.840.9"]


@pytest.mark.parametrize("name", [*CINES, "a.png", "a.JPG"])
def test_every_kind_of_file_opens(tmp_path, name):
    path = write_any(tmp_path / "s1", name)
    recording = open_recording(path, AXILLARY, subject="s", name="n")
    assert (recording.subject, recording.name) == ("s", "n")
    assert recording.structures is AXILLARY
    assert recording[len(recording) - 1].image_HW.shape == (32, 48)
    assert all(file.is_file() for file in recording.files)
    assert path in recording.files


@pytest.mark.parametrize("name", CINES)
def test_a_folder_with_one_recording_is_that_recording(tmp_path, name):
    write_any(tmp_path / "s1", name)
    (tmp_path / "s1" / "notes.txt").write_text("a sidecar")
    (tmp_path / "s1" / ".DS_Store").write_text("hidden")
    assert len(open_recording(tmp_path / "s1")) == 3


def test_numbered_headers_are_one_recording(tmp_path):
    for number in (4, 5, 7):
        write_meta(tmp_path / "s1" / f"us_{number}.mhd", noise(4, 5))
    recording = open_recording(tmp_path / "s1")
    assert recording.frame_numbers.tolist() == [4, 5, 7]
    assert (recording.subject, recording.name) == ("s1", "s1")


def test_numbered_stacks_are_recordings_of_their_own(tmp_path):
    for number in (1, 2):
        write_meta(tmp_path / f"sweep_{number}.mhd", noise(3, 4, 5))
    with pytest.raises(RecordingError, match=r"holds 2 recordings, sweep_1\.mhd and sweep_2\.mhd"):
        open_recording(tmp_path)


def test_a_folder_of_images_and_masks_is_one_recording(tmp_path):
    for number in (1, 2):
        write_png(tmp_path / "s1" / "images" / f"{number}.png", noise(4, 5, seed=number))
    write_png(tmp_path / "s1" / "masks" / "2.png", noise(4, 5, high=3))
    recording = open_recording(tmp_path / "s1")
    assert (recording.subject, recording.labelled) == ("s1", (1,))
    np.testing.assert_array_equal(recording.mask(1), noise(4, 5, high=3))


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_every_reader_of_the_list_exists(known):
    module, function = known.reader.split(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_a_reader_is_one_module_and_one_line(tmp_path, monkeypatch):
    (tmp_path / "toy_reader.py").write_text(
        "from sonotempo.io.formats import Request\n"
        "from sonotempo.io.images import read_grey\n"
        "from sonotempo.io.frame_files import FrameFiles\n"
        "from sonotempo.recording import Recording\n"
        "import numpy as np\n"
        "def open_toy(request):\n"
        "    return Recording(request.path, request.subject or 'toy', 'toy', "
        "FrameFiles([request.path], read_grey), np.zeros(1, np.int64), request.structures)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    line = Format("toy", (".toy",), "toy_reader:open_toy")
    monkeypatch.setattr(formats, "FORMATS", (*FORMATS, line))
    path = write_png(tmp_path / "s1" / "a.png", noise(4, 5)).rename(tmp_path / "s1" / "a.toy")
    for opened in (path, path.parent):
        np.testing.assert_array_equal(open_recording(opened)[0].image_HW, noise(4, 5))
    assert formats.is_recording(path)
    assert open_dataset(tmp_path, AXILLARY).subjects == ("s1",)
    with pytest.raises(RecordingError, match=r"toy \(\.toy\)"):
        open_recording(tmp_path / "toy_reader.py")


def test_an_unknown_kind_lists_the_known_ones(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_bytes(b"?")
    with pytest.raises(RecordingError, match=r"a\.xyz has an unknown format") as refused:
        open_recording(path)
    for known in FORMATS:
        assert known.name in str(refused.value)


def test_packed_clarius_files_are_to_be_unpacked(tmp_path):
    path = tmp_path / "a_env.raw.lzo"
    path.write_bytes(b"?")
    with pytest.raises(RecordingError, match=r"unpack it first \('lzop -d a_env\.raw\.lzo'\)"):
        open_recording(path)


def test_an_empty_folder_says_what_is_expected(tmp_path):
    with pytest.raises(RecordingError, match=r"holds no recording; expected one of: DICOM"):
        open_recording(tmp_path)


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(RecordingError, match="nowhere does not exist"):
        open_recording(tmp_path / "nowhere")


def test_importing_loads_no_reader_and_no_torch():
    code = (
        "import sys, sonotempo.io;"
        "print([m for m in ('torch', 'av', 'pydicom', 'SimpleITK', 'PIL') if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
