"""What is taken for a recording, and what is opened of it."""

import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from npe2 import PluginManager, PluginManifest
from npe2.io_utils import read

from fakes.files import (
    dicom,
    noise,
    steps,
    write_clarius,
    write_dicom,
    write_meta,
    write_png,
    write_video,
)
from fakes.shapes import write_shapes
from napari_sonotempo.files.reader import (
    MOST_RECORDINGS,
    get_reader,
    read_recordings,
    recording_paths,
)
from sonotempo.errors import RecordingError
from sonotempo.io.formats import FORMATS, IMAGES
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.recording.recorder import Recorder
from sonotempo.recording import Frame, Prediction

SHAPE = (20, 30)


@pytest.fixture(autouse=True)
def plugin():
    """The plugin as napari finds it."""
    plugins = PluginManager.instance()
    is_new = "sonotempo" not in plugins
    if is_new:
        plugins.register(PluginManifest.from_distribution("sonotempo"))
    yield
    if is_new:
        plugins.unregister("sonotempo")


def opened(path):
    return read([str(path)], stack=False, plugin_name="sonotempo")


def test_finding_the_reader_loads_nothing_heavy():
    heavy = ["napari", "pydicom", "av", "SimpleITK", "scipy", "PIL"]
    code = (
        "import sys, napari_sonotempo.files.reader, napari_sonotempo.files.sample_data;"
        "found = [m for m in ('numpy', 'sonotempo.io') if m in sys.modules];"
        "napari_sonotempo.files.reader.get_reader('a.mp4');"
        f"print(found + [m for m in {heavy} if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["cine.mha", "cine.mhd"])
def test_a_metaimage_is_a_time_series_in_millimetres(tmp_path, name):
    frames = noise(4, *SHAPE)
    path = write_meta(tmp_path / name, frames, spacing=(0.1, 0.2))
    ((data, meta, kind),) = opened(path)
    assert kind == "image"
    np.testing.assert_array_equal(np.asarray(data), frames)
    assert meta["scale"] == (1.0, 0.1, 0.2)  # the file holds no times: frames are counted
    assert meta["axis_labels"][0] == "frame"


def test_a_dicom_cine_is_opened(tmp_path):
    frames = noise(4, *SHAPE)
    path = write_dicom(tmp_path / "cine.dcm", dicom(frames, FrameTime="50"))
    ((data, meta, _),) = opened(path)
    np.testing.assert_array_equal(np.asarray(data), frames)
    assert meta["scale"] == (0.05, 1, 1)


@pytest.mark.parametrize(
    "name", ["IM000017", "IMG0001", "I0000001", "1.2.840.113619.2", "00000001", "DICOM1"]
)
def test_a_dicom_file_without_a_suffix_is_opened_and_offered(tmp_path, name):
    path = write_dicom(tmp_path / name, dicom(noise(*SHAPE)))
    assert len(opened(path)) == 1


def test_other_files_without_a_suffix_are_left_to_others(tmp_path):
    (tmp_path / "README").write_text("no picture")
    assert get_reader(tmp_path / "README") is None


def test_dicom_files_without_a_suffix_are_found_in_their_folder(tmp_path):
    write_dicom(tmp_path / "scan" / "1.2.840.17", dicom(noise(*SHAPE)))
    assert len(opened(tmp_path / "scan")) == 1


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_video_is_opened(tmp_path, name):
    path = write_video(tmp_path / name, steps(5))
    ((data, meta, _),) = opened(path)
    assert data.shape == (5, 96, 128)
    assert meta["scale"][0] == pytest.approx(0.05)


def test_a_recorded_stream_has_the_masks_that_models_made_of_it(tmp_path):
    with RingBuffer(4, 1, *SHAPE) as buffer, buffer.writer() as writer:
        recorder = Recorder(buffer.reader(), tmp_path / "out.mkv")
        for number in range(4):
            image_HW = noise(*SHAPE, seed=number)
            writer.write(image_HW, probe_ns=number * 50_000_000, spacing_mm=(0.1, 0.2))
            if number:
                frame = Frame(image_HW, number, number * 50_000_000, (0.1, 0.2))
                mask_HW = np.full(SHAPE, number, np.uint8)
                recorder.add((Prediction(frame, mask_HW, None, 1, "sequence"),))
        while recorder.statistics.frames < 4:
            time.sleep(0.005)
        recorder.stop()
    for path in (tmp_path / "out.mkv", tmp_path):
        image, masks = opened(path)
        assert image[1]["scale"] == (0.05, 0.1, 0.2)
        np.testing.assert_array_equal(image[0][3], noise(*SHAPE, seed=3))
        assert masks[1]["name"] == "out sequence"
        assert masks[0].labelled == (1, 2, 3)
        assert [int(masks[0][index].max()) for index in range(4)] == [0, 1, 2, 3]


def test_a_clarius_folder_is_opened(tmp_path):
    write_clarius(tmp_path / "carotid_env.raw", noise(3, 12, 40))
    ((data, meta, _),) = opened(tmp_path)
    assert data.shape == (3, 40, 12)
    assert meta["scale"][0] == pytest.approx(0.055)


def test_an_annotation_web_folder_has_masks(tmp_path):
    write_shapes(tmp_path, 1, 3, 32, seed=0)
    image, masks = opened(tmp_path)
    assert [image[2], masks[2]] == ["image", "labels"]
    assert image[1]["scale"] == (0.05, 0.3, 0.3)
    assert np.asarray(masks[0]).max() == 2


def test_a_mask_file_is_opened_on_its_frame(tmp_path):
    write_shapes(tmp_path, 1, 3, 32, seed=0)
    found = opened(next(tmp_path.rglob("frame_1_gt.mhd")))
    assert [kind for _, _, kind in found] == ["image", "labels"]


def test_labelled_stills_are_one_series(tmp_path):
    write_png(tmp_path / "images" / "a.png", noise(20, 30))
    write_png(tmp_path / "images" / "b.png", noise(24, 26))
    write_png(tmp_path / "masks" / "a.png", noise(20, 30, high=3))
    write_png(tmp_path / "masks" / "b.png", noise(24, 26, high=3))
    for folder in (tmp_path, tmp_path / "images", tmp_path / "masks"):
        image, masks = opened(folder)
        assert image[0].shape == masks[0].shape == (2, 24, 30)
        np.testing.assert_array_equal(masks[0][0, :20], noise(20, 30, high=3))
        assert masks[0][0, 20:].max() == 0


def test_the_first_of_several_recordings_is_shown_and_the_others_are_there(tmp_path):
    write_shapes(tmp_path, 3, 2, 16, seed=0)
    found = opened(tmp_path)
    assert [meta["visible"] for _, meta, _ in found] == [True, True, False, False, False, False]
    assert len({meta["name"] for _, meta, _ in found}) == 6


def test_a_large_folder_opens_its_first_recordings_only(tmp_path):
    write_shapes(tmp_path, MOST_RECORDINGS + 2, 1, 16, seed=0)
    assert len(opened(tmp_path)) == 2 * MOST_RECORDINGS


def test_a_bad_recording_in_a_folder_leaves_the_good_ones(tmp_path):
    write_meta(tmp_path / "good.mha", noise(3, *SHAPE))
    (tmp_path / "bad.mha").write_text("no header")
    with pytest.warns(UserWarning, match=r"1 files or folders were left out.*bad\.mha"):
        found = opened(tmp_path)
    assert [meta["name"] for _, meta, _ in found] == ["good"]


def test_a_broken_file_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "bad.mha"
    path.write_text("no header")
    with pytest.raises(RecordingError, match=r"bad\.mha is not a MetaImage"):
        opened(path)
    with pytest.raises(RecordingError, match=r"gone\.mha does not exist"):
        read_recordings(tmp_path / "gone.mha")


def test_other_peoples_files_are_left_to_other_readers(tmp_path):
    write_png(tmp_path / "photos" / "holiday.png", noise(*SHAPE))
    write_png(tmp_path / "photos" / "party.png", noise(*SHAPE))
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").write_text("hello")
    (tmp_path / "texts" / "other.raw").write_bytes(b"no yml")
    (tmp_path / "empty").mkdir()
    for name in ("photos", "texts", "empty", "photos/party.png", "texts/other.raw"):
        assert get_reader(str(tmp_path / name)) is None, name
    assert get_reader([str(tmp_path / "a.mha"), str(tmp_path / "b.mha")]) is None


def test_a_large_external_folder_is_left_quickly(tmp_path):
    for number in range(30):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        for inner in range(100):
            (folder / f"{inner}.txt").touch()
    get_reader(str(tmp_path / "0"))  # imports
    start = time.perf_counter()
    assert get_reader(str(tmp_path)) is None
    assert time.perf_counter() - start < 0.5


def test_the_manifest_claims_the_files_of_every_format_but_pictures():
    (reader,) = PluginManifest.from_distribution("sonotempo").contributions.readers
    readable = (known for known in FORMATS if known is not IMAGES and known.name != "image stack")
    suffixes = {suffix for known in readable for suffix in known.suffixes}
    named = {pattern for pattern in reader.filename_patterns if pattern.startswith("*.")}
    assert named == {f"*{suffix}" for suffix in suffixes}
    for suffix in suffixes - {".raw"}:  # which also needs its .yml
        assert get_reader(f"a{suffix}") is not None


def test_pictures_are_left_to_other_readers(tmp_path):
    path = write_png(tmp_path / "a.png", noise(*SHAPE))
    with pytest.raises(ValueError, match="not a compatible reader"):
        read([str(path)], stack=False, plugin_name="sonotempo")


def test_recordings_are_found_however_deep_they_lie(tmp_path):
    deep = tmp_path.joinpath(*"abcdef", "g")
    write_dicom(deep / "IM1", dicom(noise(3, *SHAPE)))
    (deep / "back").symlink_to(tmp_path)
    assert get_reader(str(tmp_path)) is not None
    assert list(recording_paths(tmp_path)) == [deep / "IM1"]


def test_from_the_command_palette_the_user_chooses_a_file(tmp_path, monkeypatch):
    path = write_dicom(tmp_path / "IM1", dicom(noise(3, *SHAPE)))
    opened = []
    viewer = SimpleNamespace(open=lambda path, plugin: opened.append((path, plugin)))
    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    for chosen in (str(path), ""):
        monkeypatch.setattr(
            "qtpy.QtWidgets.QFileDialog.getOpenFileName", lambda *_, chosen=chosen: (chosen, "")
        )
        assert get_reader() is None
    assert opened == [(str(path), "sonotempo")]
