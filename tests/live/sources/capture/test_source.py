"""Reading devices for real: FFmpeg's test sources, and the screen that these tests run on."""

import os
from itertools import islice

import numpy as np
import pytest

from fakes.clarius import is_running, wait_until
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.sources.capture.request import CaptureRequest
from sonotempo.live.sources.capture.source import CaptureSource
from sonotempo.live.sources.open import buffer_for, open_source
from sonotempo.recording import Box

PATTERN = "size=160x120:rate=30,realtime"


def request(url, **more):
    return CaptureRequest("this card", url, "lavfi", width_px=160, height_px=120, **more)


@pytest.fixture
def run():
    """Start a source in this process; it and its buffer end with the test."""
    started = []

    def start(source, **size):
        buffer = RingBuffer(2, 30, **{"height_px": 120, "width_px": 160} | size)
        started.append((source, buffer))
        source.start(buffer)
        reader = buffer.reader()
        started.append((None, reader))
        return reader

    yield start
    for source, buffer in reversed(started):
        if source is not None:
            source.stop()
        buffer.close()


def heard(source, log=None):
    log = [] if log is None else log
    log += [(event.kind, event.detail) for event in source.events()]
    return log


def test_frames_arrive_grey_with_the_device_s_times(run):
    source = CaptureSource(request(f"testsrc2={PATTERN}", area=Box(0, 20, 100, 140), depth_mm=40.0))
    reader = run(source)
    wait_until(lambda: reader.written > 10, "frames")
    first, later = (reader.next() for _ in range(2))
    assert first.frame.image_HW.shape == (120, 160)
    assert first.frame.area == Box(0, 20, 100, 140)
    assert first.frame.spacing_mm == (0.4, 0.4)
    assert later.frame.timestamp_ns - first.frame.timestamp_ns == pytest.approx(1e9 / 30, rel=0.01)
    assert source.state == "running"
    assert [kind for kind, _ in heard(source)] == ["connecting", "connected"]


def test_a_black_picture_is_no_signal_and_is_not_written(run):
    # Black for a second, then a picture.
    url = f"testsrc2={PATTERN},drawbox=t=fill:c=black:enable='lt(t,1)'"
    source = CaptureSource(request(url))
    reader = run(source)
    log = []
    wait_until(lambda: any("no signal" in detail for _, detail in heard(source, log)), "the event")
    assert source.state == "disconnected"
    assert reader.written == 0
    wait_until(lambda: reader.written > 0, "frames")
    wait_until(lambda: any("again" in detail for _, detail in heard(source, log)), "the return")
    assert source.state == "running"


def test_a_device_that_ends_or_cannot_be_opened_is_tried_again(run, monkeypatch):
    from sonotempo.live.sources.capture import source as module

    monkeypatch.setattr(module, "_AGAIN_S", 0.1)
    ends = CaptureSource(request("testsrc2=size=160x120:rate=30:duration=0.2,realtime"))
    reader = run(ends)
    wait_until(lambda: reader.written > 14, "frames of several starts")
    log = heard(ends)
    assert [kind for kind, _ in log].count("connected") >= 2
    assert sum("has ended" in detail for _, detail in log) == 1, "said once"
    absent = CaptureSource(request("no_such_source"))
    run(absent)
    log = []
    wait_until(lambda: any(kind == "disconnected" for kind, _ in heard(absent, log)), "the event")
    assert "check its cable" in log[-1][1]


def test_larger_frames_than_asked_for_are_a_sentence(run):
    source = CaptureSource(request("testsrc2=size=320x240:rate=30,realtime"))
    run(source)
    log = []
    wait_until(lambda: any("do not fit" in detail for _, detail in heard(source, log)), "the event")
    assert source.state == "disconnected"


def test_an_area_outside_the_frames_is_dropped_and_said(run):
    source = CaptureSource(request(f"testsrc2={PATTERN}", area=Box(0, 0, 100, 400)))
    reader = run(source)
    log = []
    wait_until(lambda: any("does not fit frames" in d for _, d in heard(source, log)), "the event")
    wait_until(lambda: reader.written > 0, "frames")
    assert reader.newest().frame.area is None


def test_the_image_is_found_and_said_how_to_keep(run):
    # Noise in a box on a still ground, as tissue among menus.
    url = (
        "color=gray:size=160x120:rate=30,format=gray,drawgrid=w=20:h=20:c=white@0.5,"
        "geq=lum='if(between(X,40,119)*between(Y,20,99),255*random(1),lum(X,Y))',realtime"
    )
    source = CaptureSource(request(url))
    reader = run(source)
    log = []
    wait_until(lambda: any("area=" in detail for _, detail in heard(source, log)), "the area")
    reader.wait(1)
    area = reader.newest().frame.area
    found = np.array([area.top, area.left, area.bottom, area.right])
    assert np.abs(found - (20, 40, 100, 120)).max() < 4


def test_in_its_own_process_it_ends_with_the_source():
    source = open_source("capture://test?size=160x120&fps=30")
    with buffer_for(source, 2) as buffer, buffer.reader() as reader:
        source.start(buffer)
        try:
            wait_until(lambda: reader.written > 3, "frames")
            pid = source.pid
            assert is_running(pid)
        finally:
            source.stop()
        assert not is_running(pid)


@pytest.mark.gui
@pytest.mark.skipif(
    "DISPLAY" not in os.environ or "SONOTEMPO_SKIP_GUI" in os.environ, reason="no X11 screen"
)
def test_a_phantom_that_another_window_plays_is_captured_from_the_screen(qtbot):
    from qtpy.QtCore import QTimer
    from qtpy.QtGui import QImage, QPixmap
    from qtpy.QtWidgets import QLabel, QWidget

    from sonotempo.phantom.settings import phantom_settings
    from sonotempo.phantom.simulate import cast, simulate

    scene = phantom_settings(procedure="femoral", subjects=1, seconds=4, size=160, seed=1)
    frames = [frame.image_HW for frame in islice(simulate(cast(scene, 0), scene), 40)]
    window = QWidget()
    qtbot.addWidget(window)
    window.setGeometry(100, 80, 400, 300)
    window.setStyleSheet("background: #303030; color: white")
    picture, text = QLabel(window), QLabel("PATIENT 0815\nMI 0.9  TIS 0.2", window)
    text.move(5, 5)
    height, width = frames[0].shape
    picture.setGeometry(120, 90, width, height)
    shown = iter(range(10_000))

    def play():
        image = frames[next(shown) % len(frames)].copy()
        picture.setPixmap(
            QPixmap(QImage(image.data, width, height, width, QImage.Format.Format_Grayscale8))
        )

    timer = QTimer(window)
    timer.timeout.connect(play)
    timer.start(50)
    with qtbot.waitExposed(window):
        window.show()
    place = window.geometry()
    region = f"{place.x()},{place.y()},{place.width()}x{place.height()}"
    source = open_source(f"capture://screen?region={region}&fps=20&mm-per-px=0.2")
    with buffer_for(source, 4) as buffer, buffer.reader() as reader:
        source.start(buffer)
        try:
            log = []
            qtbot.waitUntil(
                lambda: any("area=" in detail for _, detail in heard(source, log)), timeout=20_000
            )
            reader.wait(2)
            frame = reader.newest().frame
        finally:
            source.stop()
    assert frame.image_HW.shape == (place.height(), place.width())
    assert frame.spacing_mm == (0.2, 0.2)
    ours, area = np.array([90, 120, 90 + height, 120 + width]), frame.area
    # The phantom's deepest rows are dark and hardly change.
    assert np.abs(np.array([area.top, area.left, area.right]) - ours[[0, 1, 3]]).max() < 16
    assert ours[0] + 0.6 * height < area.bottom < ours[2] + 16
