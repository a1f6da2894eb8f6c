"""The capture devices of this machine, and how FFmpeg opens them on each platform."""

import sys
from dataclasses import dataclass

from sonotempo.errors import SourceError

#: FFmpeg's input device for cards and webcams, by platform.
DEVICE_FORMATS = {"linux": "v4l2", "win32": "dshow", "darwin": "avfoundation"}


@dataclass(frozen=True, slots=True)
class Device:
    """A capture card or webcam.

    Attributes:
        number: its place in an address, ``capture://NUMBER``.
        name: of the product.
        path: as FFmpeg opens it.
    """

    number: int
    name: str
    path: str


def devices(platform: str = sys.platform) -> tuple[Device, ...]:
    """Return the capture cards and webcams of this machine.

    Raises:
        SourceError: PyAV is missing, or this platform has no capture.
    """
    import_av()
    from av.device import enumerate_input_devices  # noqa: PLC0415 (optional)

    found = []
    for place, one in enumerate(enumerate_input_devices(device_format(platform))):
        if platform != "win32":
            digits = "".join(filter(str.isdigit, one.name.rpartition("/")[2]))
            number = int(digits) if digits else place
            found.append(Device(number, one.description or one.name, one.name))
        elif "video" in one.media_types:
            found.append(Device(len(found), one.description, f"video={one.description}"))
    return tuple(found)


def device_format(platform: str = sys.platform) -> str:
    """Return FFmpeg's name for the capture devices of a platform.

    >>> device_format("linux")
    'v4l2'

    Raises:
        SourceError: the platform has none.
    """
    if platform not in DEVICE_FORMATS:
        raise SourceError(f"capture devices are not supported on {platform}")
    return DEVICE_FORMATS[platform]


def import_av() -> None:
    """Check that PyAV is installed.

    Raises:
        SourceError: it is not.
    """
    try:
        import av  # noqa: F401, PLC0415 (optional, and slow to import)
    except ImportError as error:
        raise SourceError(
            "capturing needs PyAV; install it with: pip install 'sonotempo[video]'"
        ) from error
