"""What a ``capture://`` address asks for: which device, in which mode, and what its pixels are."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from sonotempo.errors import RecordingError, SourceError
from sonotempo.framing import Framing
from sonotempo.live.sources.address import Address
from sonotempo.live.sources.capture.devices import device_format, devices, import_av
from sonotempo.recording import Box

_SCALES = ("mm-per-px", "depth-mm", "ruler")
_COMMON = ("size", "fps", "area", *_SCALES)
#: What only some kinds of device have, beyond the common options.
_OWN = {"screen": ("region", "display"), "test": ("pattern",)}

_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})")
_DEFAULT_SIZE = (1280, 720)
_RATES = (1.0, 120.0)


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """A device and how to read it.

    Attributes:
        title: the source in messages, for example "capture device 0".
        url: what FFmpeg opens.
        format: FFmpeg's input device.
        options: its settings.
        width_px: of the largest frame that is expected.
        height_px: likewise.
        rate_hz: frames per second.
        area: the ultrasound image in the frame; None to find it.
        device: whose picture it is, to recognise it another day.
        mm_per_px: the size of a pixel, or None.
        depth_mm: from the first to the last row of the image area, or None.
    """

    title: str
    url: str
    format: str
    options: Mapping[str, str] = field(default_factory=dict)
    width_px: int = _DEFAULT_SIZE[0]
    height_px: int = _DEFAULT_SIZE[1]
    rate_hz: float = 30.0
    area: Box | None = None
    device: str = ""
    mm_per_px: float | None = None
    depth_mm: float | None = None


def capture_request(address: Address, platform: str = sys.platform) -> CaptureRequest:
    """Read an address.

    ``capture://0?size=1280x720&fps=30`` is a capture card or webcam, ``capture://screen`` a screen,
    optionally ``region=X,Y,WIDTHxHEIGHT`` of it, and ``capture://test`` a test pattern of FFmpeg.
    ``area=TOP,LEFT,BOTTOM,RIGHT`` is the ultrasound image in the frame; without it, it is found.
    ``mm-per-px=0.1``, ``depth-mm=40`` or ``ruler=ROW,COLUMN,ROW,COLUMN,MM`` gives the scale.

    Raises:
        SourceError: no such device, or an option that is not valid.
    """
    address.check_options((*_COMMON, *_OWN.get(address.host, ())))
    import_av()
    given = address.options
    width_px, height_px = _size(address, "size", given.get("size"))
    rate_hz = _number(address, "fps", given.get("fps", "30"), *_RATES)
    scale = {name: given[name] for name in _SCALES if name in given}
    if len(scale) > 1:
        raise SourceError(
            f"{address.text} gives {' and '.join(scale)}; give one of them: they may differ"
        )
    mm_per_px = depth_mm = None
    if "mm-per-px" in scale:
        mm_per_px = _number(address, "mm-per-px", scale["mm-per-px"], 0.001, 10.0)
    if "ruler" in scale:
        mm_per_px = _ruler(address, scale["ruler"])
    if "depth-mm" in scale:
        depth_mm = _number(address, "depth-mm", scale["depth-mm"], 5.0, 400.0)
    title, url, kind, options = _opened(address, platform, (width_px, height_px), rate_hz)
    if "region" in given:
        width_px, height_px = _region(address)[2:]
    return CaptureRequest(
        title,
        url,
        kind,
        options,
        width_px,
        height_px,
        rate_hz,
        _area(address, (width_px, height_px)),
        f"{kind} {url if kind == 'lavfi' else title.partition('(')[2].rstrip(')') or title}",
        mm_per_px,
        depth_mm,
    )


def _opened(
    address: Address, platform: str, size: tuple[int, int], rate_hz: float
) -> tuple[str, str, str, dict[str, str]]:
    """Return title, URL, input device and its options."""
    mode = {"video_size": f"{size[0]}x{size[1]}", "framerate": f"{rate_hz:g}"}
    if address.host == "screen":
        return _screen(address, platform, mode)
    if address.host == "test":
        pattern = address.options.get("pattern", "testsrc2")
        if not re.fullmatch(r"\w+", pattern):
            raise SourceError(f"{address.text}: pattern is a name such as testsrc2 or black")
        source = f"color={pattern}" if pattern in ("black", "white", "grey") else pattern
        mark = ":" if "=" in source else "="
        url = f"{source}{mark}size={mode['video_size']}:rate={mode['framerate']},realtime"
        return "this test pattern", url, "lavfi", {}
    if not address.host.isdigit():
        raise SourceError(
            f"{address.text} names no device; expected capture://0 and so on, capture://screen or "
            "capture://test; `sonotempo capture list` shows the devices"
        )
    number = int(address.host)
    found = devices(platform)
    for one in found:
        if one.number == number:
            return f"capture device {number} ({one.name})", one.path, device_format(platform), mode
    there = ", ".join(f"{one.number} ({one.name})" for one in found) or "none"
    raise SourceError(f"there is no capture device {number}; this machine has: {there}")


def _screen(
    address: Address, platform: str, mode: dict[str, str]
) -> tuple[str, str, str, dict[str, str]]:
    # The pointer over the image would be segmented; macOS leaves it out by itself.
    hidden = {} if platform == "darwin" else {"draw_mouse": "0"}
    mode = mode | hidden
    left, top, width, height = _region(address) if "region" in address.options else (0, 0, 0, 0)
    if width:
        mode = mode | {"video_size": f"{width}x{height}"}
    if platform == "linux":
        display = address.options.get("display") or os.environ.get("DISPLAY", "")
        if not display:
            raise SourceError(
                "there is no screen to capture: DISPLAY is not set; name one with "
                "capture://screen?display=:0 (a Wayland session needs X11)"
            )
        screen = display if "." in display.rpartition(":")[2] else f"{display}.0"
        return f"the screen {display}", f"{screen}+{left},{top}", "x11grab", mode
    if platform == "darwin" and width:
        raise SourceError("macOS captures whole screens: leave region out, and set area instead")
    if platform == "win32":
        place = {"offset_x": str(left), "offset_y": str(top)} if width else {}
        return "the screen", "desktop", "gdigrab", mode | place
    return "the screen", "Capture screen 0", device_format(platform), mode


def _region(address: Address) -> tuple[int, int, int, int]:
    """Return left, top, width and height."""
    text = address.options["region"]
    found = re.fullmatch(r"(\d{1,5}),(\d{1,5}),(\d{2,4})x(\d{2,4})", text)
    if not found:
        raise SourceError(
            f"{address.text}: region={text} is not valid; expected LEFT,TOP,WIDTHxHEIGHT, for "
            "example region=100,50,800x600"
        )
    left, top, width, height = (int(part) for part in found.groups())
    return left, top, width - width % 2, height - height % 2


def _size(address: Address, name: str, text: str | None) -> tuple[int, int]:
    if text is None:
        return _DEFAULT_SIZE
    found = _SIZE.fullmatch(text)
    if not found:
        raise SourceError(
            f"{address.text}: {name}={text} is not valid; expected WIDTHxHEIGHT, for example "
            f"{name}=1280x720"
        )
    return int(found[1]), int(found[2])


def _number(address: Address, name: str, text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise SourceError(
            f"{address.text}: {name}={text} is not valid; expected a number from {least:g} to "
            f"{most:g}"
        )
    return value


def _ruler(address: Address, text: str) -> float:
    """Return the size of a pixel from two ticks of a ruler and the distance between them."""
    try:
        row, column, other_row, other_column, mm = (float(part) for part in text.split(","))
        ticks = (row, column), (other_row, other_column)
        found = Framing((1, 1)).with_ruler(*ticks, mm).mm_per_px
    except ValueError:
        raise SourceError(
            f"{address.text}: ruler={text} is not valid; expected ROW,COLUMN,ROW,COLUMN,MM: two "
            "ticks and their distance, for example ruler=100,20,500,20,40"
        ) from None
    except RecordingError as error:
        raise SourceError(f"{address.text}: {error}") from error
    assert found is not None  # with_ruler has set it
    return found


def _area(address: Address, size: tuple[int, int]) -> Box | None:
    text = address.options.get("area")
    if text is None:
        return None
    try:
        top, left, bottom, right = (int(part) for part in text.split(","))
        if not (0 <= top < bottom <= size[1] and 0 <= left < right <= size[0]):
            raise ValueError
    except ValueError:
        raise SourceError(
            f"{address.text}: area={text} is not valid; expected TOP,LEFT,BOTTOM,RIGHT within "
            f"{size[0]}x{size[1]} pixels, for example area=60,200,660,1000"
        ) from None
    return Box(top, left, bottom, right)
