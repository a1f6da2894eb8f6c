"""A new kind of source: one class with one method."""

import threading
import time

import numpy as np
import pytest

from sonotempo.errors import SourceError
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.sources.threaded import ThreadedSource


class Counting(ThreadedSource):
    """Writes its frame number until stopped."""

    def __init__(self, fail_at=None):
        super().__init__("this counter")
        self.fail_at = fail_at

    @property
    def commands(self):
        return ("freeze",) if self._state == "running" else ()

    def _carry_out(self, command):
        self._state = "frozen"

    def _run(self, writer):
        self._state = "running"
        number = 0
        while self._wait(0.005):
            if number == self.fail_at:
                raise RuntimeError("the counter is broken")
            writer.write(np.full((8, 8), number, np.uint8), probe_ns=number)
            number += 1


@pytest.fixture
def buffer():
    with RingBuffer(seconds=1, rate_hz=100, height_px=8, width_px=8) as made:
        yield made


def test_it_starts_writes_stops_and_starts_again(buffer):
    before = threading.active_count()
    source = Counting()
    for _ in range(2):
        with buffer.reader("now") as reader:
            source.start(buffer)
            with pytest.raises(SourceError, match="this counter is started already; stop it"):
                source.start(buffer)
            assert reader.wait(10)
            assert reader.next().probe_ns == 0
            source.send("freeze")
            with pytest.raises(SourceError, match=r"frozen and cannot do 'gain.'\. Options: none"):
                source.send("gain+")
            source.stop()
            source.stop()
        assert source.state == "stopped"
        assert threading.active_count() == before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_failure_in_its_thread_is_an_event(buffer):
    source = Counting(fail_at=2)
    source.start(buffer)
    end = time.monotonic() + 10
    while source.state != "disconnected" and time.monotonic() < end:
        time.sleep(0.005)
    (event,) = source.events()
    source.stop()
    assert (event.kind, event.detail) == (
        "error",
        "this counter failed: RuntimeError: the counter is broken",
    )


def test_a_closed_buffer_is_refused_at_the_start():
    with RingBuffer(seconds=1, rate_hz=1, height_px=8, width_px=8) as buffer:
        pass
    source = Counting()
    with pytest.raises(SourceError, match="ring buffer is closed"):
        source.start(buffer)
    assert source.state == "stopped"
