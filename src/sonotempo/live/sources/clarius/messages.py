"""The messages between the host and the process with the Clarius SDK."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sonotempo.live.sources.source import Command

ImageFormat = Literal["argb", "grey", "jpeg", "png"]
#: Messages of the process. "arriving": the first image; later ones are written after the
#: instruction "go". "fatal": a retry is pointless; "refused": it may work later; "asked": a command
#: is being passed to the SDK; "received": a sign of life, with counts.
MessageKind = Literal[
    "loaded",
    "connected",
    "arriving",
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


@dataclass(frozen=True, slots=True)
class CastSettings:
    """The connection to the probe, and the images to request.

    Attributes:
        host: the probe's address.
        port: its Cast port.
        sdk: the SDK's folder, or None if it is installed.
        width_px: of the images; pixels are square, black borders fill the rest.
        height_px: of the images.
        image_format: how the SDK passes images.
        keys_folder: where the SDK stores its keys.
        orphan_s: seconds until a process whose interpreter hangs ends itself.
    """

    host: str
    port: int
    sdk: Path | None = None
    width_px: int = 640
    height_px: int = 480
    image_format: ImageFormat = "argb"
    keys_folder: Path = field(default_factory=Path.home)
    orphan_s: float = 60.0


@dataclass(frozen=True, slots=True)
class CastCounts:
    """How often the SDK has called back since it was connected.

    Attributes:
        images: processed images, usable or not.
        raw_images: images before scan conversion (not used).
        spectra: M-mode and PW spectra (not used).
        imu_points: samples of the probe's inertial sensor, alone or with an image.
        errors: callbacks that failed; the events give the reasons.
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
    """A message of the process to its host.

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
