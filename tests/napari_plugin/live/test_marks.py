"""Marks that are set by a key while a stream is recorded."""

import os

import pytest

from sonotempo.io import open_recording
from sonotempo.io.marks import read_marks

pytestmark = pytest.mark.gui

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    from fakes.live_window import LiveWindow, remember_in


@pytest.fixture
def live(tmp_path, nothing_left, make_napari_viewer_proxy, qtbot):
    remember_in(tmp_path / "settings")
    window = LiveWindow(make_napari_viewer_proxy(show=True), qtbot)
    window.widget._settings.save("folder", tmp_path / "saved")
    yield window
    window.widget.cleanup()
    window.forget()


def test_a_mark_goes_into_the_recording_at_the_frame_on_screen(live, tmp_path):
    live.start()
    live.key(Qt.Key.Key_K)
    assert "press Record (R)" in live.messages
    live.key(Qt.Key.Key_R)
    recorder = live.widget.link.session.recorder
    live.wait(lambda: recorder.statistics.frames > 5, "some frames")
    shown = live.widget.link.shown.frame.index
    live.key(Qt.Key.Key_K)
    menu = live.widget.marks.menu
    live.wait(menu.isVisible, "the list of marks")
    live.wait(lambda: recorder.statistics.frames > 15, "time to choose")
    QTest.keyClick(menu, Qt.Key.Key_1)
    assert "marked: needle in" in live.messages
    live.key(Qt.Key.Key_R)
    live.wait(lambda: (tmp_path / "saved").glob("*.mkv"), "the recording")
    live.wait(lambda: "frames and" in live.messages, "its end")
    live.widget.marks.set_mark(0, "too late")
    assert live.messages.endswith("and marks go into the recording.")
    (path,) = (tmp_path / "saved").glob("*.mkv")
    recording = open_recording(path)
    (mark,) = read_marks(recording)
    assert mark.text == "needle in"
    assert 0 <= recording.frame_numbers[mark.index] - shown <= 3
