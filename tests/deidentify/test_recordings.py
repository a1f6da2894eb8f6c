"""Copies of videos keep the scale that somebody has given."""

import numpy as np

from fakes.files import write_video as save_video
from sonotempo.deidentify.recordings import write_video
from sonotempo.framing import Framing, framing_path, write_framing
from sonotempo.io import open_recording
from sonotempo.recording import Box
from sonotempo.sector import Sector

WEDGE = Sector(-10.0, 32.0, 12.0, 55.0, -0.5, 0.5)


def test_a_video_keeps_scale_and_sector_next_to_it_and_its_corners_are_black(tmp_path):
    frames = np.random.default_rng(0).integers(60, 255, (4, 48, 64), dtype=np.uint8)
    original = save_video(tmp_path / "in" / "scan.mp4", frames)
    area = Box(4, 6, 44, 58)
    write_framing(original, Framing((48, 64), area, 0.2, WEDGE))
    (tmp_path / "out").mkdir()
    write_video(open_recording(original), tmp_path / "out" / "0001.mkv", area)
    frame = open_recording(tmp_path / "out" / "0001.mkv")[0]
    assert frame.spacing_mm == (0.2, 0.2)
    assert frame.sector == WEDGE.within(4, 6)
    outside = ~frame.sector.inside(np.arange(40.0), np.arange(52.0))
    assert outside.any()
    assert not frame.image_HW[outside].any()


def test_a_video_without_a_scale_has_none_afterwards(tmp_path):
    frames = np.zeros((4, 48, 64), np.uint8)
    original = save_video(tmp_path / "in" / "scan.mp4", frames)
    (tmp_path / "out").mkdir()
    write_video(open_recording(original), tmp_path / "out" / "0001.mkv", Box(0, 0, 48, 64))
    assert not framing_path(tmp_path / "out" / "0001.mkv").exists()
