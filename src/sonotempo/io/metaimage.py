"""MetaImage files as recordings: ``.mha`` and ``.mhd`` stacks, or one ``.mhd`` file per frame.

Frames have 8 bits, grey or colour. Spacing of exactly 1 by 1 is read as unknown: writers store it
if they do not know better (uncalibrated PLUS sequences, Annotation Web exports of plain images).
"""

import os
import tempfile
import threading
import weakref
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from sonotempo.errors import RecordingError
from sonotempo.io.formats import Request
from sonotempo.io.frame_files import FrameFiles
from sonotempo.io.frame_order import in_order
from sonotempo.io.grey import grey
from sonotempo.io.metaimage_header import MetaHeader, read_header
from sonotempo.io.orientation import turned
from sonotempo.io.timing import times_from
from sonotempo.recording import Image, Recording

_CHUNK_BYTES = 1 << 20


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
    header = read_header(path)
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
    headers = [read_header(path) for path in order.paths]
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
        images=FrameFiles(order.paths, read_frame),
        timestamps_ns=times.timestamps_ns,
        rate_is_assumed=times.are_assumed,
        stored_as=stored.pop() if len(stored) == 1 else "mixed",
        structures=request.structures,
        spacing_mm=spacings.pop() if len(spacings) == 1 else None,
        frame_numbers=order.numbers,
        files=tuple(file for header in headers for file in header.files),
    )


def read_frame(path: Path) -> Image:
    """Read a two-dimensional MetaImage as uint8 grey HW.

    Raises:
        RecordingError: it cannot be read, or does not have 8 bits.
    """
    return grey(_pixels(path), path)


def read_mask(path: Path, stored: str | None = None) -> Image:
    """Read a two-dimensional MetaImage of label values as uint8 HW.

    Args:
        path: the file.
        stored: how its image is stored; by default what the mask's own header says.

    Raises:
        RecordingError: it cannot be read, or does not hold whole numbers from 0 to 255.
    """
    labels = _pixels(path, stored)
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
        shape_THWC = (header.frames, *header.shape_HW, header.channels)
        try:
            if not header.compressed:
                return np.memmap(
                    header.data_file, np.uint8, "r", offset=header.data_offset, shape=shape_THWC
                )
            unpacked = tempfile.TemporaryFile()  # noqa: SIM115
            # The memory map needs the file for as long as there are frames to read from it.
            weakref.finalize(self, unpacked.close)
            _unpack(header, unpacked)
            return np.memmap(unpacked, np.uint8, "r", shape=shape_THWC)
        except (OSError, ValueError) as error:
            raise RecordingError(
                f"the frames of {header.path} cannot be read: {error}; check that the file is "
                "still complete and that the temporary folder has space"
            ) from error


def _unpack(header: MetaHeader, target: IO[bytes]) -> None:
    inflate = zlib.decompressobj(wbits=47)  # zlib or gzip
    with header.data_file.open("rb") as packed:
        packed.seek(header.data_offset)
        try:
            while not inflate.eof and (chunk := packed.read(_CHUNK_BYTES)):
                target.write(inflate.decompress(chunk))
        except zlib.error as error:
            raise RecordingError(
                f"{header.data_file} is damaged: its compressed pixels end after "
                f"{_whole_frames(header, target)} of {header.frames} frames ({error}); copy or "
                "export it again"
            ) from error
    target.write(inflate.flush())
    target.flush()
    if target.seek(0, os.SEEK_END) < header.pixel_bytes:
        raise RecordingError(
            f"{header.data_file} is cut short: it holds {_whole_frames(header, target)} of "
            f"{header.frames} frames; copy or export it again"
        )


def _whole_frames(header: MetaHeader, target: IO[bytes]) -> int:
    return target.tell() * header.frames // header.pixel_bytes


def _check_pixels(header: MetaHeader) -> None:
    if header.element_type != "MET_UCHAR" or header.channels not in (1, 3, 4):
        raise RecordingError(
            f"{header.path} holds {header.channels} x {header.element_type} per pixel, whose white "
            "level is unknown; convert it to 8 bits, grey or colour (MET_UCHAR)"
        )


def _pixels(path: Path, stored: str | None = None) -> NDArray[np.generic]:
    header = read_header(path)  # its errors explain more than SimpleITK's
    if header.frames > 1:
        raise RecordingError(f"{path} holds {header.frames} frames; expected one image")
    try:
        pixels: NDArray[np.generic] = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise RecordingError(f"{path} cannot be read: {reason}; export it again") from error
    pixels = turned(pixels.reshape((*header.shape_HW, header.channels)), stored or header.stored)
    return pixels[..., 0] if header.channels == 1 else pixels


def _nanoseconds(words: Sequence[str | None], factor: float) -> list[int | None] | None:
    try:
        return [None if word is None else round(float(word) * factor) for word in words]
    except (ValueError, OverflowError):
        return None  # not numbers
