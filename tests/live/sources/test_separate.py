"""A source in a process of its own: it behaves as the source itself would."""

import os
import signal
import sys
from functools import partial

import pytest

from fakes.clarius import is_running, wait_until
from sonotempo.errors import ConfigError, SourceError
from sonotempo.framing import Framing
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.sources.open import buffer_for, open_source
from sonotempo.live.sources.separate import SeparateSource
from sonotempo.live.sources.simulated import SimulatedSource
from sonotempo.recording import Box

MAKE = partial(SimulatedSource, height_px=128, width_px=160, frame_rate_hz=60.0)


@pytest.fixture
def buffer():
    with RingBuffer(seconds=4, rate_hz=60, height_px=128, width_px=160) as made:
        yield made


@pytest.fixture
def scanner(buffer):
    source = SeparateSource("this simulated scanner", MAKE)
    source.start(buffer)
    with buffer.reader() as reader:
        wait_until(lambda: reader.written > 3, "frames")
        yield source, reader
    source.stop()


def kinds(source):
    return [event.kind for event in source.events()]


def test_frames_events_and_commands_pass_and_the_process_ends(scanner):
    source, reader = scanner
    pid = source.pid
    assert pid != os.getpid()
    assert is_running(pid)
    wait_until(lambda: source.state == "running", "the state")
    assert kinds(source)[:2] == ["connecting", "connected"]
    spacing_mm = reader.newest().frame.spacing_mm
    source.send("depth+")
    wait_until(lambda: reader.newest().frame.spacing_mm > spacing_mm, "the depth")
    assert "depth" in kinds(source)
    source.send("freeze")
    wait_until(lambda: source.state == "frozen", "the freeze")
    assert source.commands == ("freeze",)
    with pytest.raises(SourceError, match="is frozen and cannot do 'gain\\+'"):
        source.send("gain+")
    source.stop()
    assert source.state == "stopped"
    assert not is_running(pid)
    source.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_process_that_dies_is_reported_and_can_be_started_again(scanner, buffer):
    source, reader = scanner
    os.kill(source.pid, signal.SIGKILL)
    wait_until(lambda: source.state == "disconnected", "the end")
    errors = [event.detail for event in source.events() if event.kind == "error"]
    assert errors == ["the process of this simulated scanner ended (signal SIGKILL); start again"]
    source.stop()
    written = reader.written
    source.start(buffer)
    wait_until(lambda: reader.written > written, "frames again")


def test_what_is_not_valid_is_refused_before_a_process_is_started():
    with pytest.raises(ConfigError, match="even numbers from 128"):
        SeparateSource("a scanner", partial(SimulatedSource, height_px=100))
    source = SeparateSource("this simulated scanner", MAKE)
    with RingBuffer(1, 1, 32, 32) as small, pytest.raises(SourceError, match="do not fit"):
        source.start(small)
    assert source.pid is None
    source.stop()


def test_what_is_said_of_the_frames_reaches_the_process_if_the_source_takes_it(scanner):
    source, _ = scanner
    assert not source.takes_framing
    with pytest.raises(SourceError, match="knows its image's area and scale"):
        source.frame_as(Framing((128, 160)))
    card = open_source("capture://test?size=160x120&fps=30")
    framing = Framing((120, 160), Box(8, 16, 100, 120), 0.2)
    with pytest.raises(SourceError, match="this test pattern is not running; start it first"):
        card.frame_as(framing)
    with buffer_for(card, 2) as room, room.reader() as reader:
        card.start(room)
        try:
            wait_until(lambda: reader.written > 0, "frames")
            card.frame_as(framing)
            wait_until(lambda: reader.newest().frame.area == framing.area, "the area")
            assert reader.newest().frame.spacing_mm == (0.2, 0.2)
        finally:
            card.stop()
