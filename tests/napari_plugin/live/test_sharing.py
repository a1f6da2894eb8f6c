"""The tick that serves the stream over OpenIGTLink, with a real receiver."""

import os
import socket

import pytest

pytestmark = pytest.mark.gui
pytest.importorskip("pyigtl")

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from fakes.live_window import LiveWindow, live_threads, remember_in, write_models
    from sonotempo.live.igtl.wire import received


@pytest.fixture
def live(tmp_path, nothing_left, make_napari_viewer_proxy, qtbot):
    remember_in(tmp_path / "settings")
    window = LiveWindow(make_napari_viewer_proxy(show=True), qtbot)
    yield window
    window.widget.cleanup()
    window.forget()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def devices_at(port, count):
    """Connect, and return the names of the messages that come."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        return [received(peer)[0]["device_name"] for _ in range(count)]


def test_ticking_serves_and_unticking_ends_it(live, tmp_path):
    widget, link = live.widget, live.widget.link
    port = free_port()
    widget.share_box.port.setValue(port)
    live.start(*write_models(tmp_path, "frame", "sequence"))
    widget.share_box.serve.setChecked(True)
    live.wait(lambda: f"localhost:{port}" in live.messages, "the server")
    got = []
    link.jobs.run("receiver", lambda: devices_at(port, 7), got.append, got.append)
    live.wait(lambda: got, "messages")
    assert got[0][0] == "Labels"
    assert {"Image", "Labels_frame", "Labels_sequence"} <= set(got[0])
    widget.share_box.serve.setChecked(False)
    live.wait(lambda: not any("igtl" in name for name in live_threads()), "its end")
    assert link.sharing.connected is None
    live.stop()


def test_a_port_that_is_taken_is_a_sentence_and_the_tick_goes(live, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        live.widget.share_box.port.setValue(server.getsockname()[1])
        live.start()
        live.widget.share_box.serve.setChecked(True)
        live.wait(lambda: "cannot be served" in live.messages, "the sentence")
        assert not live.widget.share_box.serve.isChecked()
        live.stop()


def test_the_server_ends_with_the_window(live, tmp_path):
    live.widget.share_box.port.setValue(free_port())
    live.widget.share_box.serve.setChecked(True)
    live.start()
    live.wait(lambda: live.widget.link.sharing.connected is not None, "the server")
    live.widget.cleanup()
    assert not any("igtl" in name for name in live_threads())
