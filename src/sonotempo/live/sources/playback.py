"""A recording as a live source: at its own pace, with rate, loop, pause, seek and step."""

import math
import threading
import time
from collections import deque
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Self

import numpy as np

from sonotempo.errors import SonotempoError, SourceError
from sonotempo.framing import Framing
from sonotempo.io import open_recording
from sonotempo.live.buffer.ring_block import BufferHandle
from sonotempo.live.buffer.ring_buffer import RingWriter
from sonotempo.live.sources.address import Address
from sonotempo.live.sources.source import BufferSize, Command
from sonotempo.live.sources.threaded import ThreadedSource
from sonotempo.recording import Frame, Recording

_READ_AHEAD = 16  # frames
_LATE_NS = 100_000_000  # after a longer delay the clock restarts, so that no burst follows a stall
_NEVER_WRITTEN = -1


@dataclass(frozen=True, slots=True)
class _Item:
    """A frame that was read ahead, or why it could not be read."""

    index: int
    frame: Frame | None
    problem: str = ""


class PlaybackSource(ThreadedSource):
    """Plays a recording into a ring buffer at the recording's own time stamps.

    One thread reads ahead, so that decoding does not delay; another writes each frame when it is
    due. A frame that cannot be read is an "error" event with its number, and the next one follows.
    Frames are never left out: a recording that decodes too slowly plays more slowly. The frames'
    probe time is the recording's time stamp at any rate.

    Pausing is a "frozen" event, resuming a "running" one; the command "freeze" does both. Resuming
    after the end restarts the recording.

    Args:
        recording: what to play.
        rate: how many times faster than it was recorded.
        loop: whether the first frame follows the last; each time with a "seek" event.

    Raises:
        SourceError: a rate that is not positive.
    """

    def __init__(self, recording: Recording, rate: float = 1.0, loop: bool = False) -> None:
        super().__init__("this recording")
        self._recording, self._loop = recording, loop
        self._rate = _checked(rate)
        times_ns = np.asarray(recording.timestamps_ns, np.int64)
        steps_ns = np.diff(times_ns)
        #: From the last frame back to the first.
        self._period_ns = int(np.median(steps_ns)) if len(steps_ns) else 40_000_000
        self._times_ns = times_ns
        self._clear()

    @classmethod
    def open(cls, address: Address) -> Self:
        """Open the recording at a path.

        Raises:
            RecordingError: it cannot be read.
            SourceError: a rate that is not positive.
        """
        recording = open_recording(Path(address.text))
        return cls(recording, rate=address.rate, loop=address.loop)

    def _clear(self) -> None:
        """Go back to before the first frame."""
        self._ahead: deque[_Item] = deque()
        self._to_read: int | None = 0
        self._jump = 0  # counts seeks, so that frames read before one are dropped
        self._steps = 0  # frames still to show although paused
        self._announce_at: int | None = None  # the index that a seek goes to
        self._position = _NEVER_WRITTEN
        self._last_index: int | None = None
        self._due_ns: int | None = None

    @property
    def commands(self) -> tuple[Command, ...]:
        """Only "freeze", which pauses and resumes."""
        return ("freeze",)

    @property
    def recording(self) -> Recording:
        """What is played."""
        return self._recording

    @property
    def position(self) -> int:
        """Index in the recording of the frame that was written last; -1 before the first."""
        return self._position

    @property
    def rate(self) -> float:
        """How many times faster than it was recorded; can be changed while it plays."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        with self._changed:
            self._rate = _checked(rate)
            self._due_ns = None
            self._changed.notify_all()

    @property
    def loop(self) -> bool:
        """Whether the first frame follows the last; can be changed until the end is reached."""
        return self._loop

    @loop.setter
    def loop(self, loop: bool) -> None:
        with self._changed:
            self._loop = loop
            if not loop:
                self._forget_next_round()
            elif self._to_read is None and self._state != "ended":
                self._to_read = 0
            self._changed.notify_all()

    def buffer_size(self) -> BufferSize:
        """Return the size of the first frame, and the rate at which the recording plays.

        Raises:
            RecordingError: the first frame cannot be read.
        """
        height, width = self._recording[0].image_HW.shape
        recorded_hz = 1e9 / max(1, self._period_ns)
        return BufferSize(max(1.0, recorded_hz * self._rate), height, width)

    def _prepare(self, handle: BufferHandle) -> None:
        self._clear()
        self._state = "running"
        self._log.add("connected", f"{self._recording.name}, {len(self._recording)} frames")

    def _carry_out(self, command: Command) -> None:
        if self._state == "running":
            self.pause()
        else:
            self.resume()

    def frame_as(self, framing: Framing | None) -> None:
        """Say where the image is and how large its pixels are; a paused frame is shown again."""
        super().frame_as(framing)
        with self._changed:
            if self._state == "frozen" and self._position != _NEVER_WRITTEN:
                self._seek(self._position)
                self._steps = 1

    def pause(self) -> None:
        """Stay at this frame; no effect if it is paused already."""
        with self._changed:
            if self._state == "running":
                self._state = "frozen"
                self._log.add("frozen", "paused")

    def resume(self) -> None:
        """Continue from here, or from the start if the end is reached."""
        with self._changed:
            if self._state == "ended":
                self._seek(0)
            elif self._state == "frozen":
                self._log.add("running")
            else:
                return
            self._state = "running"
            self._due_ns = None
            self._changed.notify_all()

    def seek(self, index: int) -> None:
        """Go to a frame; while paused it is shown and playing stays paused.

        Raises:
            SourceError: an index out of range, or the source is stopped.
        """
        with self._changed:
            self._check_started()
            if not 0 <= index < len(self._recording):
                raise SourceError(
                    f"frame {index} of {self._recording.name}; expected 0 to "
                    f"{len(self._recording) - 1}"
                )
            self._seek(index)
            if self._state == "frozen":
                self._steps = 1
            else:
                self._state = "running"

    def step(self, by: int) -> None:
        """Pause, and show the next frame (``by`` 1) or the previous one (-1).

        A step back is a seek, which resets the models' states; a step forward is not. Steps beyond
        either end have no effect.

        Raises:
            SourceError: another number, or the source is stopped.
        """
        if by not in (1, -1):
            raise SourceError(f"a step by {by} frames; expected 1 or -1, or seek to a frame")
        with self._changed:
            self._check_started()
            ended = self._state == "ended"
            if not ended:
                self.pause()
            if by == 1 and not ended:
                self._steps += 1
            elif by == -1 and self._position > 0:
                if ended:
                    self._state = "frozen"
                    self._log.add("frozen", "paused")
                self._seek(self._position - 1)
                self._steps = 1
            self._changed.notify_all()

    def _check_started(self) -> None:
        if self._thread is None:
            raise SourceError("this recording is not playing; start it first")

    def _seek(self, index: int) -> None:
        """Drop what was read ahead and continue reading from here; the lock is held."""
        self._ahead.clear()
        self._jump += 1
        self._to_read = index
        self._announce_at = index
        self._steps = 0
        self._last_index = self._due_ns = None
        self._changed.notify_all()

    def _forget_next_round(self) -> None:
        """Drop what was read ahead after the last frame; the lock is held."""
        upcoming = [item.index for item in self._ahead]
        if self._to_read is not None:
            upcoming.append(self._to_read)
        last = -1 if self._last_index is None else self._last_index
        for count, (before, index) in enumerate(pairwise([last, *upcoming])):
            if index <= before:
                self._ahead = deque(islice(self._ahead, count))
                self._jump += 1
                self._to_read = None
                return

    def _read_ahead(self) -> None:
        """Keep the next frames read, until stopped."""
        while True:
            with self._changed:
                self._changed.wait_for(self._wants_reading)
                if self._stopping or self._to_read is None:
                    return
                index, jump = self._to_read, self._jump
            item = self._read(index)
            with self._changed:
                if jump == self._jump:
                    self._ahead.append(item)
                    self._to_read = index + 1
                    if self._to_read == len(self._recording):
                        self._to_read = 0 if self._loop else None
                    self._changed.notify_all()

    def _wants_reading(self) -> bool:
        has_room = self._to_read is not None and len(self._ahead) < _READ_AHEAD
        return self._stopping or has_room

    def _read(self, index: int) -> _Item:
        number = self._recording.frame_numbers[index]
        try:
            return _Item(index, self._recording[index])
        except Exception as error:  # noqa: BLE001  # whatever a decoder raises, playing continues
            known = isinstance(error, SonotempoError)
            reason = str(error) if known else f"{type(error).__name__}: {error}"
            return _Item(index, None, f"frame {number} cannot be read: {reason}")

    def _run(self, writer: RingWriter) -> None:
        reading = threading.Thread(target=self._read_ahead, name="playback reading", daemon=True)
        reading.start()
        try:
            self._play(writer)
        finally:
            with self._changed:
                self._stopping = True
                self._ahead.clear()
                self._changed.notify_all()
            reading.join()

    def _play(self, writer: RingWriter) -> None:
        """Write each frame when it is due, until stopped.

        The lock is held while a frame is written, so no earlier frame follows a seek.
        """
        with self._changed:
            while not self._stopping:
                if self._state == "ended" or not self._ahead or not self._may_show():
                    self._end_if_over()
                    self._changed.wait()
                    continue
                late_ns = self._lateness_ns(self._ahead[0].index)
                if late_ns < 0:
                    self._changed.wait(-late_ns / 1e9)
                    continue
                self._show(self._ahead.popleft(), late_ns, writer)
                self._changed.notify_all()

    def _may_show(self) -> bool:
        return self._state == "running" or self._steps > 0

    def _end_if_over(self) -> None:
        """Report once that the last frame has been shown."""
        is_over = self._to_read is None and not self._ahead
        if is_over and self._state == "running":
            self._state = "ended"
            self._log.add("ended")
        elif is_over:
            self._steps = 0

    def _lateness_ns(self, index: int) -> int:
        """Return how long ago a frame was due; negative if it is not due yet."""
        if self._due_ns is None or self._last_index is None or self._state != "running":
            return 0
        step_ns = self._period_ns
        if index == self._last_index + 1:
            step_ns = int(self._times_ns[index] - self._times_ns[self._last_index])
        due_ns = self._due_ns + max(0, round(step_ns / self._rate))
        return time.monotonic_ns() - due_ns

    def _show(self, item: _Item, late_ns: int, writer: RingWriter) -> None:
        """Write a frame, or report why there is none; the lock is held."""
        now_ns = time.monotonic_ns()
        self._due_ns = now_ns if late_ns > _LATE_NS else now_ns - late_ns
        back_at_start = self._last_index is not None and item.index <= self._last_index
        if self._announce_at is not None or back_at_start:
            self._log.add("seek", f"to frame {self._recording.frame_numbers[item.index]}")
            self._announce_at = None
        self._last_index = self._position = item.index
        self._steps = max(0, self._steps - 1)
        frame = item.frame
        if frame is None:
            self._log.add("error", item.problem)
            return
        try:
            writer.write(
                frame.image_HW,
                probe_ns=frame.timestamp_ns,
                spacing_mm=frame.spacing_mm,
                area=frame.area,
                pixel_aspect=frame.pixel_aspect,
                sector=frame.sector,
            )
        except SourceError as error:
            number = self._recording.frame_numbers[item.index]
            self._log.add("error", f"frame {number} cannot be played: {error}")


def _checked(rate: float) -> float:
    if not 0 < rate < math.inf:
        raise SourceError(f"a playback rate of {rate}; expected a number above 0 (1: as recorded)")
    return rate
