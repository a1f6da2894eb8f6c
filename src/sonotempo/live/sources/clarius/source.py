"""Live images of a Clarius probe, through the SDK in a child process.

Every fault is handled alike: the process is ended, killed if necessary, and a new one connects. So
a crash of the SDK, a hang, a refused connection and a lost network each become an event and a
pause.
"""

import atexit
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

from sonotempo.errors import SourceError, unknown_option
from sonotempo.live.buffer.ring_block import BufferHandle
from sonotempo.live.buffer.ring_buffer import RingWriter
from sonotempo.live.sources.address import Address
from sonotempo.live.sources.clarius.host import CastProcess
from sonotempo.live.sources.clarius.messages import (
    IMAGE_FORMATS,
    USER_FUNCTIONS,
    CastCounts,
    CastSettings,
    ImageFormat,
    Message,
)
from sonotempo.live.sources.clarius.sdk import find_sdk
from sonotempo.live.sources.clarius.watchdog import ClariusLimits, Watchdog
from sonotempo.live.sources.source import Command
from sonotempo.live.sources.threaded import ThreadedSource, WritableBuffer

_POLL_S = 0.02


class ClariusSource(ThreadedSource):
    """Streams from a Clarius probe into a ring buffer; reconnects until it is stopped.

    It needs the Clarius Cast SDK, which comes from the vendor (docs/clarius.md). Frames carry the
    probe's clock, the spacing that the SDK states for each image, and the image area from the alpha
    channel. It has been tested with a stand-in for the SDK, not with a probe.

    Its state is "ended" after a fault that a new attempt cannot fix.

    Args:
        host: the probe's address, 192.168.1.1 in its own Wi-Fi.
        port: the probe's Cast port, as the Clarius App shows it; 5828 with the Cast permission
            "Research".
        sdk: the folder with the unpacked SDK, or None if `pyclariuscast` is installed.
        width_px: of the images; pixels are square, black borders fill the rest.
        height_px: of the images.
        image_format: how the SDK passes images; only "argb" marks the borders reliably.
        limits: how long each step may take.

    Raises:
        SourceError: an invalid port, size or format.
    """

    _stop_s = None  # each step of the shutdown has a limit

    def __init__(
        self,
        host: str,
        port: int = 5828,
        sdk: Path | None = None,
        *,
        width_px: int = 640,
        height_px: int = 480,
        image_format: ImageFormat = "argb",
        limits: ClariusLimits | None = None,
    ) -> None:
        if not host or not 0 < port < 65536:
            raise SourceError(
                f"the address {host!r}, port {port}; expected the probe's address and a port from "
                "1 to 65535, as the Clarius App shows them: clarius://192.168.1.1:5828"
            )
        if width_px <= 0 or height_px <= 0:
            raise SourceError(f"images of {width_px}x{height_px} pixels; expected numbers above 0")
        if image_format not in IMAGE_FORMATS:
            raise SourceError(unknown_option("image format", image_format, IMAGE_FORMATS))
        super().__init__("this Clarius probe")
        self._limits = limits or ClariusLimits()
        self._settings = CastSettings(
            host,
            port,
            sdk,
            width_px,
            height_px,
            image_format,
            orphan_s=self._limits.orphan_s,
        )
        self._received = CastCounts()
        self._child: CastProcess | None = None

    @classmethod
    def open(cls, address: Address) -> Self:
        """Make the source that an address such as ``clarius://192.168.1.1:5828`` names.

        Raises:
            SourceError: no host, an invalid port, or an unknown option.
        """
        address.check_options([])
        return cls(address.host, 5828 if address.port is None else address.port, address.sdk)

    @property
    def takes_framing(self) -> bool:
        """No: the SDK states the spacing, and the alpha channel the area."""
        return False

    @property
    def commands(self) -> tuple[Command, ...]:
        """What :meth:`send` takes now: all while running, "freeze" while frozen."""
        if self._state == "running":
            return tuple(USER_FUNCTIONS)
        return ("freeze",) if self._state == "frozen" else ()

    @property
    def received(self) -> CastCounts:
        """The SDK's callbacks on the present connection, including inertial samples.

        Updated four times a second.
        """
        return self._received

    @property
    def pid(self) -> int | None:
        """The id of the process with the SDK, or None between two processes."""
        child = self._child
        return child.pid if child is not None else None

    def start(self, buffer: WritableBuffer) -> None:
        """Begin to connect; returns at once, the outcome is in :meth:`events`.

        Raises:
            SourceError: no SDK, images that do not fit the buffer, or started already.
        """
        super().start(buffer)
        atexit.register(self.stop)

    def stop(self) -> None:
        """Disconnect and end the process; if the SDK does not comply, it is killed."""
        super().stop()
        atexit.unregister(self.stop)

    def _prepare(self, handle: BufferHandle) -> None:
        find_sdk(self._settings.sdk)
        self._require_room(handle, self._settings.height_px, self._settings.width_px)
        self._state = "connecting"

    def _carry_out(self, command: Command) -> None:
        if self._child is not None:
            self._child.tell(command)

    def _run(self, writer: RingWriter) -> None:
        """Keep one process after the other connected, until stopped or a retry is pointless.

        The processes write the frames; the writer here only shows how many there are.
        """
        where = f"{self._settings.host}:{self._settings.port}"
        failures, has_crashed = 0, False
        while not self._stopping:
            self._state = "connecting"
            self._log.add("connecting", f"{where}, attempt {failures + 1}")
            end = self._live(writer, has_crashed)
            if end.kind == "stopped":
                return
            if end.kind == "fatal":
                self._log.add("error", end.reason)
                self._log.add("ended", "a new attempt cannot fix this")
                self._state = "ended"
                return
            has_crashed = end.kind == "crashed"
            failures = 1 if end.was_steady else failures + 1
            pause_s = self._limits.pause_s(failures)
            self._state = "disconnected"
            self._log.add(end.kind, f"{end.reason}; next attempt in {pause_s:g} s")
            self._wait(pause_s)

    def _live(self, writer: RingWriter, after_crash: bool) -> "_End":
        """Run one process from its start to its end."""
        watchdog = Watchdog(self._limits, time.monotonic())
        self._received = CastCounts()
        try:
            child = CastProcess(self._settings, writer.handle)
        except OSError as error:
            return _End("disconnected", f"no new process could be started: {error}")
        with self._changed:
            self._child = child
        try:
            end = self._follow(child, watchdog, writer, after_crash)
        finally:
            with self._changed:
                self._child = None
            has_obeyed = child.end(self._limits.stop_s)
        if not has_obeyed:
            self._log.add("error", "the SDK did not disconnect; its process was killed")
        return replace(end, was_steady=watchdog.is_steady(time.monotonic()))

    def _follow(
        self, child: CastProcess, watchdog: Watchdog, writer: RingWriter, after_crash: bool
    ) -> "_End":
        written = writer.written
        while not self._stopping:
            # Read before listening: a dead process's last messages are still in the pipe.
            is_alive = child.is_alive
            for message in child.messages(_POLL_S):
                if message.kind == "fatal":
                    return _End("fatal", message.detail)
                if message.kind == "refused":
                    return _End("disconnected", message.detail)
                if message.kind == "loaded" and after_crash:
                    self._log.add("restarted", "a new process has loaded the SDK", message.host_ns)
                self._hear(message, child, watchdog)
            if not is_alive:
                how = child.how_it_ended() or "no reason given"
                return _End("crashed", f"the SDK crashed its process ({how})")
            now_s = time.monotonic()
            if writer.written != written:
                written = writer.written
                watchdog.saw("image", now_s)
                if watchdog.phase == "streaming" and self._state != "running":
                    self._state = "running"
                    self._log.add("running", "images are arriving again")
            overdue = watchdog.overdue(now_s)
            if overdue is not None:
                return _End("disconnected", overdue)
        return _End("stopped", "")

    def _hear(self, message: Message, child: CastProcess, watchdog: Watchdog) -> None:
        """Turn a message of the process into events, state, and the watchdog's knowledge."""
        kind, detail, host_ns = message.kind, message.detail, message.host_ns
        watchdog.saw(
            kind if (kind, detail) != ("asked", "freeze") else "freeze sent", time.monotonic()
        )
        if kind == "received":
            self._received = message.received or self._received
        elif kind == "arriving":
            self._state = "running"
            self._log.add("running", "images are arriving", host_ns)
            # Nothing is written before, so that no frame precedes these events.
            child.tell("go")
        elif kind == "frozen" or (kind == "running" and self._state == "frozen"):
            self._state = kind
            self._log.add(kind, detail, host_ns)
        elif kind in ("connected", "depth", "gain", "button", "error"):
            self._log.add(kind, detail, host_ns)


@dataclass(frozen=True, slots=True)
class _End:
    """Why a process was ended."""

    kind: Literal["stopped", "fatal", "crashed", "disconnected"]
    reason: str
    was_steady: bool = False
