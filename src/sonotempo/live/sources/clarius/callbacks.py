"""The Clarius SDK's callbacks: they write frames into the ring buffer and send messages."""

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

Gate = Literal["shut", "connected", "announced", "open"]

_BUTTONS = {0: "up", 1: "down", 2: "handle"}
# An error that repeats with every frame is reported once in this time.
_ERROR_REPEAT_S = 5.0
# A pipe takes this much at once, so that a message is never sent in part.
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
        """Send a message, by default with the present time; if the host has ended, end too."""
        at_ns = time.monotonic_ns() if host_ns is None else host_ns
        try:
            with self._lock:
                self._messages.send(Message(kind, at_ns, detail[:_DETAIL_CHARACTERS], received))
        except OSError:
            os._exit(1)


def _guarded(callback: Callable[..., None]) -> Callable[..., None]:
    """Catch every exception: one that leaves a callback would abort the process."""

    @functools.wraps(callback)
    def call(callbacks: "CastCallbacks", *arguments: Any) -> None:
        try:
            callback(callbacks, *arguments)
        except BaseException as error:  # noqa: BLE001  # see above
            callbacks.report(callback.__name__, error)

    return call


class CastCallbacks:
    """The functions that the SDK calls, from its own threads.

    The buffer of an image is valid only during the call, so the image is decoded (which copies it)
    and written before the call returns. Images are written only while the ``gate`` is "open". The
    first image after the gate was set to "connected" is announced to the host, which then opens the
    gate: so every frame is later than the events that report a new stream.
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
        self._reported: tuple[str, float] = ("", -math.inf)

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
        """A scan-converted image with square pixels."""
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
            self.gate = "announced"
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
        """An image before scan conversion; only counted, as networks see converted ones."""
        with self._counting:
            self.received = replace(self.received, raw_images=self.received.raw_images + 1)

    @_guarded
    def new_spectrum_image(self, *_: Any) -> None:
        """An M-mode or PW spectrum."""
        with self._counting:
            self.received = replace(self.received, spectra=self.received.spectra + 1)

    @_guarded
    def new_imu_data(self, imu: Any) -> None:
        """Samples of the inertial sensor with the probe's time."""
        with self._counting:
            self.received = _with_imu(self.received, imu)

    @_guarded
    def freeze(self, frozen: object) -> None:
        """Imaging was frozen or resumed."""
        self._outbox.send("frozen" if frozen else "running")

    @_guarded
    def button(self, button: int, clicks: int) -> None:
        """A button of the probe was pressed."""
        name = _BUTTONS.get(int(button), f"number {button}")
        self._outbox.send("button", f"{name}, {clicks} click{'' if clicks == 1 else 's'}")

    def report(self, callback: str, error: BaseException) -> None:
        """Report a failed callback to the host, but not the same failure for every frame."""
        with self._counting:
            self.received = replace(self.received, errors=self.received.errors + 1)
            text = f"{callback}: {in_words(error)}"
            last, at_s = self._reported
            now_s = time.monotonic()
            if text == last and now_s - at_s < _ERROR_REPEAT_S:
                return
            self._reported = (text, now_s)
        self._outbox.send("error", text)

    def _spacing(self, microns_per_pixel: float, host_ns: int) -> Spacing | None:
        """Return the spacing; report a change to the host, as the depth has changed."""
        mm = float(microns_per_pixel) / 1000
        spacing_mm = (mm, mm) if math.isfinite(mm) and mm > 0 else None
        before, self._spacing_mm = self._spacing_mm, spacing_mm
        if before is not None and spacing_mm is not None and before != spacing_mm:
            detail = f"{before[0]:.4f} to {mm:.4f} mm per pixel"
            self._outbox.send("depth", detail, host_ns=host_ns)
        return spacing_mm


def _with_imu(counts: CastCounts, imu: Any) -> CastCounts:
    if not len(imu):
        return counts
    return replace(counts, imu_points=counts.imu_points + len(imu), imu_ns=int(imu[-1].tm))


def in_words(error: BaseException) -> str:
    """Return what went wrong; errors of this package are sentences already."""
    if isinstance(error, SonotempoError):
        return str(error)
    return f"{type(error).__name__}: {error}"
