"""The live comparison in a real window, driven by clicks and keys."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakes.recordings import make_recording

pytestmark = pytest.mark.gui

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from qtpy.QtCore import Qt
    from qtpy.QtOpenGLWidgets import QOpenGLWidget
    from qtpy.QtTest import QTest

    from fakes.live_window import LiveWindow, remember_in, write_models


@pytest.fixture
def live(tmp_path, nothing_left, make_napari_viewer_proxy, qtbot):
    remember_in(tmp_path / "settings")
    window = LiveWindow(make_napari_viewer_proxy(show=True), qtbot)
    window.widget._settings.save("folder", tmp_path / "saved")
    yield window
    window.widget.cleanup()
    window.forget()


def picture(path):
    with Image.open(path) as image:
        return np.asarray(image)


def saved(tmp_path, pattern):
    return sorted((tmp_path / "saved").glob(pattern))


def test_a_users_path_from_the_sample_to_the_stop(live, tmp_path):
    widget, link = live.widget, live.widget.link
    controls = widget.controls
    live.viewer.open_sample("sonotempo", "axillary")
    assert widget.source_box.layer.count() == 1
    live.viewer.layers.clear()
    live.start(*write_models(tmp_path, "frame", "sequence"))
    live.wait(lambda: link.shown.frame.index > 10, "frames to come")
    assert [made.model for made in link.shown.predictions] == ["frame", "sequence"]
    assert len(link.stage.canvas.places.panels) == 2
    assert link.stage.canvas.pos().isNull(), "else it covers the controls"
    live.screenshot(tmp_path / "side.png")

    live.key(Qt.Key.Key_1)
    assert widget.view_box.style_wanted().view == "one"
    live.key(Qt.Key.Key_1)
    live.key(Qt.Key.Key_1)
    assert widget.view_box.style_wanted().shown == "both"
    live.screenshot(tmp_path / "both.png")
    live.key(Qt.Key.Key_3)
    live.wait(lambda: len(link.stage.canvas.places.panels) == 1, "one picture")
    assert link.screen.scene.is_difference
    live.click(widget.view_box.views.button(1))
    live.wait(lambda: len(link.stage.canvas.places.panels) == 2, "two pictures")

    live.key(Qt.Key.Key_Space)
    live.wait(controls.slider.isEnabled, "frames to look back at")
    newest = link.shown.frame.index
    for _ in range(3):
        live.key(Qt.Key.Key_Left)
    assert link.shown.frame.index == newest - 3
    live.key(Qt.Key.Key_Right)
    assert link.shown.frame.index == newest - 2
    # The legend speaks of the frame on screen, not of the stream that continues.
    for (side, label), seen in link.screen.scene.in_view.items():
        made = link.shown.predictions  # none if no model saw the frame
        is_there = bool(made) and (made[side].mask_SS == label).sum() >= 4
        assert (seen.is_now, seen.seconds) == (is_there, None)
    controls.slider.setValue(0)
    assert link.shown.frame.index < newest - 3
    assert controls.time.text().startswith("−")
    live.screenshot(tmp_path / "frozen.png")
    live.click(controls.snapshot)
    live.wait(lambda: saved(tmp_path, "snapshot-*/snapshot.json"), "the snapshot")
    live.key(Qt.Key.Key_Space)
    assert link.state == "live"

    live.stop()
    shapes = {picture(tmp_path / f"{name}.png").shape[:2] for name in ("side", "both", "frozen")}
    assert shapes == {(800, 1280)}
    assert not [said for said in live.said if said[0] == "error"]


def test_a_recording_gets_its_masks_a_video_and_opens_as_a_layer(live, tmp_path):
    widget, link = live.widget, live.widget.link
    live.start(*write_models(tmp_path, "frame", "sequence"))
    live.key(Qt.Key.Key_R)
    assert link.is_recording
    recorder = link.session.recorder
    live.wait(lambda: recorder.statistics.predictions > 10, "masks to be recorded")
    live.wait(lambda: "frames" in link.screen.scene.recording, "the mark on the picture")
    live.key(Qt.Key.Key_R)
    live.wait(widget.saved_box.video.isEnabled, "the recording")
    live.click(widget.saved_box.video)
    live.wait(lambda: saved(tmp_path, "recording-*.overlay.mp4"), "the video")
    live.wait(lambda: any("video of" in said for _, said in live.said), "the end of the video")
    live.stop()
    live.click(widget.saved_box.open)
    assert live.viewer.layers[0].data.shape[1:] == (480, 640)
    assert not [said for said in live.said if said[0] == "error"]


def test_the_picture_takes_napari_canvas_and_gives_it_back(live, tmp_path):
    stage = live.widget.link.stage
    live.start(*write_models(tmp_path, "frame"))
    centre = live.widget.window().centralWidget()
    before = [one for one in centre.children() if one.isWidgetType() and one is not stage.panel]
    assert stage.panel.isVisible()
    assert not any(one.isVisible() for one in before)
    live.key(Qt.Key.Key_L)
    assert not stage.panel.isVisible()
    assert all(one.isVisible() for one in before)
    live.widget.actions_by_name["layers"]()
    assert stage.panel.isVisible()
    live.stop()
    assert stage.panel.isVisible()  # the last picture stays
    live.viewer.add_image(np.zeros((4, 4)))
    assert not stage.panel.isVisible()  # what the user has opened is shown


def test_frozen_frames_become_layers_at_the_frame_that_was_shown(live, tmp_path):
    widget, link = live.widget, live.widget.link
    live.start(*write_models(tmp_path, "frame", "sequence"))
    live.wait(lambda: link.shown.frame.index > 20, "frames to come")
    live.key(Qt.Key.Key_Space)
    live.wait(widget.controls.slider.isEnabled, "frames to look back at")
    live.key(Qt.Key.Key_Left)
    while not link.shown.predictions:  # a frame that no model saw
        live.key(Qt.Key.Key_Left)
    shown, held = link.shown, link.look_back.held
    live.click(widget.controls.layers)
    image, first, second = live.viewer.layers
    assert (first.name, second.name) == ("A frame", "B sequence")
    assert len(image.data) == len(held)
    at = live.viewer.dims.current_step[0]
    np.testing.assert_array_equal(np.asarray(image.data[at]), shown.frame.image_HW)
    for layer, made in zip((first, second), shown.predictions, strict=True):
        np.testing.assert_array_equal(np.asarray(layer.data[at]), made.mask_HW())
    assert tuple(image.scale[1:]) == pytest.approx(shown.frame.spacing_mm)


def test_the_full_screen_shows_the_same_and_its_keys_work(live, tmp_path):
    widget, link = live.widget, live.widget.link
    live.start(*write_models(tmp_path, "frame", "sequence"))
    live.click(widget.controls.present)
    canvas = link.stage.presentation
    live.wait(lambda: canvas.places is not None, "the first painting")
    assert canvas.isFullScreen()
    assert canvas.text_px > 2 * link.stage.canvas.text_px
    number = canvas.scene.result.frame.index
    live.wait(lambda: canvas.scene.result.frame.index > number, "the next frame")
    live.key(Qt.Key.Key_3)
    assert canvas.scene.is_difference
    live.key(Qt.Key.Key_Space)
    assert link.state == "frozen"
    live.key(Qt.Key.Key_Escape)
    assert link.stage.presentation is None
    assert link.stage.panel.isVisible()


def test_keys_are_left_to_napari_unless_the_live_picture_has_the_focus(live, tmp_path):
    widget, link = live.widget, live.widget.link
    live.viewer.add_image(np.zeros((5, 8, 8)))
    (canvas,) = live.window.centralWidget().findChildren(QOpenGLWidget)
    live.activate()
    canvas.setFocus()
    live.wait(canvas.hasFocus, "the focus")
    QTest.keyClick(canvas, Qt.Key.Key_Right)  # stopped: napari's own key steps through frames
    assert live.viewer.dims.current_step[0] == 3
    live.start(*write_models(tmp_path, "frame"))
    assert link.stage.canvas.hasFocus()
    live.key(Qt.Key.Key_Right)
    assert link.state == "frozen"
    assert live.viewer.dims.current_step[0] == 3
    link.toggle_layers(live.window)
    labels = live.viewer.add_labels(np.zeros((5, 8, 8), np.uint8))
    canvas.setFocus()
    live.wait(canvas.hasFocus, "the focus")
    QTest.keyClick(canvas, Qt.Key.Key_2)  # napari: paint
    assert labels.mode == "paint"
    assert widget.view_box.style_wanted().view == "side"
    live.stop()


def test_models_are_changed_while_the_stream_goes_on(live, tmp_path):
    widget, link = live.widget, live.widget.link
    first, second = write_models(tmp_path, "frame", "sequence")
    live.start(first)
    assert not widget.apply.isEnabled()
    source = link.session.source
    widget.models_box.choose((second,))
    assert widget.apply.isEnabled()
    live.click(widget.apply)
    live.wait(
        lambda: [one.model for one in link.shown.predictions] == ["sequence"], "the other model"
    )
    assert link.session.source is source
    assert link.screen.scene.titles() == ("A  sequence",)
    assert not widget.apply.isEnabled()


def test_another_source_is_started_by_apply_with_models_for_it(live, tmp_path):
    widget, link = live.widget, live.widget.link
    live.start(*write_models(tmp_path, "frame"))
    source = link.session.source
    widget.source_box.seed.setText("7")
    assert widget.apply.isEnabled()
    live.click(widget.apply)
    live.wait(lambda: link.session is not None and link.session.source is not source, "a start")
    live.wait(lambda: link.shown is not None and link.shown.predictions, "masks")
    assert source.state == "stopped"


def test_a_start_can_be_cancelled(live, tmp_path, monkeypatch):
    from sonotempo.live.sources.separate import SeparateSource

    start = SeparateSource.start

    def slow(self, buffer):
        time.sleep(1.0)
        start(self, buffer)

    monkeypatch.setattr(SeparateSource, "start", slow)
    live.widget.models_box.choose(write_models(tmp_path, "frame"))
    live.click(live.widget.start)
    assert live.widget.start.text() == "Cancel"
    live.wait(lambda: "opening the source" in live.widget.link.screen.scene.waiting, "the words")
    live.click(live.widget.start)
    live.wait_state("stopped")
    assert live.widget.link.session is None
    assert not live.widget.link.stage.panel.isVisible()


def test_a_second_live_comparison_in_one_window_is_refused(live, tmp_path, qtbot):
    from napari_sonotempo.live.widget import LiveWidget

    live.start(*write_models(tmp_path, "frame"))
    other = LiveWidget(live.viewer)
    dock = live.viewer.window.add_dock_widget(other, name="another")
    live.click(other.start)
    assert "Another live comparison" in other.messages.text()
    assert other.link.state == "stopped"
    live.viewer.window.remove_dock_widget(dock)


def test_live_and_segment_are_tabs_of_one_place(live):
    from napari_sonotempo.segment.widget import SegmentWidget
    from napari_sonotempo.shared.docks import dock_of

    segment = SegmentWidget(live.viewer)
    dock = live.viewer.window.add_dock_widget(segment, name="Segment recording")
    window = live.widget.window()
    live.wait(
        lambda: dock_of(segment) in window.tabifiedDockWidgets(dock_of(live.widget)), "the tabs"
    )
    live.wait(segment.isVisible, "the newest in front")
    live.viewer.window.remove_dock_widget(dock)


def test_the_palettes_commands_act_on_the_picture(live, tmp_path):
    from napari_sonotempo.live import commands

    live.start(*write_models(tmp_path, "frame", "sequence"))
    commands.next_view()
    assert live.widget.view_box.style_wanted().view == "difference"
    commands.freeze()
    assert live.widget.link.state == "frozen"
    commands.full_screen()
    assert live.widget.link.stage.is_presentation
    commands.full_screen()
    commands.freeze()
    assert live.widget.link.state == "live"


def test_nothing_moves_when_the_view_or_the_state_changes(live, tmp_path):
    widget = live.widget
    live.start(*write_models(tmp_path, "frame", "sequence"))

    def places():
        shown = (widget.start, widget.messages, *widget.view_box.views.buttons(), widget.tabs)
        bar = (widget.controls.freeze, widget.controls.record, widget.controls.layers)
        return [one.mapTo(widget.window(), one.rect().topLeft()) for one in (*shown, *bar)]

    live.qtbot.wait(300)
    before = places()
    for key in (Qt.Key.Key_1, Qt.Key.Key_3, Qt.Key.Key_2, Qt.Key.Key_Space):
        live.key(key)
        live.qtbot.wait(50)
        assert places() == before
    widget.messages.say("error", "a long sentence about something " * 8)
    live.qtbot.wait(50)
    assert places() == before


def test_a_snapshot_holds_the_view_the_frame_and_both_masks(live, tmp_path):
    live.start(*write_models(tmp_path, "frame", "sequence"))
    live.wait(lambda: live.widget.link.shown.predictions, "masks")
    live.key(Qt.Key.Key_Space)
    live.wait(live.widget.controls.slider.isEnabled, "frames to look back at")
    shown = live.widget.link.shown
    live.click(live.widget.controls.snapshot)
    live.wait(lambda: saved(tmp_path, "snapshot-*/snapshot.json"), "the snapshot")
    (folder,) = saved(tmp_path, "snapshot-*")
    np.testing.assert_array_equal(picture(folder / "frame.png"), shown.frame.image_HW)
    for side, made in zip("AB", shown.predictions, strict=True):
        np.testing.assert_array_equal(picture(folder / f"mask-{side}.png"), made.mask_HW())
    assert picture(folder / "view.png").std() > 0


def test_an_open_layer_plays_loops_and_changes_speed(live, tmp_path):
    from napari_sonotempo.shared.layers import recording_layers

    widget = live.widget
    data, meta, _ = recording_layers(make_recording(tmp_path / "r", 30, shape_HW=(64, 80)))[0]
    live.viewer.add_image(data, **meta)
    widget.source_box.kind.setCurrentText("Open layer")
    widget.playback_box.loop.setChecked(True)
    live.start(*write_models(tmp_path, "frame"))
    source = widget.link.session.playback
    live.wait(lambda: widget.link.shown.frame.index > 35, "the second round")
    widget.playback_box.speed.setCurrentText("0.5×")
    assert source.rate == 0.5
    live.key(Qt.Key.Key_Space)
    live.wait(lambda: source.state == "frozen", "the pause")
    live.key(Qt.Key.Key_Space)
    live.wait(lambda: source.state == "running", "the stream to resume")
    live.stop()


def test_choices_are_remembered(live, make_napari_viewer_proxy):
    from napari_sonotempo.live.widget import LiveWidget

    box = live.widget.source_box
    box.kind.setCurrentText("Clarius probe")
    box.host.setText("10.1.2.3")
    box.port.setValue(6000)
    box.sdk.setText("/opt/sdk")
    live.click(live.widget.start)  # no SDK there: refused, and remembered all the same
    live.widget.view_box.outline.setChecked(True)
    live.widget.view_box.unsure_below.setValue(75)
    live.wait_state("stopped")
    again = LiveWidget(live.viewer)
    box = again.source_box
    assert (box.kind.currentText(), box.host.text(), box.port.value(), box.sdk.text()) == (
        "Clarius probe", "10.1.2.3", 6000, "/opt/sdk",
    )  # fmt: skip
    assert again.view_box.style_wanted().unsure_below == 0.75
    assert again.view_box.style_wanted().outline
    again.cleanup()
    again.deleteLater()


# --- what goes wrong ---------------------------------------------------------------------------


def refused(live):
    live.click(live.widget.start)
    live.wait(lambda: live.widget.link.state == "stopped" and live.messages, "a message")
    return live.messages


def test_a_file_that_is_not_a_recording_is_a_message(live, tmp_path):
    (tmp_path / "notes.txt").write_text("no pictures")
    live.widget.source_box.kind.setCurrentText("Recording file")
    live.widget.source_box.path.setText(str(tmp_path / "notes.txt"))
    assert "notes.txt" in refused(live)


def test_no_file_and_no_layer_are_messages(live):
    live.widget.source_box.path.setText("")
    live.widget.source_box.kind.setCurrentText("Recording file")
    assert "no recording is chosen" in refused(live)
    live.widget.source_box.kind.setCurrentText("Open layer")
    assert "no layer is chosen" in refused(live)


def test_models_of_different_structures_are_a_message_that_says_which(live, tmp_path):
    from sonotempo.structures import FEMORAL

    (first,) = write_models(tmp_path, "frame")
    (second,) = write_models(tmp_path, "sequence", structures=FEMORAL)
    live.widget.models_box.choose((first, second))
    message = refused(live)
    assert "musculocutaneous nerve in A, femoral nerve in B" in message


def test_no_sdk_is_a_message(live, tmp_path):
    box = live.widget.source_box
    box.kind.setCurrentText("Clarius probe")
    box.sdk.setText(str(tmp_path / "nothing"))
    assert "SDK" in refused(live)


def test_a_damaged_model_is_a_message(live, tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a model")
    live.widget.models_box.choose((path,))
    assert "broken.onnx" in refused(live)


def test_a_model_that_fails_stops_the_stream_with_a_message(live, tmp_path, monkeypatch):
    from sonotempo.live.models.process import PredictorProcess

    live.start(*write_models(tmp_path, "frame"))

    def fail(self, frame):
        raise MemoryError("out of memory")

    monkeypatch.setattr(PredictorProcess, "step_on_grid", fail)
    live.wait_state("stopped")
    assert "out of memory" in live.messages
    assert not live.widget.link.shown.predictions


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_model_whose_process_dies_stops_the_stream_with_a_message(live, tmp_path):
    live.start(*write_models(tmp_path, "frame"))
    os.kill(live.widget.link.session.predictors[0].pid, signal.SIGKILL)
    live.wait_state("stopped")
    assert "ended (signal SIGKILL)" in live.messages
    assert not live.widget.link.shown.predictions


def test_a_model_that_cannot_keep_up_is_reported_with_a_remedy(live, tmp_path, monkeypatch):
    from sonotempo.live.models.process import PredictorProcess

    step = PredictorProcess.step_on_grid

    def slow(self, frame):
        time.sleep(0.3)
        return step(self, frame)

    monkeypatch.setattr(PredictorProcess, "step_on_grid", slow)
    live.start(*write_models(tmp_path, "frame"))
    live.wait(lambda: "do not keep up" in live.messages, "the advice")
    assert "int8" in live.messages


def test_the_connection_test_names_what_fails_and_keeps_the_window_alive(live, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    box = live.widget.source_box
    box.kind.setCurrentText("Clarius probe")
    box.host.setText("127.0.0.1")
    box.port.setValue(port)
    box.sdk.setText(str(tmp_path / "nothing"))
    live.click(box.test.button)
    assert not box.test.button.isEnabled()
    live.wait(box.test.button.isEnabled, "the end of the test")
    assert "✓ Python" in box.test.results.text()
    assert "✗ SDK" in box.test.results.text()
    assert "✗ address" in box.test.results.text()


def test_a_connection_test_while_streaming_is_refused_with_a_message(live, tmp_path):
    live.start(*write_models(tmp_path, "frame"))
    box = live.widget.source_box
    box.kind.setCurrentText("Clarius probe")
    live.click(box.test.button)
    assert "Stop the stream first" in live.messages
    assert box.test.button.isEnabled()
    live.stop()


def test_a_connection_test_that_breaks_off_is_a_message(live, monkeypatch):
    from sonotempo.errors import SourceError

    def break_off(host, port, sdk):
        raise SourceError("not enough shared memory")
        yield

    monkeypatch.setattr("napari_sonotempo.live.connection_test.check_steps", break_off)
    box = live.widget.source_box
    box.kind.setCurrentText("Clarius probe")
    live.click(box.test.button)
    live.wait(box.test.button.isEnabled, "the end of the test")
    live.wait(lambda: "not enough shared memory" in live.messages, "the message")
    assert not box.test.results.isVisible()


def test_a_stream_from_the_stand_in_for_a_probe_and_its_loss(live, tmp_path, monkeypatch):
    from fakes.clarius import SDK, StandIn

    stand_in = StandIn(tmp_path / "stand-in", monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as server:
        box = live.widget.source_box
        box.kind.setCurrentText("Clarius probe")
        box.host.setText("127.0.0.1")
        box.port.setValue(server.getsockname()[1])
        box.sdk.setText(str(SDK))
        live.start(*write_models(tmp_path, "frame"))
        live.wait(live.widget.playback_box.scanner["depth+"].isEnabled, "probe controls")
        os.kill(live.widget.link.session.source.pid, 9)
        stand_in.turn_on("refuse")
        live.wait(lambda: not live.widget.link.shown.predictions, "the masks to be removed")
        assert Path(live.viewer.title)  # the window is alive
        live.stop()


def test_other_models_that_fail_leave_the_stream_and_the_offer(live, tmp_path):
    widget, link = live.widget, live.widget.link
    live.start(*write_models(tmp_path, "frame"))
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    widget.models_box.choose((tmp_path / "broken.onnx",))
    live.click(widget.apply)
    live.wait(lambda: "broken.onnx" in live.messages, "the reason")
    assert link.state == "live"
    assert widget.apply.isEnabled()
    live.wait(lambda: [one.model for one in link.shown.predictions] == ["frame"], "the masks")
