"""The text header of a MetaImage file, and a check that its pixels exist.

ITK's own reader is not used: it computes with every matrix that a header holds, and never returns
from some of them.

Format: https://itk.org/Wiki/MetaIO/Documentation
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sonotempo.errors import RecordingError
from sonotempo.guard import shortened, shown
from sonotempo.io.containment import Inside
from sonotempo.io.limits import limits
from sonotempo.io.orientation import AS_SHOWN, is_on_its_side, orientation
from sonotempo.recording import Spacing

_LONGEST_LINE_BYTES = 1 << 20
# PLUS and Slicer write four digits, others as many as needed.
_OF_A_FRAME = re.compile(r"Seq_Frame(\d{1,18})_(\w+)")
# Of the types that hold pixels or labels; MET_LONG has four bytes on every platform.
_NUMPY_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


@dataclass(frozen=True, slots=True)
class MetaHeader:
    """The content of a MetaImage header.

    Attributes:
        path: the file of the header.
        frames: number of images; 1 for a two-dimensional file.
        shape_HW: rows and columns of each image as stored.
        channels: values per pixel.
        element_type: for example ``MET_UCHAR``.
        spacing_mm: millimetres per pixel as (row, column), or None if the file states 1 by 1,
            which writers store for unknown spacing; of the image as shown.
        compressed: whether the pixels are zlib-compressed.
        data_file: the file of the pixels; the same as ``path`` for ``.mha``.
        data_offset: offset of the pixels in that file, in bytes.
        fields: every ``key = value`` line.
        stored: how the image is stored, see :mod:`sonotempo.io.orientation`.
    """

    path: Path
    frames: int
    shape_HW: tuple[int, int]
    channels: int
    element_type: str
    spacing_mm: Spacing | None
    compressed: bool
    data_file: Path
    data_offset: int
    fields: Mapping[str, str]
    stored: str = AS_SHOWN

    @property
    def shown_HW(self) -> tuple[int, int]:
        """Rows and columns of each image as shown."""
        height, width = self.shape_HW
        return (width, height) if is_on_its_side(self.stored) else (height, width)

    def of_frames(self, key: str) -> dict[int, str]:
        """Return the value of a key such as ``Timestamp`` for every frame that has one."""
        named = ((_OF_A_FRAME.fullmatch(name), value) for name, value in self.fields.items())
        return {int(found[1]): value for found, value in named if found and found[2] == key}

    @property
    def files(self) -> tuple[Path, ...]:
        """The header's file and the pixels' file, once if they are the same."""
        return tuple(dict.fromkeys((self.path, self.data_file)))

    @property
    def pixel_bytes(self) -> int:
        """Size of all frames in bytes."""
        return self.frames * math.prod(self.shape_HW) * self.channels * self.dtype.itemsize

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a value, in the file's byte order."""
        fields = self.fields
        is_big = fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False"))
        order = ">" if is_big.lower() in ("true", "1") else "<"
        return np.dtype(order + _NUMPY_TYPES[self.element_type])


def read_header(path: Path, inside: Inside | None = None) -> MetaHeader:
    """Read the header of an ``.mhd`` or ``.mha`` file and check that its pixels exist.

    Args:
        path: the file.
        inside: where the pixels' file may lie; by default at or below the header's folder.

    Raises:
        RecordingError: the file does not exist, is not a MetaImage or has more than three
            dimensions, announces more than the limits allow, or the pixels' file is missing,
            elsewhere or too short.
    """
    try:
        fields, end = _fields(path)
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        size = [int(word) for word in fields["DimSize"].split()]
        # Of a file without ElementSpacing, the size of an element is its spacing (MetaIO).
        steps = fields.get("ElementSpacing") or fields.get("ElementSize") or "1 1"
        spacing = [float(word) for word in steps.split()]
        channels = int(fields.get("ElementNumberOfChannels", "1"))
        skip = int(fields.get("HeaderSize", "0"))
    except (KeyError, ValueError) as error:
        raise RecordingError(
            f"{path} is not a MetaImage header: its DimSize, ElementSpacing, "
            "ElementNumberOfChannels or HeaderSize does not hold numbers "
            f"({shortened(str(error))}); export it again"
        ) from error
    if len(size) > 3 and min(size) > 0:
        raise RecordingError(
            f"{path} holds volumes ({len(size)} axes, {shortened(fields['DimSize'], 60)}), not "
            "images over time; export a cine of two-dimensional images"
        )
    if fields.get("BinaryData", "True").lower() in ("false", "0"):
        raise RecordingError(
            f"{path} stores its pixels as text (BinaryData = False); save it with binary data"
        )
    if len(size) not in (2, 3) or min(size) < 1 or len(spacing) < 2 or channels < 1:
        raise RecordingError(
            f"{path} has the DimSize {shortened(fields['DimSize'], 60)}; expected width and "
            "height, or width, height and number of frames"
        )
    limits().check_frame(path, size[1], size[0] * channels)
    limits().check_frames(path, size[2] if len(size) == 3 else 1)
    stored = orientation(fields.get("UltrasoundImageOrientation"))
    data_file, offset = _data(path, fields["ElementDataFile"], end, skip, inside)
    element_type = fields.get("ElementType", "MET_NONE")
    if element_type not in _NUMPY_TYPES:
        raise RecordingError(
            f"{path} holds pixels of the type {shown(element_type)}; convert it to 8 bits "
            "(MET_UCHAR)"
        )
    header = MetaHeader(
        path=path,
        frames=size[2] if len(size) == 3 else 1,
        shape_HW=(size[1], size[0]),
        channels=channels,
        element_type=element_type,
        spacing_mm=_spacing(spacing, on_its_side=is_on_its_side(stored)),
        compressed=fields.get("CompressedData", "False").lower() in ("true", "1"),
        data_file=data_file,
        data_offset=offset,
        fields=fields,
        stored=stored,
    )
    return _with_pixels(header, skip)


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """Read the header lines; the one that names the pixels' file is always the last."""
    fields: dict[str, str] = {}
    budget = limits()
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_LINE_BYTES):
            budget.check_header(path, file.tell())
            key, equals, value = line.decode("utf-8", errors="replace").partition("=")
            if not equals and line.strip():
                break
            fields[key.strip()] = value.strip()
            if key.strip() == "ElementDataFile":
                return fields, file.tell()
    raise RecordingError(
        f"{path} is not a MetaImage file: no line 'ElementDataFile = …' ends its header; export it "
        "again"
    )


def _spacing(values: list[float], *, on_its_side: bool) -> Spacing | None:
    column, row = abs(values[0]), abs(values[1])
    if on_its_side:
        column, row = row, column
    known = math.isfinite(row) and math.isfinite(column) and row > 0 and column > 0
    return (row, column) if known and (row, column) != (1.0, 1.0) else None


def _data(path: Path, named: str, end: int, skip: int, inside: Inside | None) -> tuple[Path, int]:
    if named.upper() == "LOCAL":
        return path, end
    if named.upper().startswith("LIST") or "%" in named:
        raise RecordingError(
            f"{path} stores its pixels in several files (ElementDataFile = "
            f"{shortened(named, 60)}); save it as one .mha file"
        )
    return (inside or Inside(path.parent)).named(named, path, "ElementDataFile"), max(skip, 0)


def _with_pixels(header: MetaHeader, skip: int) -> MetaHeader:
    if not header.data_file.is_file():
        raise RecordingError(
            f"{header.path} stores its pixels in {header.data_file.name!r}, which is missing; copy "
            f"it into {header.path.parent}"
        )
    available = header.data_file.stat().st_size - header.data_offset
    if header.compressed:
        return header
    if available < header.pixel_bytes:
        whole = max(available, 0) * header.frames // header.pixel_bytes
        raise RecordingError(
            f"{header.data_file} is cut short: it holds {whole} of the {header.frames} frames that "
            f"{header.path.name} announces; copy it again"
        )
    if skip == -1:  # the pixels are at the end, after another header
        offset = header.data_offset + available - header.pixel_bytes
        return replace(header, data_offset=offset)
    return header
