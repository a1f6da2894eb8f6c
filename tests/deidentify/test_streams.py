"""Recorded streams whose size and area change."""

import numpy as np
import pytest

from sonotempo.deidentify.area import GivenArea
from sonotempo.deidentify.refused import RefusedError
from sonotempo.deidentify.streams import write_stream
from sonotempo.io import open_recording
from sonotempo.live.buffer.ring_buffer import StreamedFrame
from sonotempo.live.recording.files import open_stream_files
from sonotempo.recording import Box, Frame
from sonotempo.sector import Sector

SMALL, LARGE = (40, 60), (80, 100)


def image(number, shape):
    return np.random.default_rng(number).integers(0, 256, shape, np.uint8)


def recorded(tmp_path, frames, sector=None):
    """Write frames of (shape, area) as a stream and open it."""
    files = open_stream_files(tmp_path / "in.mkv")
    for number, (shape, area) in enumerate(frames):
        time_ns = 10**18 + number * 40_000_000
        frame = Frame(image(number, shape), number, time_ns, (0.1, 0.1), area, sector=sector)
        files.write_frame(StreamedFrame(frame, number + 100, time_ns))
    files.close()
    return open_recording(tmp_path / "in.mkv")


def test_each_frame_takes_its_area_and_one_without_that_of_its_size(tmp_path):
    small, large = Box(5, 5, 30, 50), Box(10, 10, 70, 90)
    frames = [(SMALL, None), (SMALL, small), (LARGE, large), (LARGE, None)]
    recording = recorded(tmp_path, frames)
    (tmp_path / "out").mkdir()
    write_stream(recording, tmp_path / "out" / "0001.mkv", None, None)
    copy = open_recording(tmp_path / "out" / "0001.mkv")
    assert copy.frame_numbers.tolist() == [100, 101, 102, 103]
    for index, box in enumerate((small, small, large, large)):
        expected = image(index, frames[index][0])[box.top : box.bottom, box.left : box.right]
        np.testing.assert_array_equal(copy.images[index], expected)
    assert copy.host_ns.tolist() == [0, 40_000_000, 80_000_000, 120_000_000]
    assert copy.spacing_mm == (0.1, 0.1)


def test_a_frame_without_any_area_is_refused_and_takes_the_user_s(tmp_path):
    recording = recorded(tmp_path, [(SMALL, Box(5, 5, 30, 50)), (LARGE, None)])
    (tmp_path / "out").mkdir()
    with pytest.raises(RefusedError, match=r"frame 101 of .*in\.mkv"):
        write_stream(recording, tmp_path / "out" / "a.mkv", None, None)
    given = GivenArea(Box(0, 0, 20, 20))
    write_stream(recording, tmp_path / "out" / "b.mkv", None, given)
    copy = open_recording(tmp_path / "out" / "b.mkv")
    assert [frame.image_HW.shape for frame in copy] == [(20, 20), (20, 20)]


def test_the_corners_of_a_sector_are_black_and_the_sector_moves_with_the_box(tmp_path):
    wedge = Sector(-10.0, 30.0, 12.0, 48.0, -0.5, 0.5)
    box = Box(5, 5, 38, 55)
    recording = recorded(tmp_path, [(SMALL, box)], wedge)
    (tmp_path / "out").mkdir()
    write_stream(recording, tmp_path / "out" / "a.mkv", None, None)
    (frame,) = open_recording(tmp_path / "out" / "a.mkv")
    inside = wedge.inside(np.arange(5.0, 38.0), np.arange(5.0, 55.0))
    assert not frame.image_HW[~inside].any()
    np.testing.assert_array_equal(frame.image_HW[inside], image(0, SMALL)[5:38, 5:55][inside])
    again = frame.sector.inside(np.arange(33.0), np.arange(50.0))
    np.testing.assert_array_equal(again, inside)
