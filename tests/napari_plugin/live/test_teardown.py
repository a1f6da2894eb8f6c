"""Closing the window, removing the widget, a source that hangs: nothing is left running."""

import os
import threading

import numpy as np
import pytest

from fakes.streams import HandSource

pytestmark = pytest.mark.gui

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from fakes.live_window import (
        LiveWindow,
        live_threads,
        memory_and_processes,
        remember_in,
        write_models,
    )


@pytest.fixture
def no_memory_left():
    """Fail if the test leaves shared memory or a process."""
    before = memory_and_processes()
    yield
    after = memory_and_processes()
    assert {kind: found - before[kind] for kind, found in after.items()} == {
        "shared memory": set(),
        "child processes": set(),
    }


@pytest.fixture
def live(tmp_path, no_memory_left, nothing_left, make_napari_viewer_proxy, qtbot):
    remember_in(tmp_path / "settings")
    window = LiveWindow(make_napari_viewer_proxy(show=True), qtbot)
    yield window
    window.forget()


def test_closing_the_window_ends_everything(live, tmp_path, qtbot):
    live.start(*write_models(tmp_path, "frame", "sequence"))
    assert memory_and_processes()["shared memory"]
    assert len(live_threads()) >= 2
    live.viewer.close()
    qtbot.waitUntil(lambda: not live_threads(), timeout=10_000)
    assert not memory_and_processes()["shared memory"]


def test_closing_the_window_while_recording_keeps_the_recording(live, tmp_path, qtbot):
    from sonotempo.io import open_recording

    live.start(*write_models(tmp_path, "frame"))
    live.widget.link.record(tmp_path)
    path = live.widget.link.session.recorder.path
    qtbot.wait(500)
    live.viewer.close()
    qtbot.waitUntil(lambda: not live_threads(), timeout=10_000)
    assert len(open_recording(path)) > 0


def visible_in_the_middle(widget):
    """The widgets in the middle of the window, and which of them are shown."""
    centre = widget.window().centralWidget()
    return {one: one.isVisible() for one in centre.children() if one.isWidgetType()}


@pytest.mark.parametrize("streams", ["running", "stopped", "never started"])
@pytest.mark.parametrize("how", ["removed by a script", "closed by its button", "deleted"])
def test_closing_the_dock_leaves_nothing_in_the_viewer(live, tmp_path, qtbot, streams, how):
    viewer = live.viewer
    viewer.add_image(np.zeros((2, 2)), name="mine")
    live.widget.link.stage.leave()
    before = visible_in_the_middle(live.widget)
    window = live.window
    if streams != "never started":
        live.start(*write_models(tmp_path, "frame", "sequence"))
        assert visible_in_the_middle(live.widget) != before
    if streams == "stopped":
        live.stop()
    if how == "removed by a script":
        viewer.window.remove_dock_widget(live.dock)
    elif how == "closed by its button":
        live.click(live.dock.title.close_button)
    else:
        live.widget.deleteLater()
        qtbot.wait(50)
    live.widget = live.dock = None
    qtbot.waitUntil(lambda: not live_threads(), timeout=10_000)
    assert not memory_and_processes()["shared memory"]
    assert [layer.name for layer in viewer.layers] == ["mine"]
    centre = window.centralWidget()
    qtbot.waitUntil(
        lambda: {one: one.isVisible() for one in centre.children() if one.isWidgetType()} == before,
        timeout=5_000,
    )
    viewer.add_image(np.zeros((2, 2)))


def test_closing_the_full_screen_by_the_window_system_goes_back(live, tmp_path):
    live.start(*write_models(tmp_path, "frame"))
    stage = live.widget.link.stage
    stage.toggle_presentation()
    stage.presentation.close()
    assert stage.presentation is None
    assert stage.panel.isVisible()


def test_closing_the_window_closes_the_full_screen(live, tmp_path, qtbot):
    live.start(*write_models(tmp_path, "frame"))
    live.widget.link.stage.toggle_presentation()
    live.viewer.close()
    qtbot.waitUntil(lambda: not live_threads(), timeout=10_000)


def test_closing_while_models_are_being_loaded_leaves_nothing(live, tmp_path, qtbot):
    live.widget.models_box.choose(write_models(tmp_path, "frame", "sequence"))
    live.click(live.widget.start)
    assert live.widget.link.state == "starting"
    live.viewer.close()
    qtbot.waitUntil(lambda: not live_threads(), timeout=20_000)


def test_a_source_that_hangs_does_not_hold_the_window(live, tmp_path, qtbot, monkeypatch):
    from napari_sonotempo.live.session import LiveRequest

    monkeypatch.setattr("sonotempo.live.pipeline._STOP_S", 0.5)
    source = HandSource()
    source.hang.set()
    link = live.widget.link
    link.start(LiveRequest("hanging", lambda: source, write_models(tmp_path, "frame")))
    live.wait_state("live")
    live.click(live.widget.start)
    assert link.state == "stopping"  # the window answers meanwhile
    live.wait_state("stopped", 20)
    assert "the source did not end" in live.messages
    assert not memory_and_processes()["shared memory"]
    source.released.set()
    qtbot.waitUntil(lambda: not live_threads(), timeout=10_000)


def test_a_probes_process_is_ended_with_the_window(live, tmp_path, qtbot, monkeypatch):
    import socket

    from fakes.clarius import SDK, StandIn, is_running

    StandIn(tmp_path / "stand-in", monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as server:
        box = live.widget.source_box
        box.kind.setCurrentText("Clarius probe")
        box.host.setText("127.0.0.1")
        box.port.setValue(server.getsockname()[1])
        box.sdk.setText(str(SDK))
        live.start(*write_models(tmp_path, "frame"))
        pid = live.widget.link.session.source.pid
        assert is_running(pid)
        live.viewer.close()
        qtbot.waitUntil(lambda: not is_running(pid), timeout=10_000)
    qtbot.waitUntil(lambda: not live_threads(), timeout=10_000)


def test_cleaning_up_twice_is_harmless(live):
    live.widget.cleanup()
    live.widget.cleanup()
    assert threading.main_thread().is_alive()
