"""How much a file may ask for, checked from its header before anything is allocated.

A header of a few bytes can announce terabytes, and a megabyte can unpack to a gigabyte. The limits
lie far above what scanners write. An environment variable raises each one: see :class:`Limits`.
"""

import os
from dataclasses import dataclass, fields
from pathlib import Path

from sonotempo.errors import ConfigError, RecordingError

_PREFIX = "SONOTEMPO_MAX_"


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one file; ``frame_pixels`` is set by ``SONOTEMPO_MAX_FRAME_PIXELS``, and so on.

    Attributes:
        frame_pixels: of one frame, rows times columns: 8192 by 4096, more than a screen of 8K.
        frames: of one recording: 18 hours at 30 frames a second.
        unpacked_bytes: what compressed pixels may become on the disk: 32 GiB.
        header_bytes: of a header that may describe every frame, and of lists with a line a frame.
        text_bytes: of a description: JSON, YAML, a table.
        mask_bytes: of the masks of one recording in a run folder: 16 384 frames of 256 by 256.
    """

    frame_pixels: int = 1 << 25
    frames: int = 2_000_000
    unpacked_bytes: int = 1 << 35
    header_bytes: int = 1 << 30
    text_bytes: int = 1 << 26
    mask_bytes: int = 1 << 30

    def check_frame(self, path: Path, height: int, width: int) -> None:
        """Refuse a frame of more pixels.

        Raises:
            RecordingError: it has more.
        """
        if height * width > self.frame_pixels:
            raise self._exceeded(path, f"frames of {height}x{width} pixels", "frame_pixels")

    def check_frames(self, path: Path, count: int) -> None:
        """Refuse a recording of more frames.

        Raises:
            RecordingError: it has more.
        """
        if count > self.frames:
            raise self._exceeded(path, f"{count} frames", "frames")

    def check_unpacked(self, path: Path, size_bytes: int) -> None:
        """Refuse compressed pixels that become more bytes.

        Raises:
            RecordingError: they become more.
        """
        if size_bytes > self.unpacked_bytes:
            what = f"compressed pixels that unpack to {size_bytes} bytes"
            raise self._exceeded(path, what, "unpacked_bytes")

    def check_header(self, path: Path, size_bytes: int) -> None:
        """Refuse a header of more bytes.

        Raises:
            RecordingError: it has more.
        """
        if size_bytes > self.header_bytes:
            raise self._exceeded(path, f"a header of {size_bytes} bytes or more", "header_bytes")

    def check_masks(self, path: Path, size_bytes: int) -> None:
        """Refuse masks of more bytes.

        Raises:
            RecordingError: they have more.
        """
        if size_bytes > self.mask_bytes:
            raise self._exceeded(path, f"masks of {size_bytes} bytes", "mask_bytes")

    def text_of(self, path: Path, encoding: str = "utf-8") -> str:
        """Read a description.

        Raises:
            RecordingError: it has too many bytes.
            OSError: it cannot be read.
            UnicodeDecodeError: it is no text.
        """
        if path.stat().st_size > self.text_bytes:
            raise self._exceeded(path, f"a text of more than {self.text_bytes} bytes", "text_bytes")
        return path.read_text(encoding)

    def _exceeded(self, path: Path, what: str, name: str) -> RecordingError:
        return RecordingError(
            f"{path} announces {what}, and the limit is {getattr(self, name)}: it is damaged or "
            f"made to exhaust memory; if it is sound, set {_PREFIX}{name.upper()} to a larger "
            "number"
        )


def limits() -> Limits:
    """Return the limits, with what the environment sets.

    >>> limits().frames
    2000000

    Raises:
        ConfigError: an environment variable is not a positive whole number.
    """
    given: dict[str, int] = {}
    for field in fields(Limits):
        name = f"{_PREFIX}{field.name.upper()}"
        text = os.environ.get(name)
        if text is None:
            continue
        if not (text.isascii() and text.isdecimal() and 0 < len(text) < 19 and int(text)):
            raise ConfigError(f"{name} is {text[:40]!r}; expected a positive whole number")
        given[field.name] = int(text)
    return Limits(**given)
