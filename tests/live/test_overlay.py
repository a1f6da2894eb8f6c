from fractions import Fraction

import av
import numpy as np
import pytest

from fakes.files import noise
from sonotempo.errors import RecordingError
from sonotempo.io import open_recording
from sonotempo.live import overlay
from sonotempo.live.overlay import OverlayVideo, outlined
from sonotempo.structures import AXILLARY, NERVE_VESSEL

YELLOW, RED = (structure.color_rgb for structure in NERVE_VESSEL)


def masked(shape_HW=(40, 60)):
    mask_HW = np.zeros(shape_HW, np.uint8)
    mask_HW[5:20, 5:25] = 1
    mask_HW[10:35, 35:55] = 2
    return mask_HW


def test_only_the_edge_of_a_structure_is_coloured():
    image_HW = noise(40, 60)
    picture_HW3 = outlined(image_HW, masked(), NERVE_VESSEL)
    assert picture_HW3[5, 5].tolist() == list(YELLOW)
    assert picture_HW3[34, 54].tolist() == list(RED)
    for row, column in ((0, 0), (12, 15), (20, 45)):
        assert picture_HW3[row, column].tolist() == [image_HW[row, column]] * 3


def test_a_frame_without_structures_stays_grey():
    image_HW = noise(8, 8)
    picture_HW3 = outlined(image_HW, np.zeros_like(image_HW), AXILLARY)
    assert (picture_HW3 == image_HW[:, :, None]).all()


def written(path, titles=("frame", "sequence"), times_ms=(0, 40, 100), **more):
    image_HW = noise(40, 61)
    with OverlayVideo(path, titles, NERVE_VESSEL, frame_rate_hz=25, **more) as video:
        for time_ms in times_ms:
            video.add(image_HW, [masked((40, 61))] * len(titles), time_ms * 1_000_000)
    return path


@pytest.mark.parametrize("name", ["overlay.mp4", "overlay.mkv", "overlay.mov"])
def test_the_video_holds_a_panel_for_each_model_at_the_recordings_times(tmp_path, name):
    recording = open_recording(written(tmp_path / "new" / name))
    assert len(recording) == 3
    assert recording.timestamps_ns.tolist() == [0, 40_000_000, 100_000_000]
    height, width = recording[0].image_HW.shape
    assert (height % 2, width) == (0, 2 * 488)


def test_colours_survive_the_codec(tmp_path):
    with av.open(str(written(tmp_path / "overlay.mp4", titles=("frame",)))) as container:
        picture_HW3 = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    for color_rgb in (YELLOW, RED):
        assert (np.abs(picture_HW3 - color_rgb).sum(axis=2) < 90).sum() > 100


def test_a_clock_that_stands_still_or_goes_back_still_makes_a_video(tmp_path):
    path = written(tmp_path / "overlay.mkv", times_ms=(50, 50, 10))
    assert len(open_recording(path)) == 3


def test_pixels_that_are_not_square_are_shown_in_their_true_shape(tmp_path):
    path = written(tmp_path / "overlay.mp4", pixel_size=(0.2, 0.1))
    with av.open(str(path)) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(1, 2)


@pytest.mark.parametrize("name", ["overlay.avi", "file/overlay.mp4"])
def test_a_video_that_cannot_be_written_is_named(tmp_path, name):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(RecordingError, match=r"overlay.*cannot be written"):
        written(tmp_path / name)


def test_without_pyav_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(RecordingError, match=r"pip install 'sonotempo\[video\]'"):
        overlay.OverlayVideo(tmp_path / "a.mp4", ["frame"], NERVE_VESSEL, frame_rate_hz=25)
