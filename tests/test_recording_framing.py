"""`sonotempo data framing`: set, show and forget the area and scale of a recording."""

import numpy as np
import pytest
from typer.testing import CliRunner

from fakes.files import write_video
from fakes.scanner_screen import AREA, SHAPE, screen
from sonotempo.cli import app
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.framing import Framing, framing_path, read_framing, write_framing
from sonotempo.io import open_recording
from sonotempo.recording import Box
from sonotempo.recording_framing import found_image, set_framing


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "scan.mp4"
    return write_video(path, np.stack([screen(n) for n in range(60)]))


@pytest.fixture
def scan(video, tmp_path):
    copy = tmp_path / "scan.mp4"
    copy.write_bytes(video.read_bytes())
    return copy


def run(*arguments):
    return CliRunner().invoke(
        app, ["data", "framing", *map(str, arguments)], env={"COLUMNS": "200"}
    )


def test_the_area_is_found_and_a_ruler_gives_the_scale(scan, tmp_path):
    assert "area:   the whole frame" in run(scan).output
    picture = tmp_path / "look.png"
    done = run(scan, "--area", "find", "--ruler", "40,70,200,70,40", "--picture", picture)
    assert done.exit_code == 0, done.output
    assert "0.25 mm per pixel" in done.output
    kept = read_framing(scan)
    edges = np.array([[b.top, b.left, b.bottom, b.right] for b in (kept.area, AREA)])
    assert np.abs(edges[0] - edges[1]).max() <= 2
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert open_recording(scan).spacing_mm == (0.25, 0.25)


def test_what_is_not_given_stays(scan):
    set_framing(scan, area="10,20,110,220", depth_mm=50)
    framing, file = set_framing(scan, area="10,20,210,220")
    assert framing == Framing(SHAPE, Box(10, 20, 210, 220), 0.5)
    assert file == framing_path(scan)
    assert set_framing(scan, mm_per_px=0.1)[0].area == Box(10, 20, 210, 220)
    assert set_framing(scan, area="whole")[0] == Framing(SHAPE, None, 0.1)


def test_what_was_set_can_be_forgotten_even_if_it_does_not_fit(scan):
    write_framing(scan, Framing((10, 10)))
    assert run(scan).exit_code != 0
    assert "deleted" in run(scan, "--remove").output
    assert run(scan).exit_code == 0
    assert run(scan, "--remove").exit_code != 0


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"area": "1,2,3"}, ConfigError, "expected TOP,LEFT,BOTTOM,RIGHT, find or whole"),
        ({"area": "a,b,c,d"}, ConfigError, "expected TOP,LEFT,BOTTOM,RIGHT"),
        ({"area": "1,2,nan,4"}, ConfigError, "expected TOP,LEFT,BOTTOM,RIGHT"),
        ({"area": "0,0,999,9"}, RecordingError, "leaves frames of 240x320"),
        ({"area": "5,5,2,9"}, RecordingError, "is empty"),
        ({"ruler": "1,2,3,4"}, ConfigError, "expected ROW,COLUMN,ROW,COLUMN,MM"),
        ({"mm_per_px": 0.1, "depth_mm": 40}, ConfigError, "both give the scale"),
        ({"mm_per_px": -1}, RecordingError, "a pixel of -1 mm"),
    ],
)
def test_what_makes_no_sense_is_a_sentence_and_writes_nothing(scan, options, error, said):
    with pytest.raises(error, match=said):
        set_framing(scan, **options)
    assert not framing_path(scan).exists()


def test_a_recording_in_which_nothing_moves_has_no_area(tmp_path):
    still = write_video(tmp_path / "still.mp4", np.full((30, *SHAPE), 60, np.uint8))
    assert found_image(open_recording(still)) is None
    with pytest.raises(RecordingError, match=r"no part of .* changes"):
        set_framing(still, area="find")
