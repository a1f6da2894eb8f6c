"""An OpenIGTLink server as a live source: PLUS, 3D Slicer, and the scanners that they read."""

import socket
import time
from typing import Self
from urllib.parse import unquote, urlsplit

from sonotempo.errors import SourceError
from sonotempo.live.buffer.ring_buffer import RingWriter
from sonotempo.live.igtl.wire import Silent, image_in, import_pyigtl, received
from sonotempo.live.sources.address import Address
from sonotempo.live.sources.source import BufferSize, EventKind, SourceState
from sonotempo.live.sources.threaded import ThreadedSource

DEFAULT_PORT = 18944

_CONNECT_S, _LISTEN_S, _AGAIN_S = 3.0, 0.5, 1.0
_QUIET_S = 2.0


class IgtlSource(ThreadedSource):
    """Receives the images of one device of an OpenIGTLink server, and connects again if it is lost.

    Args:
        host: the server.
        port: its port.
        device: the name of the image stream, such as ``Image_Probe``; the first one if empty.
    """

    def __init__(self, host: str, port: int = DEFAULT_PORT, device: str = "") -> None:
        super().__init__(f"the OpenIGTLink server {host}:{port}")
        self._peer_at = (host, port)
        self._device = device

    @classmethod
    def open(cls, address: Address) -> Self:
        """Make the source that an address names: ``igtl://HOST[:PORT][/DEVICE]``.

        Raises:
            SourceError: no host, or pyigtl is missing.
        """
        address.check_options([])
        import_pyigtl()
        if not address.host:
            raise SourceError(
                f"{address.text} names no server; expected igtl://HOST:PORT/DEVICE, for example "
                f"igtl://127.0.0.1:{DEFAULT_PORT}/Image_Probe"
            )
        device = unquote(urlsplit(address.text).path.strip("/"))
        return cls(address.host, address.port or DEFAULT_PORT, device)

    def buffer_size(self) -> BufferSize:
        """Return the default size: the server says nothing before its first image."""
        return BufferSize(rate_hz=60.0)

    def _run(self, writer: RingWriter) -> None:
        """Connect and listen, again and again."""
        self._log.add("connecting", self._title)
        said = ""
        while not self._stopping:
            try:
                with socket.create_connection(self._peer_at, timeout=_CONNECT_S) as peer:
                    said = ""
                    self._become("running", "connected", f"connected to {self._title}")
                    self._listen(peer, writer)
                    return
            except SourceError as error:
                reason = str(error)
            except OSError as error:
                reason = (
                    f"{self._title} is not there ({error.strerror or error}); it is tried again "
                    f"every {_AGAIN_S:g} s"
                )
            with self._changed:
                self._state = "disconnected"
            if reason != said:
                self._log.add("disconnected", reason)
                said = reason
            self._wait(_AGAIN_S)

    def _listen(self, peer: socket.socket, writer: RingWriter) -> None:
        """Write the images that arrive, until stopped."""
        peer.settimeout(_LISTEN_S)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        others: set[str] = set()
        heard_s = time.monotonic()
        while not self._stopping:
            try:
                fields, body = received(peer)
            except Silent:
                if self._state == "running" and time.monotonic() - heard_s > _QUIET_S:
                    self._become("frozen", "frozen", f"no image for {_QUIET_S:g} s{_list(others)}")
                continue
            if fields["message_type"] != "IMAGE":
                continue
            device = fields["device_name"]
            if self._device and device != self._device:
                others.add(device)
                continue
            host_ns = time.monotonic_ns()
            image = image_in(fields, body)
            self._device = device  # one of several streams, always the same
            self._require_room(writer.handle, *image.image_HW.shape)
            if self._state == "frozen":
                self._become("running", "running", "images arrive again")
            heard_s = time.monotonic()
            writer.write(
                image.image_HW,
                probe_ns=image.timestamp_ns,
                host_ns=host_ns,
                spacing_mm=image.spacing_mm,
            )

    def _become(self, state: SourceState, kind: EventKind, detail: str) -> None:
        with self._changed:
            self._state = state
        self._log.add(kind, detail)


def _list(others: set[str]) -> str:
    return f"; it sends {', '.join(sorted(others))}" if others else ""
