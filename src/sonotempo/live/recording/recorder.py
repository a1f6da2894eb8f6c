"""Records a stream without loss: frames, events and, if given, predictions."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from sonotempo.live.buffer.ring_buffer import RingReader, StreamedFrame
from sonotempo.live.closing import Closing
from sonotempo.live.recording.files import open_stream_files
from sonotempo.live.sources.source import EventLog, SourceEvent
from sonotempo.recording import Prediction
from sonotempo.structures import StructureSet

_LOOK_S = 0.01
_MIB = 1 << 20
_WAITING = 1000  # predictions that arrive before their frame is written

_Item = StreamedFrame | SourceEvent | Prediction


@dataclass(frozen=True, slots=True)
class RecorderStatistics:
    """The progress of a recording.

    Attributes:
        frames: written.
        predictions: written.
        lost: frames that could not be recorded because the disk was too slow for too long.
        queued_bytes: pixels waiting to be written.
    """

    frames: int
    predictions: int
    lost: int
    queued_bytes: int


class Recorder(Closing):
    """Writes every frame that a reader returns, in two threads, until stopped.

    One thread takes frames from the ring buffer into a queue, another encodes and writes them, so
    a slow disk costs memory but no frames. If the queue is full, frames wait in the ring buffer;
    frames that are overwritten there are counted, reported in an "error" event and leave a gap in
    the numbers.

    A path ending in ``.mkv`` becomes FFV1 (lossless) in Matroska, with a ``.jsonl`` file
    for frame numbers, exact times, spacing, area and events; a new frame size starts a new segment,
    ``out.segment-2.mkv``. :func:`~sonotempo.io.open_recording` reads all of it back from
    ``out.mkv``. A path without an ending becomes a folder of MetaImage files.

    Everything is passed to the operating system at once, so a killed program loses at most the
    newest frame. If writing fails (no space left), the recording ends with an "error" event and the
    stream continues; what was written stays readable.

    Args:
        reader: whose frames are recorded, from its position; the recorder closes it.
        path: of the recording; it must not exist.
        queue_mib: memory for frames waiting to be written.
        structures: what the label values of the predictions mean, or None without predictions.

    Raises:
        SourceError: the path exists, it cannot be written, or PyAV is missing.
    """

    def __init__(
        self,
        reader: RingReader,
        path: Path | str,
        *,
        queue_mib: float = 1024,
        structures: StructureSet | None = None,
    ) -> None:
        self._reader, self._path = reader, Path(path)
        self._limit_bytes = int(queue_mib * _MIB)
        try:
            self._files = open_stream_files(self._path)
            if structures is not None:
                self._files.write_structures(structures)
        except BaseException:
            reader.close()
            raise
        self._log = EventLog()
        self._changed = threading.Condition()
        self._queue: deque[_Item] = deque()
        self._queued_bytes = 0
        self._frames = self._predictions = self._lost = 0
        self._last_number = -1
        self._early: deque[Prediction] = deque(maxlen=_WAITING)
        self._is_stopping = self._is_collected = False
        self._problem: str | None = None
        self._threads = [
            threading.Thread(target=self._collect, name="recorder taking", daemon=True),
            threading.Thread(target=self._write, name="recorder writing", daemon=True),
        ]
        self._is_open = True
        for thread in self._threads:
            thread.start()

    @property
    def path(self) -> Path:
        """The path of the recording."""
        return self._path

    @property
    def problem(self) -> str | None:
        """Why the recording ended before it was stopped, or None."""
        return self._problem

    @property
    def statistics(self) -> RecorderStatistics:
        """The progress so far."""
        with self._changed:
            return RecorderStatistics(
                self._frames, self._predictions, self._lost, self._queued_bytes
            )

    def events(self) -> tuple[SourceEvent, ...]:
        """Return what went wrong since the last call; never waits."""
        return self._log.take()

    def note(self, event: SourceEvent) -> None:
        """Record an event of the source."""
        self._put(event, 0)

    def add(self, predictions: tuple[Prediction, ...]) -> None:
        """Record the predictions of a frame; its index is the number in the stream.

        Predictions of frames from before the recording are ignored.
        """
        for prediction in predictions:
            self._put(prediction, prediction.mask_HW.nbytes)

    def stop(self) -> RecorderStatistics:
        """Write all frames up to now, finish the files and end the threads."""
        if self._is_open:
            self._is_open = False
            with self._changed:
                self._is_stopping = True
                self._changed.notify_all()
            for thread in self._threads:
                thread.join()
        return self.statistics

    def close(self) -> None:
        """Stop."""
        self.stop()

    def _put(self, item: _Item, size_bytes: int) -> None:
        with self._changed:
            if self._problem is None and not self._is_collected:
                self._queue.append(item)
                self._queued_bytes += size_bytes
                self._changed.notify_all()

    def _collect(self) -> None:
        """Take frames as they arrive, until stopped; then all that remain."""
        with self._reader as reader:
            is_last_look = False
            while not is_last_look and self._problem is None:
                with self._changed:
                    self._changed.wait_for(lambda: self._is_stopping, _LOOK_S)
                    is_last_look = self._is_stopping
                end = reader.written
                while self._wait_for_room() and (streamed := reader.next()) is not None:
                    self._note_lost(reader.overruns)
                    self._put(streamed, streamed.frame.image_HW.nbytes)
                    if streamed.number + 1 >= end:
                        break
        with self._changed:
            self._is_collected = True
            self._changed.notify_all()

    def _wait_for_room(self) -> bool:
        """Wait while the queue is full; False once nothing more is written."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._queued_bytes < self._limit_bytes or self._problem is not None
            )
        return self._problem is None

    def _note_lost(self, overruns: int) -> None:
        lost, self._lost = overruns - self._lost, overruns
        if lost:
            what = f"{lost} frames could not be recorded"
            event = SourceEvent("error", time.monotonic_ns(), f"{what}: the disk is too slow")
            said = f"{what} to {self._path}: the disk is too slow"
            self._log.add(event.kind, said, event.host_ns)
            self._put(event, 0)  # the recording does not say where it lay

    def _write(self) -> None:
        """Write the queue, until all is collected and written."""
        while (item := self._take()) is not None:
            try:
                self._write_item(item)
            except OSError as error:
                self._fail(error)
                break
        try:
            self._files.close()
        except OSError as error:
            self._fail(error)

    def _take(self) -> _Item | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_collected)
            return self._queue.popleft() if self._queue else None

    def _write_item(self, item: _Item) -> None:
        size_bytes = 0
        if isinstance(item, StreamedFrame):
            self._files.write_frame(item)
            size_bytes = item.frame.image_HW.nbytes
            self._last_number = item.number
            self._frames += 1
            while self._early and self._early[0].frame.index <= self._last_number:
                self._predictions += self._files.write_prediction(self._early.popleft())
        elif isinstance(item, Prediction):
            size_bytes = item.mask_HW.nbytes
            if item.frame.index > self._last_number:  # the model was faster than the recorder
                self._early.append(item)
            else:
                self._predictions += self._files.write_prediction(item)
        else:
            self._files.write_event(item.host_ns, item.kind, item.detail)
        with self._changed:
            self._queued_bytes -= size_bytes
            self._changed.notify_all()

    def _fail(self, error: OSError) -> None:
        reason = error.strerror or str(error)
        with self._changed:
            if self._problem is not None:
                return
            self._frames = self._files.frames_kept
            self._problem = (
                f"recording to {self._path} ended after {self._frames} frames ({reason}); they "
                "stay readable: make room and record to another name"
            )
            self._queue.clear()
            self._queued_bytes = 0
            self._log.add("error", self._problem)
            self._changed.notify_all()
