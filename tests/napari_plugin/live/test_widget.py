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
    live.viewer.open_sample("sonotempo", "axillary")
    assert widget.source_box.layer.count() == 1
    live.viewer.layers.clear()
    live.start(*write_models(tmp_path, "frame", "sequence"))
    live.wait(lambda: link.shown.frame.index > 10, "frames to come")
    assert [made.model for made in link.shown.predictions] == ["frame", "sequence"]
    live.screenshot(tmp_path / "side.png")

    live.key(Qt.Key.Key_1)
    assert widget.view_box.style_wanted().view == "one"
    live.key(Qt.Key.Key_1)
    live.key(Qt.Key.Key_1)
    assert widget.view_box.style_wanted().shown == "both"
    live.screenshot(tmp_path / "both.png")
    live.key(Qt.Key.Key_3)
    assert live.viewer.layers["difference of A and B"].visible
    live.click(widget.view_box.views.button(1))
    assert live.viewer.layers["live"].data.shape[1] > 2 * 640

    live.key(Qt.Key.Key_Space)
    live.wait(widget.transport.slider.isEnabled, "frames to look back at")
    newest = link.shown.frame.index
    for _ in range(3):
        live.key(Qt.Key.Key_Left)
    assert link.shown.frame.index == newest - 3
    live.key(Qt.Key.Key_Right)
    assert link.shown.frame.index == newest - 2
    widget.transport.slider.setValue(0)
    assert link.shown.frame.index < newest - 3
    live.screenshot(tmp_path / "frozen.png")
    live.click(widget.transport.snapshot)
    live.wait(lambda: saved(tmp_path, "snapshot-*/snapshot.json"), "the snapshot")
    live.key(Qt.Key.Key_Space)
    assert link.state == "live"

    live.key(Qt.Key.Key_R)
    assert link.is_recording
    recorder = link.session.recorder
    live.wait(lambda: recorder.statistics.frames > 10, "frames to record")
    live.key(Qt.Key.Key_R)
    live.wait(lambda: any("frames recorded" in said for _, said in live.said), "the recording")
    live.stop()
    (recording,) = saved(tmp_path, "recording-*.mkv")
    assert live.viewer.open(recording, plugin="sonotempo")[0].data.shape[1:] == (480, 640)
    for name in ("side", "both", "frozen"):
        assert picture(tmp_path / f"{name}.png").shape[:2] == (800, 1280)
    assert not [said for said in live.said if said[0] == "error"]


def test_a_snapshot_holds_the_view_the_frame_and_both_masks(live, tmp_path):
    live.start(*write_models(tmp_path, "frame", "sequence"))
    live.wait(lambda: live.widget.link.shown.predictions, "masks")
    live.key(Qt.Key.Key_Space)
    live.wait(live.widget.transport.slider.isEnabled, "frames to look back at")
    shown = live.widget.link.shown
    live.click(live.widget.transport.snapshot)
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
    widget.transport.loop.setChecked(True)
    live.start(*write_models(tmp_path, "frame"))
    source = widget.link.session.playback
    live.wait(lambda: widget.link.shown.frame.index > 35, "the second round")
    widget.transport.speed.setCurrentText("0.5×")
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
    live.wait_state("stopped")
    again = LiveWidget(live.viewer)
    box = again.source_box
    assert (box.kind.currentText(), box.host.text(), box.port.value(), box.sdk.text()) == (
        "Clarius probe", "10.1.2.3", 6000, "/opt/sdk",
    )  # fmt: skip
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
    assert not live.viewer.layers["masks"].data.any()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_model_whose_process_dies_stops_the_stream_with_a_message(live, tmp_path):
    live.start(*write_models(tmp_path, "frame"))
    os.kill(live.widget.link.session.predictors[0].pid, signal.SIGKILL)
    live.wait_state("stopped")
    assert "ended (signal SIGKILL)" in live.messages
    assert not live.viewer.layers["masks"].data.any()


def test_a_model_that_cannot_keep_up_is_reported_with_a_remedy(live, tmp_path, monkeypatch):
    from sonotempo.live.models.process import PredictorProcess

    step = PredictorProcess.step_on_grid

    def slow(self, frame):
        time.sleep(0.3)
        return step(self, frame)

    monkeypatch.setattr(PredictorProcess, "step_on_grid", slow)
    live.start(*write_models(tmp_path, "frame"))
    live.wait(live.widget.advice.isVisible, "the advice")
    assert "int8" in live.widget.advice.text()


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
    live.widget.setup.setChecked(True)
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
        live.wait(live.widget.transport.probe["depth+"].isEnabled, "probe controls")
        os.kill(live.widget.link.session.source.pid, 9)
        stand_in.turn_on("refuse")
        live.wait(lambda: not live.viewer.layers["masks"].data.any(), "the mask to be cleared")
        assert not live.widget.link.shown.predictions
        assert Path(live.viewer.title)  # the window is alive
        live.stop()
