"""MetaImage files as recordings: ``.mha`` and ``.mhd`` stacks, or one ``.mhd`` file per frame.

Frames have 8 bits, grey or colour. Spacing of exactly 1 by 1 is read as unknown: writers store it
if they do not know better (uncalibrated PLUS sequences, Annotation Web exports of plain images).
"""

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import RecordingError
from sonotempo.io.containment import Inside
from sonotempo.io.formats import Request
from sonotempo.io.frame_files import FrameFiles
from sonotempo.io.frame_order import in_order
from sonotempo.io.grey import grey
from sonotempo.io.metaimage_header import MetaHeader, read_header
from sonotempo.io.orientation import turned
from sonotempo.io.timing import times_from
from sonotempo.io.unpacking import Packed, unpacked
from sonotempo.recording import Image, Recording


def open_metaimage(request: Request) -> Recording:
    """Open an ``.mha`` or ``.mhd`` file: width, height and, for a stack, time.

    Time stamps come from the ``Seq_Frame0000_Timestamp`` keys (seconds) of PLUS and 3D Slicer, or
    from the nominal frame rate. Frames that PLUS marks as invalid (no image arrived) are omitted,
    with a gap in the frame numbers. Images whose ``UltrasoundImageOrientation`` says that they are
    stored mirrored or on their side are turned.

    Raises:
        RecordingError: not a MetaImage, or pixels are missing or do not have 8 bits, or every frame
            is marked as invalid.
    """
    path = request.path
    header = read_header(path, request.inside)
    _check_pixels(header)
    status, stamps = header.of_frames("ImageStatus"), header.of_frames("Timestamp")
    valid = [i for i in range(header.frames) if status.get(i, "OK").upper() != "INVALID"]
    if not valid:
        raise RecordingError(
            f"{path} marks all of its {header.frames} frames as invalid (no image arrived); record "
            "again with the scanner connected"
        )
    numbers = np.array(valid, np.int64)
    times = times_from(_nanoseconds([stamps.get(i) for i in valid], 1e9), numbers)
    return Recording(
        source=path,
        subject=request.subject or path.stem,
        name=request.name or path.stem,
        images=_Stack(header, numbers),
        timestamps_ns=times.timestamps_ns,
        rate_is_assumed=times.are_assumed,
        stored_as=header.stored,
        structures=request.structures,
        spacing_mm=header.spacing_mm,
        frame_numbers=numbers,
        files=header.files,
    )


def open_metaimage_frames(paths: Sequence[Path], request: Request) -> Recording:
    """Open files ``name_<frame>.mhd`` of a folder as one recording; only their headers are read.

    Time stamps come from the key ``Timestamp`` (milliseconds) that FAST writes, or from the
    nominal frame rate. Spacing is unknown if it differs between the files.

    Raises:
        RecordingError: a header or its pixel file is missing, pixels do not have 8 bits, or two
            files have the same frame number.
    """
    order = in_order(paths)
    headers = [read_header(path, request.inside) for path in order.paths]
    for header in headers:
        _check_pixels(header)
        if header.frames > 1:
            raise RecordingError(
                f"{header.path} holds {header.frames} frames among files of one frame each; open "
                "it separately"
            )
    spacings = {header.spacing_mm for header in headers}
    stamps = [header.fields.get("Timestamp") for header in headers]
    times = times_from(_nanoseconds(stamps, 1e6), order.numbers)
    stored = {header.stored for header in headers}
    return Recording(
        source=request.path,
        subject=request.subject or request.path.name,
        name=request.name or request.path.name,
        images=FrameFiles(order.paths, partial(read_frame, inside=request.inside)),
        timestamps_ns=times.timestamps_ns,
        rate_is_assumed=times.are_assumed,
        stored_as=stored.pop() if len(stored) == 1 else "mixed",
        structures=request.structures,
        spacing_mm=spacings.pop() if len(spacings) == 1 else None,
        frame_numbers=order.numbers,
        files=tuple(file for header in headers for file in header.files),
    )


def read_frame(path: Path, inside: Inside | None = None) -> Image:
    """Read a two-dimensional MetaImage as uint8 grey HW.

    Args:
        path: the file.
        inside: where the pixels' file may lie; by default at or below the header's folder.

    Raises:
        RecordingError: it cannot be read, or does not have 8 bits.
    """
    return grey(_pixels(path, inside=inside), path)


def read_mask(path: Path, stored: str | None = None, inside: Inside | None = None) -> Image:
    """Read a two-dimensional MetaImage of label values as uint8 HW.

    Args:
        path: the file.
        stored: how its image is stored; by default what the mask's own header says.
        inside: where the pixels' file may lie; by default at or below the header's folder.

    Raises:
        RecordingError: it cannot be read, or does not hold whole numbers from 0 to 255.
    """
    labels = _pixels(path, stored, inside)
    if labels.ndim != 2 or labels.dtype.kind not in "ui":
        raise RecordingError(
            f"the mask {path} holds {labels.dtype} pixels of shape {labels.shape}; expected one "
            "whole number per pixel, its label value"
        )
    if labels.size and (labels.min() < 0 or labels.max() > 255):
        raise RecordingError(
            f"the mask {path} holds label values from {labels.min()} to {labels.max()}; expected 0 "
            "to 255"
        )
    return labels.astype(np.uint8)


class _Stack:
    """The frames of one MetaImage file, through a memory map.

    An uncompressed file is mapped directly. A compressed one can only be read from its start, so
    it is unpacked on first use, a megabyte at a time, into a temporary file that is removed with
    this object. Memory use stays constant either way.
    """

    def __init__(self, header: MetaHeader, frames: NDArray[np.int64]) -> None:
        self._header = header
        self._frames = frames
        self._lock = threading.Lock()
        self._pixels: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int, /) -> Image:
        with self._lock:
            if self._pixels is None:
                self._pixels = self._map()
        frame = np.array(self._pixels[self._frames[index]])
        shown = turned(frame, self._header.stored)
        return grey(shown[..., 0] if shown.shape[-1] == 1 else shown, self._header.path)

    def _map(self) -> NDArray[np.uint8]:
        header = self._header
        pixels = _stored_pixels(header)
        return pixels.reshape((header.frames, *header.shape_HW, header.channels))


def _check_pixels(header: MetaHeader) -> None:
    if header.element_type != "MET_UCHAR" or header.channels not in (1, 3, 4):
        raise RecordingError(
            f"{header.path} holds {header.channels} x {header.element_type} per pixel, whose white "
            "level is unknown; convert it to 8 bits, grey or colour (MET_UCHAR)"
        )


def _pixels(
    path: Path, stored: str | None = None, inside: Inside | None = None
) -> NDArray[np.generic]:
    header = read_header(path, inside)
    if header.frames > 1:
        raise RecordingError(f"{path} holds {header.frames} frames; expected one image")
    pixels = np.array(_stored_pixels(header)).view(header.dtype)
    pixels = turned(pixels.reshape((*header.shape_HW, header.channels)), stored or header.stored)
    return pixels[..., 0] if header.channels == 1 else pixels


def _stored_pixels(header: MetaHeader) -> NDArray[np.uint8]:
    """Map the bytes of all pixels, unpacked if they are compressed."""
    if header.compressed:
        return unpacked(
            Packed(header.data_file, header.data_offset, header.pixel_bytes, header.frames)
        )
    return np.memmap(
        header.data_file, np.uint8, "r", offset=header.data_offset, shape=(header.pixel_bytes,)
    )


def _nanoseconds(words: Sequence[str | None], factor: float) -> list[int | None] | None:
    try:
        return [None if word is None else round(float(word) * factor) for word in words]
    except (ValueError, OverflowError):
        return None  # not numbers
