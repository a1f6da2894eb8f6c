"""What stands around the image on a scanner's screen: recognised, kept, and noticed to change."""

import pytest

from fakes.scanner_screen import AREA, FRAMING, screen
from sonotempo.errors import SourceError
from sonotempo.live.sources.capture import layouts
from sonotempo.live.sources.capture.layouts import (
    LayoutWatch,
    keep_layout,
    known_layouts,
    layout_of,
    layouts_file,
)
from sonotempo.recording import Box


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_a_layout_is_recognised_whatever_the_image_shows():
    layout = layout_of("card", FRAMING, screen(0))
    assert layout.is_on(screen(1))
    assert not layout.is_on(screen(1, menu=1))
    assert not layout.is_on(screen(1)[:-8])


def test_layouts_are_kept_per_device_and_the_newest_of_a_screen_counts():
    assert known_layouts("card") == ()
    keep_layout(layout_of("card", FRAMING, screen(0)))
    keep_layout(layout_of("card", FRAMING.with_area(Box(40, 72, 208, 280)), screen(1)))
    keep_layout(layout_of("card", FRAMING, screen(2, menu=5)))
    keep_layout(layout_of("other", FRAMING, screen(0)))
    assert [one.framing.area for one in known_layouts("card")] == [AREA, Box(40, 72, 208, 280)]
    assert known_layouts("card")[1].is_on(screen(9))
    assert len(known_layouts("other")) == 1


def test_a_damaged_file_is_begun_again_and_a_folder_in_the_way_is_a_sentence(monkeypatch, tmp_path):
    layouts_file().parent.mkdir(parents=True)
    layouts_file().write_text('{"format": 1, "layouts": [{"device": 3}]}')
    assert known_layouts("card") == ()
    keep_layout(layout_of("card", FRAMING, screen(0)))
    assert len(known_layouts("card")) == 1
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(layouts, "layouts_file", lambda: tmp_path / "file" / "x.json")
    with pytest.raises(SourceError, match=r"could not be kept in .* holds until the stream ends"):
        keep_layout(layout_of("card", FRAMING, screen(0)))


def test_a_change_for_good_is_noticed_and_a_clock_is_not():
    watch = LayoutWatch(layout_of("card", FRAMING, screen(0)))
    assert not any(watch.has_changed(screen(n, clock=n)) for n in range(20))
    said = [watch.has_changed(screen(n, menu=3, clock=n)) for n in range(6)]
    assert said.index(True) in (2, 3), "after three steady looks"


def test_a_menu_that_opens_for_a_moment_is_no_other_layout():
    watch = LayoutWatch(layout_of("card", FRAMING, screen(0)))
    menus = [0, 0, 3, 0, 0, 3, 3, 0, 0]
    assert not any(watch.has_changed(screen(n, menu=menu)) for n, menu in enumerate(menus))


def test_an_image_larger_than_its_box_has_cells_that_move():
    small = FRAMING.with_area(Box(80, 120, 160, 240))
    watch = LayoutWatch(layout_of("card", small, screen(0)))
    assert not any(watch.has_changed(screen(n)) for n in range(10))
    assert watch.steady_layout().is_on(screen(50)), "recognised another day"
    assert any(watch.has_changed(screen(n, menu=3)) for n in range(10, 20)), "and watched"
