"""Serves images and label maps over OpenIGTLink, for 3D Slicer and others."""

import json
import socket
import threading
from contextlib import suppress

import numpy as np

from sonotempo.errors import SourceError
from sonotempo.live.closing import Closing
from sonotempo.live.history import StepResult
from sonotempo.live.igtl.wire import import_pyigtl
from sonotempo.recording import Frame, Image
from sonotempo.structures import StructureSet

_ACCEPT_S, _SEND_S, _END_S = 0.2, 2.0, 5.0
_NAME_LETTERS = 20  # of a device, by the protocol


class IgtlOutput(Closing):
    """A server whose receivers get the newest result; one that is slow misses some.

    Every result is an IMAGE ``Image`` and, for each model, an IMAGE ``Labels_MODEL`` of label
    values; a STRING ``Labels`` says once, as JSON, what the values mean.

    Args:
        port: to listen at; 0 takes a free one.
        structures: that the labels stand for, or None without a model.
        host: the address to listen at; by default only this computer can connect.

    Raises:
        SourceError: the port is taken, or pyigtl is missing.
    """

    def __init__(self, port: int, structures: StructureSet | None, host: str = "127.0.0.1") -> None:
        self._messages = import_pyigtl()
        names = () if structures is None else structures.names
        meaning = json.dumps({str(label): name for label, name in enumerate(names, start=1)})
        self._hello: bytes = self._messages.StringMessage(meaning, device_name="Labels").pack()
        try:
            self._server = socket.create_server((host, port))
        except OSError as error:
            raise SourceError(
                f"OpenIGTLink cannot be served at {host}:{port} ({error.strerror}); choose another "
                "port"
            ) from error
        #: Where it listens.
        self.port: int = self._server.getsockname()[1]
        self._server.settimeout(_ACCEPT_S)
        self._changed = threading.Condition()
        self._given: StepResult | None = None
        self._last: StepResult | None = None
        self._newest: bytes | None = None  # one result, packed for every receiver
        self._stopping = False
        self._receivers: list[threading.Thread] = []
        self._threads = [
            threading.Thread(target=work, name=f"sonotempo-igtl-{name}", daemon=True)
            for name, work in (("accept", self._accept), ("pack", self._pack))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def receivers(self) -> int:
        """How many are connected."""
        return sum(thread.is_alive() for thread in self._receivers)

    def publish(self, result: StepResult) -> None:
        """Offer a result to the receivers; never waits for one.

        Nothing is packed while nobody is connected.
        """
        if self.receivers and result is not self._last:
            with self._changed:
                self._given = self._last = result
                self._changed.notify_all()

    def close(self) -> None:
        """End every connection and thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in (*self._threads, *self._receivers):
            thread.join(_END_S)
        self._server.close()

    def _pack(self) -> None:
        """Pack what was offered last, in a thread: checksums take time."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._given is not None)
                if self._stopping:
                    return
                result, self._given = self._given, None
            assert result is not None  # waited for
            packed = self._packed(result)
            with self._changed:
                self._newest = packed
                self._changed.notify_all()

    def _packed(self, result: StepResult) -> bytes:
        frame = result.frame
        parts = [self._image(frame.image_HW, frame, "Image")]
        models = [made.model for made in result.predictions]
        for number, made in enumerate(result.predictions, start=1):
            # Two files may hold the same arm.
            twice = f"{number}_" if models.count(made.model) > 1 else ""
            name = f"Labels_{twice}{made.model}"[:_NAME_LETTERS]
            parts.append(self._image(made.mask_HW(), frame, name))
        return b"".join(parts)

    def _image(self, image_HW: Image, frame: Frame, device: str) -> bytes:
        row_mm, column_mm = frame.spacing_mm or (1.0, 1.0)
        packed: bytes = self._messages.ImageMessage(
            np.ascontiguousarray(image_HW)[None],
            ijk_to_world_matrix=np.diag((column_mm, row_mm, 1.0, 1.0)),
            timestamp=frame.timestamp_ns / 1e9,
            device_name=device,
        ).pack()
        return packed

    def _accept(self) -> None:
        while not self._stopping:
            try:
                peer, _ = self._server.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self._receivers = [thread for thread in self._receivers if thread.is_alive()]
            thread = threading.Thread(
                target=self._serve, args=(peer,), name="sonotempo-igtl-receiver", daemon=True
            )
            self._receivers.append(thread)
            thread.start()

    def _serve(self, peer: socket.socket) -> None:
        """Send what is newest to one receiver, until it leaves or stays behind for too long."""
        sent: bytes | None = None
        with peer, suppress(OSError):
            peer.settimeout(_SEND_S)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.sendall(self._hello)
            while not self._stopping:
                newest = self._next(sent)
                if newest is not None:
                    peer.sendall(newest)
                    sent = newest
                elif _has_left(peer):
                    return

    def _next(self, sent: bytes | None) -> bytes | None:
        """Wait a moment for something newer than what was sent; return it, or None."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._newest is not sent, _ACCEPT_S)
            return self._newest if self._newest is not sent else None


def _has_left(peer: socket.socket) -> bool:
    """Whether the other side has closed; what it says is not asked for."""
    peer.setblocking(False)
    try:
        return peer.recv(4096) == b""
    except BlockingIOError:
        return False
    finally:
        peer.settimeout(_SEND_S)
