"""What runs in the process of its own that holds the Clarius SDK: its callbacks, its calls.

The SDK brings threads and a Qt of its own, and it is known to take its process along when it
fails. So it lives here: images leave through the ring buffer, everything else through a pipe, and
nothing that happens here reaches the program that shows the images. This file imports no more than
it needs, as a new process is waiting for it each time.
"""

import faulthandler
import functools
import math
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from sonotempo.errors import SonotempoError, SourceError
from sonotempo.live.clarius_image import HeldArea, decode_image
from sonotempo.live.clarius_sdk import Caster, load_sdk
from sonotempo.live.ring_buffer import BufferHandle, RingWriter
from sonotempo.live.source import Command
from sonotempo.recording import Spacing

ImageFormat = Literal["argb", "grey", "jpeg", "png"]
#: What the process says. "fatal": no use in trying again; "refused": it may work later; "asked": a
#: command is being passed to the SDK; "received": a sign of life, with counts.
MessageKind = Literal[
    "loaded",
    "connected",
    "refused",
    "fatal",
    "frozen",
    "running",
    "depth",
    "gain",
    "button",
    "error",
    "asked",
    "received",
]
Instruction = Literal["go", "stop"] | Command

IMAGE_FORMATS: dict[ImageFormat, int] = {"argb": 0, "grey": 1, "jpeg": 2, "png": 3}
USER_FUNCTIONS: dict[Command, int] = {
    "freeze": 1,
    "depth-": 4,
    "depth+": 5,
    "gain-": 6,
    "gain+": 7,
}
_BUTTONS = {0: "up", 1: "down", 2: "handle"}
# "research" instead of a certificate: the App's Cast permission of that name.
_CERTIFICATE = "research"
_REPORT_S = 0.25
# The same error, frame after frame, is said once in this time.
_ERROR_REPEAT_S = 5.0
# A pipe takes so much at once: a message is there whole or not at all.
_DETAIL_CHARACTERS = 1500
# Nobody else can end a process whose interpreter hangs and whose parent is dead.
_HANG_S = 60.0
_LIFELINE_S = 5.0


@dataclass(frozen=True, slots=True)
class CastSettings:
    """How to reach the probe, and what to ask it for.

    Attributes:
        host: the probe's address.
        port: its Cast port.
        sdk: the SDK's folder, or None if it is installed.
        width_px: of the images; pixels are square, black borders fill the rest.
        height_px: of the images.
        image_format: how the SDK hands images over.
        keys_folder: where the SDK stores its keys.
    """

    host: str
    port: int
    sdk: Path | None = None
    width_px: int = 640
    height_px: int = 480
    image_format: ImageFormat = "argb"
    keys_folder: Path = field(default_factory=Path.home)


@dataclass(frozen=True, slots=True)
class CastCounts:
    """What the SDK has called back with since it was connected.

    Attributes:
        images: processed images, whether or not they could be used.
        raw_images: images before scan conversion (not used).
        spectra: M-mode and PW spectra (not used).
        imu_points: samples of the probe's inertial sensor, alone or with an image.
        errors: callbacks that failed; the events say how.
        image_ns: probe clock of the newest image, or None.
        imu_ns: probe clock of the newest inertial sample, or None.
    """

    images: int = 0
    raw_images: int = 0
    spectra: int = 0
    imu_points: int = 0
    errors: int = 0
    image_ns: int | None = None
    imu_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What the process tells its host.

    Attributes:
        kind: what happened.
        host_ns: :func:`time.monotonic_ns` of it.
        detail: for people.
        received: with "received", the counts so far.
    """

    kind: MessageKind
    host_ns: int
    detail: str = ""
    received: CastCounts | None = None


def run(
    settings: CastSettings, handle: BufferHandle, instructions: Connection, messages: Connection
) -> None:
    """Load the SDK, connect, stream until told to stop; the process ends with it.

    It does not return: the SDK may crash in an orderly exit of the interpreter, or never let it
    end, so the process is left without one.
    """
    faulthandler.enable()
    # Ctrl-C reaches the whole group of a terminal; the host decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    inbox: queue.SimpleQueue[Instruction] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(instructions, inbox), daemon=True).start()
    outbox = Outbox(messages)
    try:
        _stream(settings, CastCallbacks(RingWriter(handle), outbox), inbox, outbox)
    except SonotempoError as error:
        outbox.send("fatal", str(error))
    except Exception as error:  # noqa: BLE001  # the SDK's own kinds are unknown
        outbox.send("refused", f"the Clarius SDK failed: {_in_words(error)}")
    os._exit(0)


def _listen(instructions: Connection, inbox: "queue.SimpleQueue[Instruction]") -> None:
    """Pass instructions on; end the process when its host is gone."""
    while True:
        faulthandler.dump_traceback_later(_HANG_S, exit=True)
        try:
            if instructions.poll(_LIFELINE_S):
                inbox.put(instructions.recv())
        except (EOFError, OSError):
            os._exit(1)


def _stream(
    settings: CastSettings,
    callbacks: "CastCallbacks",
    inbox: "queue.SimpleQueue[Instruction]",
    outbox: "Outbox",
) -> None:
    sdk = load_sdk(settings.sdk)
    caster = make_caster(sdk, callbacks)
    outbox.send("loaded")
    keys = f"{settings.keys_folder}{os.sep}"
    if not caster.init(keys, settings.width_px, settings.height_px):
        outbox.send("refused", f"the Clarius SDK could not be initialised with keys in {keys}")
        return
    if not caster.setFormat(IMAGE_FORMATS[settings.image_format]):
        outbox.send("error", f"the SDK refused the image format {settings.image_format!r}")
    # After a failed connection the SDK may crash while it is destroyed, so it is just left.
    if not caster.connect(settings.host, settings.port, _CERTIFICATE):
        outbox.send("refused", refusal(settings.host, settings.port))
        return
    outbox.send("connected", f"{settings.host}:{settings.port}")
    while (instruction := _next(inbox)) != "stop":
        if instruction == "go":
            callbacks.is_open = True
        elif instruction is not None:
            _carry_out(instruction, caster, outbox)
        outbox.send("received", received=callbacks.received)
    callbacks.is_open = False
    caster.disconnect()
    caster.destroy()


def make_caster(sdk: Any, callbacks: "CastCallbacks") -> Caster:
    """Make the SDK's object with all its callbacks: six since version 12, five before.

    Raises:
        SourceError: it takes neither.
    """
    image, raw, spectrum, imu, freeze, buttons = callbacks.all()
    try:
        caster: Caster = sdk.Caster(image, raw, spectrum, imu, freeze, buttons)
    except TypeError as six:
        try:
            caster = sdk.Caster(image, raw, spectrum, freeze, buttons)
        except TypeError:
            raise SourceError(
                "this pyclariuscast takes other callbacks than those of Cast 11 and 12 "
                f"({_in_words(six)}); take version 12 from the vendor's releases"
            ) from six
    return caster


def refusal(host: str, port: int) -> str:
    """Say what to look at when the SDK cannot connect; it gives no reason of its own."""
    return (
        f"no connection to {host}:{port}; is the Clarius App running with the probe, is this "
        "machine in the probe's Wi-Fi (DIRECT-…), is the port the one that the App shows (5828 "
        "with the Cast permission 'Research'), and has the SDK the App's version?"
    )


def _next(inbox: "queue.SimpleQueue[Instruction]") -> Instruction | None:
    try:
        return inbox.get(timeout=_REPORT_S)
    except queue.Empty:
        return None


def _carry_out(command: Command, caster: Caster, outbox: "Outbox") -> None:
    """Press the scanner's button; freeze and depth show in what it then calls back with."""
    outbox.send("asked", command)
    try:
        is_taken = caster.userFunction(USER_FUNCTIONS[command], 0)
    except Exception as error:  # noqa: BLE001  # the SDK's own kinds are unknown
        outbox.send("error", f"{command}: {_in_words(error)}")
        return
    if not is_taken:
        outbox.send("error", f"the probe did not take the command {command!r}; try again")
    elif command in ("gain+", "gain-"):
        outbox.send("gain", command)


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
    and written before it returns. As long as ``is_open`` is false images are counted only: the host
    opens it once it knows that the stream is a new one.
    """

    def __init__(self, writer: RingWriter, outbox: Outbox) -> None:
        self.is_open = False
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
        if not self.is_open:
            return
        decoded = decode_image(image, int(width), int(height), int(size_bytes))
        with self._writing:
            spacing_mm = self._spacing(microns_per_pixel, host_ns)
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
            text = f"{callback}: {_in_words(error)}"
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


def _in_words(error: BaseException) -> str:
    if isinstance(error, SonotempoError):
        return str(error)
    return f"{type(error).__name__}: {error}"
