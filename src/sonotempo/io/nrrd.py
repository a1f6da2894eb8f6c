"""NRRD files as recordings: images, and sequences (``.seq.nrrd``) of PLUS and 3D Slicer.

pynrrd reads headers. Which axis is what follows from the kinds of the axes:
one of kind ``list`` or ``time`` counts frames, one of a colour or vector kind holds the channels.

Format: https://teem.sourceforge.net/nrrd/format.html
"""

import math
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import nrrd
import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import RecordingError
from sonotempo.guard import guarded, shortened
from sonotempo.io.formats import Request
from sonotempo.io.grey import grey
from sonotempo.io.limits import limits
from sonotempo.io.nrrd_pixels import Place, find_pixels, header_lines, pixels_of
from sonotempo.io.orientation import is_on_its_side, orientation, turned
from sonotempo.io.timing import times_from
from sonotempo.recording import Image, Recording, Spacing

_OF_TIME = frozenset({"list", "time"})
_OF_COLOUR = frozenset(
    {"vector", "rgb-color", "rgba-color", "3-color", "4-color", "rgbcolor", "rgbacolor"}
)
_EIGHT_BITS = frozenset({"uchar", "unsigned char", "uint8", "uint8_t"})
_UNKNOWN_KINDS = frozenset({"", "none", "???"})
_STAMP = re.compile(r"Seq_Frame(\d+)_Timestamp")
_STATUS = re.compile(r"Seq_Frame(\d+)_ImageStatus")
_INDEX_VALUES = re.compile(r"axis \d+ index values")
_UNITS_NS = {"s": 1e9, "sec": 1e9, "second": 1e9, "seconds": 1e9, "ms": 1e6, "": 1e9}


@dataclass(frozen=True, slots=True)
class _Axes:
    """Which axis of the file, fastest first, is what; None where there is none."""

    column: int
    row: int
    time: int | None
    colour: int | None


def open_nrrd(request: Request) -> Recording:
    """Open a ``.nrrd`` or ``.nhdr`` file of one image or of images over time.

    Times come from the ``Seq_Frame0000_Timestamp`` keys of PLUS or from the index values of a 3D
    Slicer sequence, both in seconds, or from the nominal frame rate. Spacing of exactly 1 by 1 is
    read as unknown. Images that are stored mirrored or on their side are turned.

    Raises:
        RecordingError: not an NRRD file, a volume, pixels that do not have 8 bits, or cut short.
    """
    path = request.path
    with guarded(f"{path} cannot be read as NRRD", "copy or export it again", RecordingError):
        with path.open("rb") as file:
            header = dict(nrrd.read_header(header_lines(file, path)))
            end = file.tell()
        sizes = tuple(int(size) for size in header["sizes"])
    if str(header.get("type")).lower() not in _EIGHT_BITS:
        raise RecordingError(
            f"{path} holds pixels of type {header.get('type')}, whose white level is unknown; "
            "convert it to 8 bits (unsigned char)"
        )
    axes = _axes(header, sizes, path)
    count = 1 if axes.time is None else sizes[axes.time]
    width = sizes[axes.column] * (1 if axes.colour is None else sizes[axes.colour])
    limits().check_frame(path, sizes[axes.row], width)
    limits().check_frames(path, count)
    place = find_pixels(path, header, end, request.inside)
    status = _by_frame(header, _STATUS)
    valid = [i for i in range(count) if status.get(i, "OK").upper() != "INVALID"]
    if not valid:
        raise RecordingError(
            f"{path} marks all of its {count} frames as invalid (no image arrived); record again "
            "with the scanner connected"
        )
    numbers = np.array(valid, np.int64)
    stamps = _stamps_ns(header, axes, count)
    times = times_from(None if stamps is None else [stamps[i] for i in valid], numbers)
    stored = orientation(header.get("UltrasoundImageOrientation"))
    return Recording(
        source=path,
        subject=request.subject or path.name.split(".")[0],
        name=request.name or path.name.split(".")[0],
        images=_NrrdFrames(path, replace(place, sizes=sizes, frames=count), axes, numbers, stored),
        timestamps_ns=times.timestamps_ns,
        rate_is_assumed=times.are_assumed,
        stored_as=stored,
        structures=request.structures,
        spacing_mm=_spacing(header, axes, stored),
        frame_numbers=numbers,
        files=tuple(dict.fromkeys((path, place.path))),
    )


class _NrrdFrames:
    """The frames of one file, read as a whole when the first one is needed.

    Uncompressed pixels are mapped, so that they need no memory.
    """

    def __init__(
        self,
        path: Path,
        place: Place,
        axes: _Axes,
        numbers: NDArray[np.int64],
        stored: str,
    ) -> None:
        self._path = path
        self._place = place
        self._axes = axes
        self._numbers = numbers
        self._stored = stored
        self._lock = threading.Lock()
        self._frames_THWC: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int, /) -> Image:
        with self._lock:
            if self._frames_THWC is None:
                self._frames_THWC = self._read()
            frame = np.array(self._frames_THWC[self._numbers[index]])
        shown = turned(frame, self._stored)
        return grey(shown[..., 0] if shown.shape[-1] == 1 else shown, self._path)

    def _read(self) -> NDArray[np.uint8]:
        axes = self._axes
        pixels = pixels_of(self._place)
        # Fastest first in the file, so last first as numpy's axes.
        wanted = [axes.row, axes.column]
        if axes.time is not None:
            wanted.insert(0, axes.time)
        if axes.colour is not None:
            wanted.append(axes.colour)
        dropped = tuple(axis for axis in range(pixels.ndim) if axis not in wanted)
        ordered = np.moveaxis(pixels, [*dropped, *wanted], range(pixels.ndim))
        ordered = ordered.reshape(ordered.shape[len(dropped) :])
        if axes.time is None:
            ordered = ordered[None]
        return ordered if axes.colour is not None else ordered[..., None]


def _axes(header: dict[str, Any], sizes: Sequence[int], path: Path) -> _Axes:
    kinds = [str(kind or "").lower() for kind in header.get("kinds") or [""] * len(sizes)]
    time = next((i for i, kind in enumerate(kinds) if kind in _OF_TIME), None)
    colour = next((i for i, kind in enumerate(kinds) if kind in _OF_COLOUR), None)
    places = [i for i in range(len(sizes)) if i not in (time, colour)]
    if len(places) > 2:  # one slice of a volume at a time
        places = [i for i in places if sizes[i] > 1 or i < places[2]]
    is_cine = any(map(_STAMP.fullmatch, header)) or all(kind in _UNKNOWN_KINDS for kind in kinds)
    if len(places) == 3 and time is None and is_cine:
        time = places.pop()
    if len(places) != 2 or min(sizes) < 1:
        by_size = shortened(" x ".join(map(str, sizes)))
        named = shortened(", ".join(kind or "unknown" for kind in kinds))
        raise RecordingError(
            f"{path} holds volumes (sizes {by_size}, kinds {named}), not images over time; export "
            "a cine of two-dimensional images"
        )
    if colour is not None and sizes[colour] not in (1, 3, 4):
        raise RecordingError(
            f"{path} holds {sizes[colour]} values per pixel; expected grey or colour"
        )
    return _Axes(column=places[0], row=places[1], time=time, colour=colour)


def _by_frame(header: dict[str, Any], pattern: re.Pattern[str]) -> dict[int, str]:
    named = ((pattern.fullmatch(key), value) for key, value in header.items())
    return {int(found[1]): str(value) for found, value in named if found}


def _stamps_ns(header: dict[str, Any], axes: _Axes, count: int) -> list[int | None] | None:
    stamps = _by_frame(header, _STAMP)
    try:
        if stamps:
            return [round(float(stamps[i]) * 1e9) if i in stamps else None for i in range(count)]
        found = next((str(v) for key, v in header.items() if _INDEX_VALUES.fullmatch(key)), "")
        values = [float(unquote(word)) for word in found.split()]
    except (ValueError, OverflowError):
        return None
    units = header.get("units") or ()
    has_unit = axes.time is not None and axes.time < len(units)
    unit = str(units[axes.time or 0]).strip().lower() if has_unit else ""
    factor = _UNITS_NS.get(unit)
    if len(values) != count or factor is None:
        return None
    return [round(value * factor) for value in values]


def _spacing(header: dict[str, Any], axes: _Axes, stored: str) -> Spacing | None:
    row, column = (_step(header, axis) for axis in (axes.row, axes.column))
    if is_on_its_side(stored):
        row, column = column, row
    known = all(math.isfinite(step) and step > 0 for step in (row, column))
    return (row, column) if known and (row, column) != (1.0, 1.0) else None


def _step(header: dict[str, Any], axis: int) -> float:
    directions = header.get("space directions")
    if directions is not None and len(directions) > axis and directions[axis] is not None:
        step = float(np.linalg.norm(np.asarray(directions[axis], float)))
        if math.isfinite(step):
            return step
    spacings = header.get("spacings")
    return float(spacings[axis]) if spacings is not None and len(spacings) > axis else 1.0
