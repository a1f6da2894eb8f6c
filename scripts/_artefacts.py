"""Everything that files say: their bytes, what is packed in them, and text in the pixels."""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import re
import zipfile
import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_DEPTH = 4
_LONG_BASE64 = re.compile(rb"[A-Za-z0-9+/]{64,}={0,2}")
_BEGINNINGS_OF_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_SIMILAR = 0.75


def said_by(path: Path) -> Iterator[bytes]:
    """Yield the name of a file, its bytes, and what is packed in them, in lower case."""
    yield path.name.lower().encode()
    yield from _unpacked(path.read_bytes(), _DEPTH)
    if path.suffix == ".parquet":
        yield from _parquet(path)
    elif path.suffix in (".mkv", ".mp4", ".mov"):
        yield from _video_metadata(path)


def markers_in(path: Path, markers: Mapping[str, str]) -> dict[str, int]:
    """Return how often a file says each marker, in any case, as ASCII or UTF-16.

    Args:
        path: the file.
        markers: text by name; empty ones are not searched for.
    """
    found = dict.fromkeys(markers, 0)
    for said in said_by(path):
        for name, text in markers.items():
            for code in ("utf-8", "utf-16-le"):
                found[name] += said.count(text.lower().encode(code)) if text else 0
    return found


def draw_marker(text: str) -> NDArray[np.uint8]:
    """Return white letters on black, as they are burnt into pictures."""
    font = ImageFont.load_default(16)
    left, top, right, bottom = font.getbbox(text)
    image = Pillow.new("L", (int(right - left) + 4, int(bottom - top) + 4))
    ImageDraw.Draw(image).text((2 - left, 2 - top), text, 255, font)
    return np.array(image)


def shows_marker(image_HW: NDArray[np.uint8], letters_HW: NDArray[np.uint8]) -> bool:
    """Whether letters can be seen in a picture."""
    if image_HW.shape[0] < letters_HW.shape[0] or image_HW.shape[1] < letters_HW.shape[1]:
        return False
    similar = cv2.matchTemplate(image_HW, letters_HW, cv2.TM_CCOEFF_NORMED)
    return bool(np.nan_to_num(similar).max() > _SIMILAR)


def _unpacked(content: bytes, depth: int) -> Iterator[bytes]:
    yield content.lower()
    if depth == 0:
        return
    if content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield name.lower().encode()
                yield from _unpacked(archive.read(name), depth - 1)
    elif content[:2] == b"\x1f\x8b":
        yield from _unpacked(gzip.decompress(content), depth - 1)
    elif content[:2] in _BEGINNINGS_OF_ZLIB:
        yield from _unpacked(zlib.decompressobj().decompress(content), depth - 1)
    elif content[:8] == b"\x89PNG\r\n\x1a\n":
        with Pillow.open(io.BytesIO(content)) as image:
            image.load()
            yield repr(image.info).lower().encode()
    elif content[:4] != b"PAR1":
        for found in _LONG_BASE64.finditer(content):
            try:
                packed = base64.b64decode(found.group(), validate=True)
            except binascii.Error:
                continue
            yield from _unpacked(packed, depth - 1)


def _parquet(path: Path) -> Iterator[bytes]:
    from pyarrow import parquet  # noqa: PLC0415 (with training only)

    table = parquet.read_table(path)
    yield repr(table.schema).lower().encode()
    yield repr(table.schema.metadata).lower().encode()
    yield table.to_pandas().to_csv().lower().encode()


def _video_metadata(path: Path) -> Iterator[bytes]:
    import av  # noqa: PLC0415 (an extra)

    with av.open(str(path)) as container:
        yield repr(dict(container.metadata)).lower().encode()
        for stream in container.streams:
            yield repr(dict(stream.metadata)).lower().encode()
