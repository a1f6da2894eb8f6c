"""A source in a separate process, so that its work does not hold up a window or an engine."""

import atexit
import multiprocessing
import multiprocessing.connection
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from sonotempo.errors import SonotempoError, SourceError
from sonotempo.framing import Framing
from sonotempo.live.buffer.ring_block import BufferHandle
from sonotempo.live.buffer.ring_buffer import RingWriter
from sonotempo.live.sources.source import BufferSize, Command, SourceEvent, SourceState
from sonotempo.live.sources.threaded import ThreadedSource
from sonotempo.live.spawning import exit_words, start_spawned

_LOOK_S = 0.005
_LISTEN_S = 0.05
_END_S = 5.0

Make = Callable[[], ThreadedSource]


@dataclass(frozen=True, slots=True)
class _Report:
    """What the process says: its source's state and commands, and what has happened."""

    state: SourceState
    commands: tuple[Command, ...]
    events: tuple[SourceEvent, ...]


class SeparateSource(ThreadedSource):
    """Runs another source in a process that this object starts and ends.

    Frames go straight from the process into the ring buffer; state, events and commands go through
    a pipe. If the process ends by itself, the state becomes "disconnected" with an "error" event.

    Args:
        title: the source in messages, for example "this simulated scanner".
        make: makes the source; called here, to refuse what is not valid, and in the process. It
            must be picklable, such as a ``functools.partial`` of a class method.

    Raises:
        SonotempoError: what ``make`` raises.
    """

    _stop_s = None  # each step of the shutdown has a limit

    def __init__(self, title: str, make: Make) -> None:
        super().__init__(title)
        self._make = make
        self._here = make()
        self._commands: tuple[Command, ...] = ()
        self._process_end: Connection | None = None
        self._sending = threading.Lock()
        self._pid: int | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, or None while there is no process."""
        return self._pid

    @property
    def commands(self) -> tuple[Command, ...]:
        """What :meth:`send` takes now."""
        return self._commands

    @property
    def takes_framing(self) -> bool:
        """Whether the other source does."""
        return self._here.takes_framing

    def frame_as(self, framing: Framing | None) -> None:
        """Say where the image is and how large its pixels are, from the next frame on.

        Raises:
            SourceError: this source knows it itself, or is not running.
        """
        if self._process_end is None:
            raise SourceError(f"{self._title} is not running; start it first")
        super().frame_as(framing)
        with self._sending, suppress(OSError):  # its end is reported by the thread
            self._process_end.send(_Asked(framing))

    def buffer_size(self) -> BufferSize:
        """Return the largest size and rate of the frames."""
        return self._here.buffer_size()

    def stop(self) -> None:
        """End the process; it is killed if it does not end by itself."""
        super().stop()
        self._commands = ()
        atexit.unregister(self.stop)

    def _prepare(self, handle: BufferHandle) -> None:
        self._here.check_room(handle)
        self._state = "connecting"
        atexit.register(self.stop)

    def _carry_out(self, command: Command) -> None:
        with self._sending, suppress(OSError):  # its end is reported by the thread
            if self._process_end is not None:
                self._process_end.send(command)

    def _run(self, writer: RingWriter) -> None:
        """Start the process and pass on what it reports, until stopped or it has ended."""
        spawn = multiprocessing.get_context("spawn")
        connection, process_end = spawn.Pipe()
        process = spawn.Process(
            target=_serve,
            args=(self._make, writer.handle, process_end),
            name=f"sonotempo {self._title}",
            daemon=True,
        )
        try:
            start_spawned(process)
        finally:
            process_end.close()  # only the process holds it now, so that its end is noticed
        self._pid, self._process_end = process.pid, connection
        try:
            self._follow(connection)
        finally:
            with self._sending:
                self._process_end = None
            with suppress(OSError):  # it has ended already
                connection.send(None)
            process.join(_END_S)
            if process.is_alive():
                process.kill()
                process.join()
            how = exit_words(process.exitcode)
            connection.close()
            self._pid = None
        if not self._stopping:
            self._state = "disconnected"
            why = f" ({how})" if how else ""
            self._log.add("error", f"the process of {self._title} ended{why}; start again")

    def _follow(self, connection: Connection) -> None:
        while not self._stopping:
            if not multiprocessing.connection.wait([connection], _LISTEN_S):
                continue
            try:
                report = connection.recv()
            except (EOFError, OSError):
                return
            for event in report.events:
                self._log.add(event.kind, event.detail, event.host_ns)
            with self._changed:
                self._state, self._commands = report.state, report.commands
                self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the host says of the frames, on its way to the process."""

    framing: Framing | None


@dataclass(frozen=True, slots=True)
class _Room:
    """The buffer as the process sees it: made by the host, written here."""

    handle: BufferHandle

    def writer(self) -> RingWriter:
        """Return a writer."""
        return RingWriter(self.handle)


def _serve(make: Make, handle: BufferHandle, connection: Connection) -> None:
    """Run the source until the host requests the end or has ended."""
    # Ctrl-C reaches every process of a terminal; the host decides what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source = make()
    source.start(_Room(handle))
    said = _Report("stopped", (), ())
    try:
        while True:
            report = _Report(source.state, source.commands, source.events())
            if report.events or report != said:
                connection.send(report)
                said = _Report(report.state, report.commands, ())
            if connection.poll(_LOOK_S):
                command = connection.recv()
                if command is None:
                    return
                with suppress(SonotempoError):  # possible when it was sent, not any more
                    if isinstance(command, _Asked):
                        source.frame_as(command.framing)
                    else:
                        source.send(command)
    except (EOFError, ConnectionError):
        return  # the host has ended
    finally:
        source.stop()
