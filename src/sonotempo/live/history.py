"""The models' results of the last seconds, by frame number.

Masks are kept on the network grid. Pixels are not kept: they are still in the ring buffer, from
which :meth:`PredictionHistory.get` reads them.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from sonotempo.live.buffer.ring_buffer import RingReader
from sonotempo.recording import Frame

if TYPE_CHECKING:
    from sonotempo.live.models.onnx_predictor import GridPrediction

#: The state of a frame: ``segmented`` (it has a result), ``not segmented`` (it is in the buffer
#: but no model has seen it, or the result is no longer kept), ``gone`` (it has left the buffer),
#: ``not written``.
FrameStatus = Literal["segmented", "not segmented", "gone", "not written"]


_NO_PIXELS = np.empty((0, 0), np.uint8)


@dataclass(frozen=True, slots=True)
class StepResult:
    """One frame with the predictions of every model.

    Attributes:
        frame: a private copy of the pixels; ``frame.index`` is its number in the stream.
        predictions: of all models, in the order in which they were given.
        captured_ns: when it was captured, on the host's monotonic clock.
        ready_ns: when the predictions were ready, on the same clock.
        skipped: how many frames were left out since the previous segmented one.
        reset: why the states were reset just before this frame, or None.
    """

    frame: Frame
    predictions: tuple["GridPrediction", ...]
    captured_ns: int
    ready_ns: int
    skipped: int = 0
    reset: str | None = None

    def age_ms(self, now_ns: int) -> float:
        """How old the image is at a time of ``time.monotonic_ns()``."""
        return (now_ns - self.captured_ns) / 1e6


class PredictionHistory:
    """The results of the last seconds; one thread adds, any thread reads.

    Args:
        reader: of the buffer that the frames are in; the history closes it.
        seconds: how long results are kept; those whose frame has left the buffer are dropped.
    """

    def __init__(self, reader: RingReader, seconds: float = 10.0) -> None:
        self._reader = reader
        self._kept_ns = seconds * 1e9
        # Two locks: the thread that adds never waits while another copies a frame.
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._results: OrderedDict[int, StepResult] = OrderedDict()
        self._is_open = True

    def __len__(self) -> int:
        with self._lock:
            return len(self._results)

    def add(self, result: StepResult) -> None:
        """Keep a result, and drop those that are too old."""
        kept = replace(result, frame=replace(result.frame, image_HW=_NO_PIXELS))
        with self._lock:
            self._results[result.frame.index] = kept
            oldest = self._reader.oldest
            while self._results:
                number, first = next(iter(self._results.items()))
                if number >= oldest and result.captured_ns - first.captured_ns <= self._kept_ns:
                    break
                del self._results[number]

    def get(self, number: int) -> StepResult | None:
        """Return the result of a frame, or None; :meth:`status` gives the reason."""
        with self._lock:
            kept = self._results.get(number)
        if kept is None:
            return None
        with self._reading:
            streamed = self._reader.read(number) if self._is_open else None
        if streamed is None:
            return None
        return replace(kept, frame=streamed.frame)

    def status(self, number: int) -> FrameStatus:
        """Return the state of a frame."""
        with self._reading:
            if not self._is_open or number < self._reader.oldest:
                return "gone"
            if number >= self._reader.written:
                return "not written"
        with self._lock:
            return "segmented" if number in self._results else "not segmented"

    def numbers(self) -> tuple[int, ...]:
        """Return the numbers of the frames that have a result, increasing."""
        with self._lock:
            return tuple(self._results)

    def clear(self) -> None:
        """Forget all results."""
        with self._lock:
            self._results.clear()

    def close(self) -> None:
        """Release the results and the buffer: from now on, all frames are gone."""
        with self._lock, self._reading:
            self._is_open = False
            self._results.clear()
            self._reader.close()
