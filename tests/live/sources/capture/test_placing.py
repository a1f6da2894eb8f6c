"""Where the image is in captured frames: said, known from before, or found."""

import numpy as np
import pytest

from fakes.scanner_screen import AREA, FRAMING, SHAPE, screen
from sonotempo.framing import Framing
from sonotempo.live.sources.capture import placing as module
from sonotempo.live.sources.capture.layouts import known_layouts
from sonotempo.live.sources.capture.placing import Placing
from sonotempo.live.sources.capture.request import CaptureRequest
from sonotempo.recording import Box


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A second passes with every frame."""
    times = iter(range(1, 10_000))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times))


def placing(**request):
    said = []
    asked = CaptureRequest("card", "url", "lavfi", device="card", **request)
    return Placing(asked, said.append), said


def seen(one, frames):
    for frame in frames:
        framing = one.see(frame)
    return framing


def close(area, other=AREA):
    edges = np.array([[b.top, b.left, b.bottom, b.right] for b in (area, other)])
    return np.abs(edges[0] - edges[1]).max() <= 4


def test_the_image_is_found_and_the_depth_gives_its_scale():
    one, said = placing(depth_mm=40)
    assert one.see(screen(0)) == Framing(SHAPE)
    framing = seen(one, map(screen, range(30)))
    assert close(framing.area)
    assert framing.mm_per_px == pytest.approx(40 / framing.area.shape[0])
    assert any("area=" in sentence for sentence in said)


def test_what_the_user_says_counts_from_the_next_frame_on_and_another_day():
    one, _ = placing()
    seen(one, map(screen, range(5)))
    one.ask(FRAMING)
    assert seen(one, map(screen, range(30))) == FRAMING
    another, said = placing()
    assert another.see(screen(77)) == FRAMING
    assert any("is known" in sentence for sentence in said)
    other_preset, _ = placing()
    assert other_preset.see(screen(77, menu=4)) == Framing(SHAPE)


def test_the_user_s_word_for_frames_of_another_size_is_ignored():
    one, _ = placing()
    one.see(screen(0))
    one.ask(Framing((100, 100)))
    assert one.see(screen(1)) == Framing(SHAPE)
    assert known_layouts("card") == ()


def test_another_preset_has_no_scale_and_the_one_before_is_recognised():
    one, said = placing()
    one.see(screen(0))
    one.ask(FRAMING)
    seen(one, map(screen, range(4)))
    changed = seen(one, (screen(n, menu=4) for n in range(8)))
    assert changed.mm_per_px is None
    assert any("screen has changed" in sentence for sentence in said)
    found = seen(one, (screen(n, menu=4) for n in range(40)))
    assert close(found.area)
    assert found.mm_per_px is None
    assert seen(one, map(screen, range(8))) == FRAMING


def test_the_address_counts_and_an_area_that_does_not_fit_is_said():
    one, _ = placing(area=AREA, mm_per_px=0.2)
    assert one.see(screen(0)) == Framing(SHAPE, AREA, 0.2)
    other, said = placing(area=Box(0, 0, 500, 320))
    assert other.see(screen(0)).area is None
    assert "does not fit frames of 320x240" in said[0]


def test_asking_to_look_again_finds_the_image_again():
    one, _ = placing(area=Box(0, 0, 60, 60))
    one.see(screen(0))
    one.ask(None)
    assert close(seen(one, map(screen, range(30))).area)


def test_another_size_begins_again():
    one, _ = placing()
    one.see(screen(0))
    one.ask(FRAMING)
    one.see(screen(1))
    smaller = screen(0)[:-40]
    assert one.see(smaller) == Framing(smaller.shape)
    assert one.see(screen(3)) == FRAMING, "known by its layout"


def test_a_folder_that_cannot_be_written_is_said_and_the_framing_holds(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    one, said = placing()
    one.see(screen(0))
    one.ask(FRAMING)
    assert one.see(screen(1)) == FRAMING
    assert any("could not be kept" in sentence for sentence in said)
