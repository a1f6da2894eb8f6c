"""The protocol of every source of live frames, and its events."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Literal, Protocol

from sonotempo.framing import Framing
from sonotempo.live.buffer.ring_buffer import RingBuffer

EventKind = Literal[
    "connecting",
    "connected",
    "disconnected",
    "frozen",
    "running",
    "restarted",
    "crashed",
    "depth",
    "gain",
    "button",
    "framing",
    "seek",
    "mark",
    "ended",
    "error",
]
Command = Literal["freeze", "depth+", "depth-", "gain+", "gain-"]
SourceState = Literal["stopped", "connecting", "running", "frozen", "disconnected", "ended"]

_KEPT_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """Something that happened at the source, other than a frame.

    Attributes:
        kind: what happened.
        host_ns: when, by :func:`time.monotonic_ns`; frames captured later have a later time.
        detail: a sentence or value for the user.
    """

    kind: EventKind
    host_ns: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class BufferSize:
    """The largest frames that a source writes, and how many a second at most."""

    rate_hz: float = 30.0
    height_px: int = 1024
    width_px: int = 1024


class FrameSource(Protocol):
    """Writes frames into a ring buffer from its own thread or process."""

    @property
    def state(self) -> SourceState:
        """What it is doing."""
        ...

    @property
    def commands(self) -> tuple[Command, ...]:
        """What :meth:`send` takes now."""
        ...

    def buffer_size(self) -> BufferSize:
        """Return what the ring buffer must have room for; may read a frame of a recording."""
        ...

    def start(self, buffer: RingBuffer) -> None:
        """Begin to write into a buffer; returns at once."""
        ...

    def stop(self) -> None:
        """End every thread and process that it started; may be called twice."""
        ...

    def send(self, command: Command) -> None:
        """Carry out a command.

        "freeze" toggles, as on a scanner.

        Raises:
            SourceError: not possible now; the message lists what is.
        """
        ...

    @property
    def takes_framing(self) -> bool:
        """Whether :meth:`frame_as` may be called: not where the scanner itself says it all."""
        ...

    def frame_as(self, framing: Framing | None) -> None:
        """Say where the image is and how large its pixels are, from the next frame on.

        It takes the place of what the source knows, for frames of the framing's size.

        Args:
            framing: what holds; None to take it back.

        Raises:
            SourceError: this source does not take it, or is not running.
        """
        ...

    def events(self) -> tuple[SourceEvent, ...]:
        """Return what happened since the last call, oldest first; never waits.

        A "seek" (also at the restart of a loop) is reported before the next frame is written.
        """
        ...


class EventLog:
    """Collects events from any thread until they are taken.

    Only the newest 10 000 are kept, so that memory use is bounded.

    >>> log = EventLog()
    >>> log.add("seek", "to frame 3")
    >>> [(event.kind, event.detail) for event in log.take()], log.take()
    ([('seek', 'to frame 3')], ())
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: deque[SourceEvent] = deque(maxlen=_KEPT_EVENTS)

    def add(self, kind: EventKind, detail: str = "", host_ns: int | None = None) -> None:
        """Add an event, by default with the present time."""
        with self._lock:
            at_ns = time.monotonic_ns() if host_ns is None else host_ns
            self._events.append(SourceEvent(kind, at_ns, detail))

    def take(self) -> tuple[SourceEvent, ...]:
        """Return and remove all events."""
        with self._lock:
            taken = tuple(self._events)
            self._events.clear()
        return taken
