"""The part that all sources share: one thread, state, events, and the refusal of commands."""

import threading
from abc import ABC, abstractmethod
from typing import Protocol

from sonotempo.errors import SourceError
from sonotempo.framing import Framing
from sonotempo.live.buffer.ring_block import BufferHandle
from sonotempo.live.buffer.ring_buffer import RingWriter
from sonotempo.live.sources.source import (
    BufferSize,
    Command,
    EventLog,
    SourceEvent,
    SourceState,
)


class WritableBuffer(Protocol):
    """What a source needs of a ring buffer, which another process may have made."""

    @property
    def handle(self) -> BufferHandle:
        """Its name and geometry."""
        ...

    def writer(self) -> RingWriter:
        """Return a writer into it."""
        ...


class ThreadedSource(ABC):
    """A :class:`~sonotempo.live.sources.source.FrameSource` that runs in one thread.

    A subclass writes frames in :meth:`_run` and sets ``_state`` and adds to ``_log`` as it goes.
    ``_changed`` is its lock; notify it after any change that the thread waits for.

    >>> class Still(ThreadedSource):
    ...     def _run(self, writer):
    ...         self._state = "running"
    ...         writer.write(np.zeros((4, 4), np.uint8), probe_ns=0)
    ...         self._wait(60)
    >>> import numpy as np
    >>> from sonotempo.live.buffer.ring_buffer import RingBuffer
    >>> source = Still("a still image")
    >>> with RingBuffer(1, 1, 4, 4) as buffer, buffer.reader() as reader:
    ...     source.start(buffer)
    ...     reader.wait(10)
    ...     source.stop()
    True

    Args:
        title: the source in messages, for example "this recording".
    """

    #: How long :meth:`stop` waits for the thread, in seconds; None: until it has ended.
    _stop_s: float | None = 10.0

    def __init__(self, title: str) -> None:
        self._title = title
        self._log = EventLog()
        self._changed = threading.Condition()
        self._stopping = False
        self._state: SourceState = "stopped"
        self._thread: threading.Thread | None = None
        self._writer: RingWriter | None = None
        self._framing: Framing | None = None

    @property
    def state(self) -> SourceState:
        """What it is doing; "disconnected" also after a fault in the program."""
        return self._state

    @property
    def commands(self) -> tuple[Command, ...]:
        """What :meth:`send` takes now."""
        return ()

    def buffer_size(self) -> BufferSize:
        """Return the largest size and rate of the frames; by default those of most scanners."""
        return BufferSize()

    def start(self, buffer: WritableBuffer) -> None:
        """Begin to write into a buffer; returns at once.

        Raises:
            SourceError: it is started already, its frames do not fit the buffer, or the buffer is
                closed.
        """
        if self._thread is not None:
            raise SourceError(f"{self._title} is started already; stop it first")
        writer = buffer.writer()
        try:
            self._prepare(buffer.handle)
        except BaseException:
            writer.close()
            raise
        self._stopping = False
        writer.framing = self._framing
        self._writer = writer
        self._thread = threading.Thread(
            target=self._guarded_run, args=(writer,), name=f"sonotempo {self._title}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread and all that it started; may be called twice."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(self._stop_s)
        self._thread = self._writer = None
        self._state = "stopped"

    def send(self, command: Command) -> None:
        """Carry out a command; its effect is an event.

        Raises:
            SourceError: it cannot do this now; the message lists what it can.
        """
        with self._changed:
            can = self.commands
            if command not in can:
                raise SourceError(
                    f"{self._title} is {self._state} and cannot do {command!r}. "
                    f"Options: {', '.join(can) or 'none'}"
                )
            self._carry_out(command)
            self._changed.notify_all()

    @property
    def takes_framing(self) -> bool:
        """Whether :meth:`frame_as` may be called; by default it may."""
        return True

    def frame_as(self, framing: Framing | None) -> None:
        """Say where the image is and how large its pixels are, from the next frame on.

        Raises:
            SourceError: this source knows it itself, or is not running.
        """
        if not self.takes_framing:
            raise SourceError(f"{self._title} knows its image's area and scale; nothing to set")
        self._framing = framing
        if self._writer is not None:
            self._writer.framing = framing

    def events(self) -> tuple[SourceEvent, ...]:
        """Return what happened since the last call, oldest first; never waits."""
        return self._log.take()

    def check_room(self, handle: BufferHandle) -> None:
        """Refuse a buffer that the frames do not fit; by default that of :meth:`buffer_size`.

        Raises:
            SourceError: the buffer's frames are smaller.
        """
        size = self.buffer_size()
        self._require_room(handle, size.height_px, size.width_px)

    def _prepare(self, handle: BufferHandle) -> None:
        """Check that it can start, and set the state that it starts in."""
        self._state = "connecting"

    @abstractmethod
    def _run(self, writer: RingWriter) -> None:
        """Write frames until ``_stopping``; runs in the thread."""

    def _carry_out(self, command: Command) -> None:
        """Carry out one of :attr:`commands`; the lock is held."""
        raise AssertionError(f"{type(self).__name__} lists {command!r} but does not carry it out")

    def _wait(self, seconds: float) -> bool:
        """Wait, at most until stopped; return whether to continue."""
        with self._changed:
            return not self._changed.wait_for(lambda: self._stopping, max(0.0, seconds))

    def _require_room(self, handle: BufferHandle, height_px: int, width_px: int) -> None:
        """Refuse a buffer whose slots are too small.

        Raises:
            SourceError: frames of this size do not fit.
        """
        if height_px * width_px > handle.slot_bytes:
            raise SourceError(
                f"{self._title} sends frames of {height_px}x{width_px} pixels (rows x columns), "
                f"which do not fit the buffer's {handle.height_px}x{handle.width_px}; request "
                "smaller frames or make the buffer larger"
            )

    def _guarded_run(self, writer: RingWriter) -> None:
        """Run, and report a failure where the stream is watched."""
        with writer:
            try:
                self._run(writer)
            except Exception as error:
                with self._changed:
                    self._state = "disconnected"
                    self._log.add("error", f"{self._title} failed: {type(error).__name__}: {error}")
                raise
