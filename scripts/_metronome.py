"""A source for measurements: a loop of frames, at a fixed rate or as fast as allowed."""

import time
from collections.abc import Callable

import numpy as np

from sonotempo.live.buffer.ring_buffer import RingWriter
from sonotempo.live.sources.threaded import ThreadedSource


class Metronome(ThreadedSource):
    """A source that repeats the same frames, at a fixed rate or as fast as allowed."""

    def __init__(self, frames_THW: np.ndarray, *, rate_hz: float | None, count: int) -> None:
        super().__init__("the metronome")
        self._frames_THW = frames_THW
        self._rate_hz = rate_hz
        self._count = count
        #: Whether the frame of this number may be written now.
        self.wait_for: Callable[[int], bool] = lambda _: True

    def _run(self, writer: RingWriter) -> None:
        self._state = "running"
        began = time.monotonic()
        for number in range(self._count):
            if self._rate_hz is not None:
                self._wait(max(0.0, began + number / self._rate_hz - time.monotonic()))
            while not self.wait_for(number) and not self._stopping:
                self._wait(0.005)
            if self._stopping:
                return
            image_HW = self._frames_THW[number % len(self._frames_THW)]
            writer.write(image_HW, probe_ns=number * 33_333_333, spacing_mm=(0.1, 0.1))
        self._state = "ended"
