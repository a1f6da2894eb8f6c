"""What the Clarius SDK calls back, turned into frames in the ring buffer and messages."""

import functools
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Literal

from sonotempo.errors import SonotempoError
from sonotempo.live.buffer.ring_buffer import RingWriter
from sonotempo.live.sources.clarius.image import HeldArea, decode_image
from sonotempo.live.sources.clarius.messages import CastCounts, Message, MessageKind
from sonotempo.recording import Spacing

Gate = Literal["shut", "connected", "told", "open"]

_BUTTONS = {0: "up", 1: "down", 2: "handle"}
# The same error, frame after frame, is said once in this time.
_ERROR_REPEAT_S = 5.0
# A pipe takes so much at once: a message is there whole or not at all.
_DETAIL_CHARACTERS = 900


class Outbox:
    """Sends messages to the host from any thread, and never raises."""

    def __init__(self, messages: Connection) -> None:
        self._messages = messages
        self._lock = threading.Lock()

    def send(
        self,
        kind: MessageKind,
        detail: str = "",
        *,
        host_ns: int | None = None,
        received: CastCounts | None = None,
    ) -> None:
        """Send a message, by default as of now; if the host is gone, the process is about to be."""
        at_ns = time.monotonic_ns() if host_ns is None else host_ns
        try:
            with self._lock:
                self._messages.send(Message(kind, at_ns, detail[:_DETAIL_CHARACTERS], received))
        except OSError:
            os._exit(1)


def _guarded(callback: Callable[..., None]) -> Callable[..., None]:
    """Let nothing escape: an exception in a callback would abort the process."""

    @functools.wraps(callback)
    def call(callbacks: "CastCallbacks", *arguments: Any) -> None:
        try:
            callback(callbacks, *arguments)
        except BaseException as error:  # noqa: BLE001  # see above: nothing at all may escape
            callbacks.report(callback.__name__, error)

    return call


class CastCallbacks:
    """What the SDK calls, from threads of its own.

    The buffer of an image is valid only during the call, so the image is decoded (which copies it)
    and written before it returns. Unless the ``gate`` is "open" images are counted only. The first
    one after the gate was set to "connected" is told to the host, which opens it then: so every
    frame is later than the events that say that the stream is a new one.
    """

    def __init__(self, writer: RingWriter, outbox: Outbox) -> None:
        self.gate: Gate = "shut"
        self.received = CastCounts()
        self._writer = writer
        self._outbox = outbox
        self._area = HeldArea()
        self._counting = threading.Lock()
        self._writing = threading.Lock()
        self._spacing_mm: Spacing | None = None
        self._said: tuple[str, float] = ("", -math.inf)

    def all(self) -> tuple[Callable[..., None], ...]:
        """Return the six callbacks in the SDK's order."""
        return (
            self.new_processed_image,
            self.new_raw_image,
            self.new_spectrum_image,
            self.new_imu_data,
            self.freeze,
            self.button,
        )

    @_guarded
    def new_processed_image(  # noqa: PLR0917  # the SDK's arguments
        self,
        image: object,
        width: int,
        height: int,
        size_bytes: int,
        microns_per_pixel: float,
        timestamp_ns: int,
        *angle_and_imu: Any,
    ) -> None:
        """A scan-converted image; its pixels are square."""
        host_ns = time.monotonic_ns()
        imu = angle_and_imu[-1] if angle_and_imu else ()
        with self._counting:
            self.received = _with_imu(
                replace(self.received, images=self.received.images + 1, image_ns=int(timestamp_ns)),
                imu,
            )
        with self._writing:
            spacing_mm = self._spacing(microns_per_pixel, host_ns)
        if self.gate == "connected":
            self.gate = "told"
            self._outbox.send("arriving", host_ns=host_ns)
        if self.gate != "open":
            return
        decoded = decode_image(image, int(width), int(height), int(size_bytes))
        with self._writing:
            self._writer.write(
                decoded.image_HW,
                probe_ns=int(timestamp_ns),
                host_ns=host_ns,
                spacing_mm=spacing_mm,
                area=self._area.of(decoded, spacing_mm),
            )

    @_guarded
    def new_raw_image(self, *_: Any) -> None:
        """An image before scan conversion; networks are trained on what people see."""
        with self._counting:
            self.received = replace(self.received, raw_images=self.received.raw_images + 1)

    @_guarded
    def new_spectrum_image(self, *_: Any) -> None:
        """An M-mode or PW spectrum."""
        with self._counting:
            self.received = replace(self.received, spectra=self.received.spectra + 1)

    @_guarded
    def new_imu_data(self, imu: Any) -> None:
        """Samples of the inertial sensor, each with its time by the probe's clock."""
        with self._counting:
            self.received = _with_imu(self.received, imu)

    @_guarded
    def freeze(self, frozen: object) -> None:
        """Imaging was frozen, or goes on."""
        self._outbox.send("frozen" if frozen else "running")

    @_guarded
    def button(self, button: int, clicks: int) -> None:
        """A button of the probe was pressed."""
        name = _BUTTONS.get(int(button), f"number {button}")
        self._outbox.send("button", f"{name}, {clicks} click{'' if clicks == 1 else 's'}")

    def report(self, callback: str, error: BaseException) -> None:
        """Tell the host about a failed callback; the same failure is not told for every frame."""
        with self._counting:
            self.received = replace(self.received, errors=self.received.errors + 1)
            text = f"{callback}: {in_words(error)}"
            said, at_s = self._said
            now_s = time.monotonic()
            if text == said and now_s - at_s < _ERROR_REPEAT_S:
                return
            self._said = (text, now_s)
        self._outbox.send("error", text)

    def _spacing(self, microns_per_pixel: float, host_ns: int) -> Spacing | None:
        """Return the spacing, and tell the host if it is a new one: the depth was changed."""
        mm = float(microns_per_pixel) / 1000
        spacing_mm = (mm, mm) if math.isfinite(mm) and mm > 0 else None
        before, self._spacing_mm = self._spacing_mm, spacing_mm
        if before is not None and spacing_mm is not None and before != spacing_mm:
            detail = f"{before[0]:.4f} to {mm:.4f} mm a pixel"
            self._outbox.send("depth", detail, host_ns=host_ns)
        return spacing_mm


def _with_imu(counts: CastCounts, imu: Any) -> CastCounts:
    if not len(imu):
        return counts
    return replace(counts, imu_points=counts.imu_points + len(imu), imu_ns=int(imu[-1].tm))


def in_words(error: BaseException) -> str:
    """Say what went wrong; errors of this package are sentences already."""
    if isinstance(error, SonotempoError):
        return str(error)
    return f"{type(error).__name__}: {error}"
