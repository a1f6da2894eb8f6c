"""A source for measurements: a loop of frames, at a fixed rate or as fast as allowed."""

import threading
import time
from collections.abc import Callable

import numpy as np

from sonotempo.errors import SourceError
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.sources.source import Command, SourceEvent, SourceState


class Metronome:
    """A source that repeats the same frames, at a fixed rate or as fast as allowed."""

    commands: tuple[Command, ...] = ()

    def __init__(self, frames_THW: np.ndarray, *, rate_hz: float | None, count: int) -> None:
        self._frames_THW = frames_THW
        self._rate_hz = rate_hz
        self._count = count
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.state: SourceState = "stopped"
        #: Whether the frame of this number may be written now.
        self.wait_for: Callable[[int], bool] = lambda _: True

    def start(self, buffer: RingBuffer) -> None:
        """Start writing frames."""
        self.state = "running"
        self._thread = threading.Thread(target=self._run, args=(buffer,), daemon=True)
        self._thread.start()

    def _run(self, buffer: RingBuffer) -> None:
        with buffer.writer() as writer:
            began = time.monotonic()
            for number in range(self._count):
                if self._rate_hz is not None:
                    pause = began + number / self._rate_hz - time.monotonic()
                    self._stopping.wait(max(0.0, pause))
                while not self.wait_for(number) and not self._stopping.is_set():
                    self._stopping.wait(0.005)
                if self._stopping.is_set():
                    break
                image_HW = self._frames_THW[number % len(self._frames_THW)]
                writer.write(image_HW, probe_ns=number * 33_333_333, spacing_mm=(0.1, 0.1))
        self.state = "ended"

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def send(self, command: Command) -> None:
        """Refuse: this source takes no commands."""
        raise SourceError(f"{command}: this source takes no commands")

    def events(self) -> tuple[SourceEvent, ...]:
        """Return nothing: this source has no events."""
        return ()
