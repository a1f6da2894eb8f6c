"""The size of a compressed image, from the header of its JPEG, JPEG-LS or JPEG 2000 code stream.

A decoder allocates what the code stream announces, whatever the file around it says.

Sources: ITU-T T.81 B.2 (JPEG), T.87 C.2 (JPEG-LS), T.800 A.5 and I.5 (JPEG 2000).
"""

import struct
from typing import BinaryIO

_SOI = b"\xff\xd8"
_SOC_SIZ = b"\xff\x4f\xff\x51"
_JP2 = b"\x00\x00\x00\x0cjP  "
# Start of frame: all kinds of JPEG, and JPEG-LS.
_FRAMES = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_MOST_COMPONENTS = 4
# Markers or boxes before the one that matters; files have a dozen.
_MOST_STEPS = 1000


def code_stream_size(file: BinaryIO, offset: int) -> tuple[int, int] | None:
    """Return rows and columns of the image that begins at an offset, or None if none is found.

    An image of more than four components counts as none.
    """
    file.seek(offset)
    begin = file.read(12)
    if begin.startswith(_SOI):
        return _jpeg_size(file, offset + 2)
    if begin.startswith(_JP2):
        found = _code_stream_in_boxes(file, offset)
        return None if found is None else _jpeg_2000_size(file, found)
    return _jpeg_2000_size(file, offset)


def _jpeg_size(file: BinaryIO, offset: int) -> tuple[int, int] | None:
    for _ in range(_MOST_STEPS):
        file.seek(offset)
        marker = file.read(2)
        if len(marker) < 2 or marker[0] != 0xFF:
            return None
        kind = marker[1]
        if kind == 0xFF:  # filling
            offset += 1
            continue
        if kind in _WITHOUT_LENGTH:
            offset += 2
            continue
        segment = file.read(8)
        if len(segment) < 8:
            return None
        length, _, height, width, components = struct.unpack(">HBHHB", segment)
        if kind in _FRAMES:
            return (height, width) if components <= _MOST_COMPONENTS else None
        offset += 2 + length
    return None


def _jpeg_2000_size(file: BinaryIO, offset: int) -> tuple[int, int] | None:
    file.seek(offset)
    head = file.read(42)
    if len(head) < 42 or not head.startswith(_SOC_SIZ):
        return None
    _, _, right, bottom, left, top = struct.unpack(">HHIIII", head[4:24])
    (components,) = struct.unpack(">H", head[40:42])
    if components > _MOST_COMPONENTS or right < left or bottom < top:
        return None
    return bottom - top, right - left


def _code_stream_in_boxes(file: BinaryIO, offset: int) -> int | None:
    for _ in range(_MOST_STEPS):
        file.seek(offset)
        head = file.read(16)
        if len(head) < 8:
            return None
        length, kind, size = int.from_bytes(head[:4]), head[4:8], 8
        if length == 1:
            length, size = int.from_bytes(head[8:16]), 16
        if kind == b"jp2c":
            return offset + size
        if length < size:
            return None
        offset += length
    return None
