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

_LOOK_S = 0.01
_MIB = 1 << 20
_WAITING = 1000  # predictions that are ahead of their frame

_Item = StreamedFrame | SourceEvent | Prediction


@dataclass(frozen=True, slots=True)
class RecorderStatistics:
    """How a recording stands.

    Attributes:
        frames: written.
        predictions: written.
        lost: frames that came and could not be taken: the disk was too slow for too long.
        queued_bytes: pixels that wait to be written.
    """

    frames: int
    predictions: int
    lost: int
    queued_bytes: int


class Recorder(Closing):
    """Writes every frame that a reader gives, in threads of its own, until stopped.

    One thread takes frames from the ring buffer into a queue, another encodes and writes them, so
    a slow disk costs memory and no frames. If even the queue is full, frames wait in the ring
    buffer; what is overwritten there is counted, named in an "error" event and leaves a gap in the
    numbers.

    A path ending in ``.mkv`` becomes FFV1 (lossless) in Matroska, with ``.jsonl`` beside it for
    frame numbers, exact times, spacing, area and events; frames of another size start a new
    segment, ``out.segment-2.mkv``. :func:`~sonotempo.io.open_recording` reads all of it back from
    ``out.mkv``. A path without an ending becomes a folder of MetaImage files.

    Everything is given to the operating system as it comes, so a killed program loses the newest
    frame at most. If nothing more can be written (no space left), an "error" event says so, the
    recording ends there, and the stream goes on; what was written stays readable.

    Args:
        reader: whose frames are recorded, from its place on; the recorder closes it.
        path: of the recording; nothing may be there.
        queue_mib: memory for frames that wait to be written.

    Raises:
        SourceError: something is there already, it cannot be written, or PyAV is missing.
    """

    def __init__(self, reader: RingReader, path: Path | str, *, queue_mib: float = 1024) -> None:
        self._reader, self._path = reader, Path(path)
        self._limit_bytes = int(queue_mib * _MIB)
        try:
            self._files = open_stream_files(self._path)
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
        """Of the recording."""
        return self._path

    @property
    def problem(self) -> str | None:
        """Why the recording ended before it was stopped, or None."""
        return self._problem

    @property
    def statistics(self) -> RecorderStatistics:
        """How it stands."""
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
        """Record what models made of a frame; its index is the number in the stream.

        Predictions of frames from before the recording are left out.
        """
        for prediction in predictions:
            self._put(prediction, prediction.mask_HW.nbytes)

    def stop(self) -> RecorderStatistics:
        """Write all that has come until now, finish the files and end the threads."""
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
        """Take frames as they come, until stopped; then all that are there."""
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
            detail = f"{lost} frames could not be recorded to {self._path}: the disk is too slow"
            event = SourceEvent("error", time.monotonic_ns(), detail)
            self._log.add(event.kind, event.detail, event.host_ns)
            self._put(event, 0)

    def _write(self) -> None:
        """Write what is queued, until all is collected and written."""
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
