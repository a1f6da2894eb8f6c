"""Where the pixels of an NRRD file are, and how they are unpacked; pynrrd reads the header only.

Format: https://teem.sourceforge.net/nrrd/format.html
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import RecordingError
from sonotempo.guard import shortened, shown
from sonotempo.io.containment import Inside
from sonotempo.io.limits import limits
from sonotempo.io.unpacking import Packed, unpacked

_PACKINGS: dict[str, Literal["zlib", "bzip2"]] = {
    "gzip": "zlib",
    "gz": "zlib",
    "bzip2": "bzip2",
    "bz2": "bzip2",
}
_TEXTS = frozenset({"ascii", "text", "txt"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pixels are.

    Attributes:
        path: the file that holds them.
        offset: of their first byte, compressed or not.
        skipped_bytes: of the unpacked pixels; at the start, not part of the image.
        encoding: as the header writes it, in lower case.
        sizes: of all axes, fastest first.
        frames: how many frames there are, for messages.
    """

    path: Path
    offset: int
    skipped_bytes: int
    encoding: str
    sizes: tuple[int, ...]
    frames: int


def header_lines(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """Yield the lines up to the empty one; the file then stands at the first byte after it."""
    budget = limits()
    while line := file.readline(budget.text_bytes):
        budget.check_header(path, file.tell())
        yield line


def pixels_of(place: Place) -> NDArray[np.uint8]:
    """Return the pixels with the file's fastest axis first."""
    count = math.prod(place.sizes)
    end = place.path.stat().st_size
    values: NDArray[np.uint8]
    if place.encoding in _TEXTS:
        with place.path.open("rb") as file:
            file.seek(place.offset)
            values = np.fromfile(file, np.uint8, count, sep=" ")
        held = len(values)
    elif place.encoding == "raw":
        held = end - place.offset
        if held >= count:
            values = np.memmap(place.path, np.uint8, "r", offset=place.offset, shape=(count,))
    else:
        packing = _PACKINGS[place.encoding]
        size_bytes = place.skipped_bytes + count
        whole = unpacked(Packed(place.path, place.offset, size_bytes, place.frames, packing))
        values, held = whole[place.skipped_bytes :], count
    if held < count:
        raise RecordingError(
            f"{place.path} is cut short: it holds {max(held, 0) * place.frames // count} of "
            f"{place.frames} frames; copy or export it again"
        )
    return values.reshape(place.sizes, order="F")


def _data_file(header: dict[str, Any]) -> str:
    return str(header.get("data file") or header.get("datafile") or "")


def find_pixels(path: Path, header: dict[str, Any], end: int, inside: Inside | None) -> Place:
    """Find the pixels: after the header, or in another file.

    Args:
        path: of the header.
        header: as pynrrd reads it.
        end: of the header, in bytes.
        inside: where another file may lie.
    """
    named = _data_file(header)
    if named.upper().startswith("LIST") or "%" in named:
        raise RecordingError(
            f"{path} stores its pixels in several files (data file: {shortened(named, 60)}); save "
            "it as one .nrrd"
        )
    pixels = (inside or Inside(path.parent)).named(named, path, "data file") if named else path
    if not pixels.is_file():
        raise RecordingError(
            f"{path} stores its pixels in {shown(named)}, which is missing; copy it into "
            f"{path.parent}"
        )
    encoding = str(header.get("encoding")).lower()
    if encoding not in ("raw", *_PACKINGS, *_TEXTS):
        raise RecordingError(
            f"{path} stores its pixels with the encoding {shown(encoding)}; save it as raw or gzip"
        )
    lines = int(header.get("line skip", header.get("lineskip", 0)))
    skipped_bytes = int(header.get("byte skip", header.get("byteskip", 0)))
    with pixels.open("rb") as file:
        file.seek(0 if named else end)
        for _ in range(lines):
            if not file.readline(limits().text_bytes):
                break
        offset = file.tell()
    begin = offset
    if encoding == "raw" and (skipped_bytes == -1 or not named):
        # Pixels that follow the header end the file, as do those after a foreign header.
        offset = pixels.stat().st_size - math.prod(int(size) for size in header["sizes"])
    elif encoding == "raw":
        offset += skipped_bytes
    if offset < begin or skipped_bytes < -1 or (skipped_bytes == -1 and encoding != "raw"):
        raise RecordingError(
            f"{path} is cut short, or its pixels begin where there is nothing (byte skip "
            f"{skipped_bytes}); copy or export it again"
        )
    return Place(pixels, offset, max(skipped_bytes, 0), encoding, (), 1)
