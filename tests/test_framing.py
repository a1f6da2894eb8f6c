"""The area and the scale that somebody gives, and the file that keeps them next to a recording."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.files import write_video
from sonotempo.errors import RecordingError
from sonotempo.framing import Framing, framing_path, read_framing, write_framing
from sonotempo.io import open_dataset, open_recording
from sonotempo.recording import Box
from sonotempo.sector import Sector
from sonotempo.structures import NERVE_VESSEL


@st.composite
def framings(draw):
    height, width = draw(st.integers(20, 2000)), draw(st.integers(20, 2000))
    area = None
    if draw(st.booleans()):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        area = Box(
            top, left, draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
        )
    mm = draw(st.none() | st.floats(0.001, 10, allow_nan=False))
    sector = draw(st.none() | st.just(Sector(-10.5, 20.0, 5.0, 300.25, -0.5, 0.25)))
    return Framing((height, width), area, mm, sector)


@given(framings())
def test_what_is_written_is_read_back(framing):
    assert Framing.from_json(json.loads(json.dumps(framing.as_json()))) == framing


@given(st.floats(0, 600), st.floats(0, 800), st.floats(0.02, 0.5), st.floats(0, 6.3))
def test_a_ruler_gives_the_size_of_a_pixel_in_any_direction(row, column, mm, angle):
    other = row + 300 * np.sin(angle), column + 300 * np.cos(angle)
    found = Framing((600, 800)).with_ruler((row, column), other, 300 * mm)
    assert found.mm_per_px == pytest.approx(mm)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Framing((600, 800)).with_ruler((5, 5), (9, 5), 10), "4 pixels apart"),
        (lambda: Framing((600, 800)).with_ruler((5, 5), (105, 5), 0), "a pixel of 0 mm"),
        (lambda: Framing((600, 800)).with_ruler((5, 5), (105, 5), float("nan")), "nan mm"),
        (lambda: Framing((600, 800)).with_depth(60000), "a pixel of 100 mm"),
        (lambda: Framing((600, 800), Box(0, 0, 601, 800)), "leaves frames of 600x800"),
    ],
)
def test_nonsense_is_refused(make, said):
    with pytest.raises(RecordingError, match=said):
        make()


def test_a_recording_follows_the_file_next_to_it(tmp_path):
    path = write_video(tmp_path / "anna" / "scan.mp4", np.zeros((4, 48, 64), np.uint8))
    assert open_recording(path).spacing_mm is None
    area = Box(8, 4, 40, 60)
    assert write_framing(path, Framing((48, 64), area, 0.2)).name == "scan.mp4.framing.json"
    for recording in (open_recording(path), open_recording(tmp_path / "anna")):
        frame = recording[3]
        assert (frame.area, frame.spacing_mm) == (area, (0.2, 0.2))
        assert (recording.area, recording.spacing_mm) == (area, (0.2, 0.2))
        assert framing_path(path) in recording.files, "a change must not find the old cache"
    (one,) = open_dataset(tmp_path, NERVE_VESSEL).recordings
    assert one[0].area == area


def test_a_framing_of_other_frames_is_refused(tmp_path):
    path = write_video(tmp_path / "scan.mp4", np.zeros((4, 48, 64), np.uint8))
    write_framing(path, Framing((40, 64)))
    with pytest.raises(RecordingError, match=r"is for frames of 40x64 .* has 48x64; delete it"):
        open_recording(path)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 2}', '{"format": 1, "shape": "x"}', "{"])
def test_a_damaged_file_is_named(tmp_path, content):
    framing_path(tmp_path / "a.mp4").write_text(content)
    with pytest.raises(RecordingError, match=r"a\.mp4\.framing\.json does not say .* delete it"):
        read_framing(tmp_path / "a.mp4")


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    with pytest.raises(RecordingError, match=r"cannot be written .* copy the recording"):
        write_framing(tmp_path / "missing" / "a.mp4", Framing((48, 64)))


def test_a_sector_reaches_down_to_the_last_row_of_the_area():
    sector = Sector(-10.0, 50.0, 20.0, 60.0, -0.5, 0.5)
    framing = Framing((200, 100), Box(10, 0, 150, 100)).with_sector(sector)
    assert framing.sector.outer_px == 160, "deep rows are dark and hardly change"
    assert Framing((200, 100)).with_sector(sector).sector == sector
    assert framing.with_sector(None).sector is None
