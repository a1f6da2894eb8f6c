"""Setting the image's box and scale by hand, in a real window."""

import json
import os

import numpy as np
import pytest

from fakes.files import write_video
from sonotempo.framing import Framing, framing_path, read_framing, write_framing
from sonotempo.io import open_recording
from sonotempo.recording import Box
from sonotempo.sector import Sector

pytestmark = pytest.mark.gui

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    from _scanner_window import LEFT, TOP, ScannerWindow
    from fakes.live_window import LiveWindow, remember_in, write_models


@pytest.fixture
def live(tmp_path, monkeypatch, nothing_left, make_napari_viewer_proxy, qtbot):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    remember_in(tmp_path / "settings")
    window = LiveWindow(make_napari_viewer_proxy(show=True), qtbot)
    window.widget._settings.save("folder", tmp_path / "saved")
    yield window
    window.widget.cleanup()
    window.forget()


def on_canvas(canvas, row, column):
    """Where a place of the whole frame is on the canvas."""
    canvas.repaint()
    panel, frame = canvas.places.panels[0], canvas.scene.result.frame
    height, width = frame.image_HW.shape
    return QPoint(
        round(panel.left() + column / width * panel.width()),
        round(panel.top() + row / height * panel.height()),
    )


def click(canvas, row, column):
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=on_canvas(canvas, row, column))


def drag(canvas, begin, end):
    at, to = on_canvas(canvas, *begin), on_canvas(canvas, *end)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=at)
    for share in (0.5, 1.0):
        QTest.mouseMove(canvas, at + (to - at) * share)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=to)


def edges(box):
    return np.array([box.top, box.left, box.bottom, box.right])


@pytest.mark.skipif("DISPLAY" not in os.environ, reason="no X11 screen")
def test_a_scanner_s_screen_with_its_box_found_and_its_scale_set_by_two_clicks(live, tmp_path):
    widget, link = live.widget, live.widget.link
    scanner = ScannerWindow()
    scanner.show()
    scanner.raise_()
    place, (height, width) = scanner.geometry(), scanner.images[0].shape
    region = f"{place.x()},{place.y()},{place.width()}x{place.height()}"
    try:
        widget.source_box.choose(f"capture://screen?region={region}&fps=20")
        live.start(*write_models(tmp_path, "frame", "sequence"))
        live.wait(lambda: link.shown.frame.area is not None, "the box")
        live.wait(lambda: link.shown.predictions, "masks of what is in the box")
        found, true = (
            edges(link.shown.frame.area),
            np.array([TOP, LEFT, TOP + height, LEFT + width]),
        )
        assert np.abs(found - true)[[0, 1, 3]].max() <= 8, "the deepest rows are dark"
        assert "no scale" in widget.framing_panel.now.text()
        assert link.shown.frame.spacing_mm is None

        live.click(widget.framing_panel.begin)
        canvas = link.stage.canvas
        assert len(canvas.scene.titles()) == 1
        drag(canvas, (found[2], LEFT + width / 2), (true[2], LEFT + width / 2))
        assert abs(widget.framing.draft.box.bottom - true[2]) <= 2
        live.click(widget.framing_panel.tools.button(1))
        click(canvas, *scanner.tick(0))
        assert "other tick" in widget.framing_panel.measured.text()
        click(canvas, *scanner.tick(30))
        widget.framing_panel.distance_mm.setValue(30)
        assert "mm per pixel" in widget.framing_panel.measured.text()
        live.screenshot(tmp_path / "set-up.png")
        live.click(widget.framing_panel.keep)
        live.wait(lambda: link.shown.frame.spacing_mm is not None, "the scale")
        assert link.shown.frame.spacing_mm[0] == pytest.approx(scanner.mm_per_px, rel=0.02)
        assert link.shown.frame.area.bottom == pytest.approx(true[2], abs=2)
        live.screenshot(tmp_path / "kept.png")
        live.click(widget.controls.record)
        live.wait(lambda: link.session.recorder.statistics.frames > 3, "frames on the disk")
        live.click(widget.controls.record)
        live.wait(lambda: "masks recorded" in live.messages, "the end of the recording")
        (lines,) = (tmp_path / "saved").glob("*.jsonl")
        recorded = open_recording(lines.with_suffix(".mkv"))
        assert recorded.spacing_mm[0] == pytest.approx(scanner.mm_per_px, rel=0.02)
        kept = recorded.area
        live.stop()
        # Another day the same screen is recognised.
        live.start()
        live.wait(lambda: link.shown.frame.spacing_mm is not None, "the scale of before")
        assert link.shown.frame.area == kept
        live.wait(lambda: "is known" in live.messages, "a word about it")
        live.stop()
    finally:
        scanner.close()
        scanner.deleteLater()


def test_a_plain_video_keeps_its_box_and_scale_in_a_file_next_to_it(live, tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (60, 96, 128), dtype=np.uint8)
    path = write_video(tmp_path / "scan.mp4", frames)
    widget, panel = live.widget, live.widget.framing_panel
    widget.source_box.choose(str(path))
    live.start()
    canvas = widget.link.stage.canvas
    live.click(panel.begin)
    drag(canvas, (20, 30), (80, 100))
    assert np.abs(edges(widget.framing.draft.box) - (20, 30, 80, 100)).max() <= 1
    drag(canvas, (50, 60), (55, 65))
    assert np.abs(edges(widget.framing.draft.box) - (25, 35, 85, 105)).max() <= 1
    panel.depth_mm.setValue(30)
    box = widget.framing.draft.box
    live.click(panel.keep)
    live.wait(lambda: framing_path(path).is_file(), "the file")
    live.wait(lambda: "scan.mp4.framing.json" in live.messages, "a word about it")
    live.stop()
    again = open_recording(path)
    assert again.area == box
    assert again.spacing_mm[0] == pytest.approx(30 / box.shape[0])
    assert json.loads(framing_path(path).read_text())["area"] == edges(box).tolist()


def test_cancel_and_nonsense_leave_everything_as_it_was(live, tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (60, 96, 128), dtype=np.uint8)
    widget, panel = live.widget, live.widget.framing_panel
    widget.source_box.choose(str(write_video(tmp_path / "scan.mp4", frames)))
    assert not panel.begin.isEnabled()
    live.start()
    canvas = widget.link.stage.canvas
    live.wait(panel.begin.isEnabled, "the button")
    live.click(panel.begin)
    live.click(panel.tools.button(1))
    click(canvas, 10, 10)
    click(canvas, 10, 80)
    panel.distance_mm.setValue(0)
    assert "a pixel of 0 mm" in panel.measured.text()
    live.click(panel.keep)
    assert "a pixel of 0 mm" in live.messages
    assert widget.framing.draft is not None, "nothing that was drawn is lost"
    live.click(panel.cancel)
    assert widget.framing.draft is None
    assert widget.link.shown.frame.area is None
    live.click(panel.begin)
    live.click(panel.whole)
    assert widget.framing.draft.box == Box(0, 0, 96, 128)
    live.stop()
    assert widget.framing.draft is None
    assert not framing_path(tmp_path / "scan.mp4").exists()


def test_a_simulation_knows_its_scale(live):
    panel = live.widget.framing_panel
    live.start()
    live.wait(lambda: "mm per pixel" in panel.now.text(), "the scale")
    assert not panel.begin.isEnabled()
    live.stop()


def test_a_curved_image_is_segmented_inside_its_sector_only(live, tmp_path):
    wedge = Sector(-40.0, 64.0, 50.0, 130.0, -0.5, 0.5)
    frames = np.random.default_rng(0).integers(60, 255, (60, 96, 128), dtype=np.uint8)
    path = write_video(tmp_path / "scan.mp4", frames)
    write_framing(path, Framing((96, 128), Box(4, 8, 90, 120), 0.3, wedge))
    widget, link = live.widget, live.widget.link
    widget.source_box.choose(str(path))
    live.start(*write_models(tmp_path, "frame", "sequence"))
    live.wait(lambda: link.shown.predictions, "masks")
    outside = ~wedge.inside(np.arange(96.0), np.arange(128.0))
    masks = [made.mask_HW() for made in link.shown.predictions]
    assert all(mask.any() for mask in masks)
    assert max((mask[outside] > 0).mean() for mask in masks) < 0.02, "the grid's pixels at the edge"
    live.click(widget.framing_panel.begin)
    live.screenshot(tmp_path / "sector.png")
    assert widget.framing_panel.corners.isEnabled()
    live.click(widget.framing_panel.corners)
    assert not widget.framing_panel.corners.isEnabled()
    live.click(widget.framing_panel.keep)
    live.wait(lambda: link.shown.frame.sector is None, "the whole box")
    live.wait(lambda: read_framing(path).sector is None, "the file")
    live.stop()
