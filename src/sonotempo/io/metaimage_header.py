"""The text header of a MetaImage file, and a check that its pixels exist.

SimpleITK reads the pixels (see ``metaimage``) but does not expose the name of the data file, the
offset of the pixels in it, and whether they are compressed. These are needed to list a recording's
files, to read one frame of a long stack, and to name a missing file.

Format: https://itk.org/Wiki/MetaIO/Documentation
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sonotempo.errors import RecordingError
from sonotempo.io.orientation import AS_SHOWN, is_on_its_side, orientation
from sonotempo.recording import Spacing

_LONGEST_LINE_BYTES = 1 << 20
# PLUS and Slicer write four digits, others as many as needed.
_OF_A_FRAME = re.compile(r"Seq_Frame(\d+)_(\w+)")


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
        """Size of all frames in bytes, at one byte per value."""
        return self.frames * math.prod(self.shape_HW) * self.channels


def read_header(path: Path) -> MetaHeader:
    """Read the header of an ``.mhd`` or ``.mha`` file and check that its pixels exist.

    Raises:
        RecordingError: the file does not exist, is not a MetaImage or has more than three
            dimensions, or the pixels' file is missing or too short.
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
            f"ElementNumberOfChannels or HeaderSize does not hold numbers ({error}); export it "
            "again"
        ) from error
    if len(size) > 3 and min(size) > 0:
        raise RecordingError(
            f"{path} holds volumes ({len(size)} axes, {fields['DimSize']}), not images over time; "
            "export a cine of two-dimensional images"
        )
    if fields.get("BinaryData", "True").lower() in ("false", "0"):
        raise RecordingError(
            f"{path} stores its pixels as text (BinaryData = False); save it with binary data"
        )
    if len(size) not in (2, 3) or min(size) < 1 or len(spacing) < 2 or channels < 1:
        raise RecordingError(
            f"{path} has the DimSize {fields['DimSize']}; expected width and height, or width, "
            "height and number of frames"
        )
    stored = orientation(fields.get("UltrasoundImageOrientation"))
    data_file, offset = _data(path, fields["ElementDataFile"], end, skip)
    header = MetaHeader(
        path=path,
        frames=size[2] if len(size) == 3 else 1,
        shape_HW=(size[1], size[0]),
        channels=channels,
        element_type=fields.get("ElementType", "MET_NONE"),
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
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_LINE_BYTES):
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


def _data(path: Path, named: str, end: int, skip: int) -> tuple[Path, int]:
    if named.upper() == "LOCAL":
        return path, end
    if named.upper().startswith("LIST") or "%" in named:
        raise RecordingError(
            f"{path} stores its pixels in several files (ElementDataFile = {named}); save it as "
            "one .mha file"
        )
    return path.parent / named, max(skip, 0)


def _with_pixels(header: MetaHeader, skip: int) -> MetaHeader:
    if not header.data_file.is_file():
        raise RecordingError(
            f"{header.path} stores its pixels in {header.data_file.name!r}, which is missing; copy "
            f"it into {header.path.parent}"
        )
    available = header.data_file.stat().st_size - header.data_offset
    if header.element_type != "MET_UCHAR" or header.compressed:
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
