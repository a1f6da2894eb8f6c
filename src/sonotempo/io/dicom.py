"""DICOM ultrasound files as recordings: single images and cines, frame by frame.

pydicom decodes the pixels, with its own RLE decoder, Pillow (JPEG, JPEG 2000), python-gdcm (JPEG
lossless) and pyjpegls (JPEG-LS). ``dicom_header`` reads the region of tissue, spacing and time.
"""

import math
import os
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import parse_basic_offsets, parse_fragments
from pydicom.errors import InvalidDicomError
from pydicom.pixels import apply_color_lut, get_decoder, pixel_array
from pydicom.pixels.utils import get_expected_length

from sonotempo.errors import RecordingError
from sonotempo.io.dicom_header import frame_times_ns, region
from sonotempo.io.formats import Request
from sonotempo.io.grey import grey
from sonotempo.io.timing import timestamps_from
from sonotempo.recording import Image, Recording

# Errors of pydicom and its plug-ins for files that are damaged or of an unknown kind.
_UNREADABLE = (
    InvalidDicomError,
    OSError,
    EOFError,
    ValueError,
    AttributeError,
    KeyError,
    TypeError,
    IndexError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)

_Offsets = tuple[list[int], list[int]]


def open_dicom(request: Request) -> Recording:
    """Open a DICOM file: read its header and count its frames without decoding any.

    The recording's ``area`` is the largest region of two-dimensional tissue, clipped to the image;
    its spacing comes from that region (see :func:`~sonotempo.io.dicom_header.region`), its time
    stamps from FrameTimeVector, FrameTime, CineRate or RecommendedDisplayFrameRate, in this order,
    or from the nominal frame rate. The default subject is PatientID, or the folder's name if that
    is empty. DICOM files carry no masks.

    Raises:
        RecordingError: the file is not DICOM, holds no image or is cut short, or its compression
            or pixel type cannot be decoded.
    """
    path = request.path
    with (
        _explained(f"{path} cannot be read as DICOM"),
        path.open("rb") as file,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", UserWarning)  # values that are odd but readable
        header = dcmread(file, stop_before_pixels=True)
        frames = _frames(header, path)
        offsets = _check_whole(file, header, frames, path)
        found = region(header)
        numbers = np.arange(frames, dtype=np.int64)
        times_ns = frame_times_ns(header, frames)
        patient = str(header.get("PatientID") or "").strip()
    return Recording(
        source=path,
        subject=request.subject or patient or path.resolve().parent.name,
        name=request.name or path.stem,
        images=_DicomFrames(path, header, frames, offsets),
        timestamps_ns=timestamps_from(times_ns, numbers),
        structures=request.structures,
        spacing_mm=found.spacing_mm,
        area=found.area,
        files=(path,),
    )


class _DicomFrames:
    """The frames of one DICOM file, located by offset and decoded on demand.

    Args:
        path: the file.
        header: everything before the pixels.
        frames: number of frames.
        offsets: start and length of each compressed frame, which save pydicom a walk through the
            file for every frame; None to let pydicom find them.
    """

    def __init__(self, path: Path, header: Dataset, frames: int, offsets: _Offsets | None) -> None:
        self._path = path
        self._header = header
        self._frames = frames
        self._options = {} if offsets is None else {"extended_offsets": offsets}
        # pydicom's table of decoders and gdcm's reader are not documented as thread-safe.
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._frames

    def __getitem__(self, index: int, /) -> Image:
        with self._lock, _explained(f"frame {index} of {self._path} cannot be decoded"):
            pixels = pixel_array(self._path, index=index, **self._options)
        return self._to_grey(pixels)

    def _to_grey(self, pixels: NDArray[Any]) -> Image:
        header = self._header
        if header.PhotometricInterpretation == "PALETTE COLOR":
            coloured = apply_color_lut(pixels, header)
            # Palettes of 16 bits hold intensities in the upper byte (PS3.3 C.7.6.3.1.6).
            pixels = coloured >> 8 if coloured.dtype == np.uint16 else coloured
        elif header.BitsStored > 8:
            pixels = pixels >> (header.BitsStored - 8)
        image_HW = grey(pixels.astype(np.uint8), self._path)
        return 255 - image_HW if header.PhotometricInterpretation == "MONOCHROME1" else image_HW


def _frames(header: Dataset, path: Path) -> int:
    """Check that the pixels can be decoded and return the number of frames."""
    if "Rows" not in header or "Columns" not in header:
        raise RecordingError(f"{path} holds no image; choose a DICOM file with pixel data")
    if header.get("PixelRepresentation", 0) or not 8 <= header.BitsStored <= 16:
        raise RecordingError(
            f"{path} holds pixels of {header.BitsStored} bits"
            f"{', signed' if header.get('PixelRepresentation', 0) else ''}; expected 8 to 16 "
            "unsigned bits, as in ultrasound"
        )
    syntax = header.file_meta.TransferSyntaxUID
    if syntax.is_deflated:
        raise RecordingError(
            f"{path} is a deflated DICOM file, whose frames cannot be read one by one; rewrite "
            "it uncompressed, for example with 'gdcmconv --raw'"
        )
    if not get_decoder(syntax).is_available:
        raise RecordingError(
            f"{path} is compressed with {syntax.name}, which no installed decoder reads; rewrite "
            "it uncompressed"
        )
    return int(header.get("NumberOfFrames") or 1)


def _check_whole(file: BinaryIO, header: Dataset, frames: int, path: Path) -> _Offsets | None:
    """Check by sizes alone that all pixels exist, and return where compressed frames start.

    ``file`` is positioned at the pixel data element.
    """
    end = os.fstat(file.fileno()).st_size
    syntax = header.file_meta.TransferSyntaxUID
    tag_bytes = 8 if syntax.is_implicit_VR else 12
    if len(file.read(tag_bytes)) < tag_bytes:
        raise _cut_short(path, 0, frames)
    if not syntax.is_encapsulated:
        needed = get_expected_length(header, unit="bytes")
        available = end - file.tell()
        if available < needed:
            raise _cut_short(path, available * frames // needed, frames)
        return None
    parse_basic_offsets(file)
    first = file.tell()
    count, starts = parse_fragments(file)
    lengths = [_item_bytes(file, start) for start in starts]
    whole = count if not count or starts[-1] + 8 + lengths[-1] <= end else count - 1
    if whole < frames or whole < count:
        raise _cut_short(path, min(whole, frames - 1), frames)
    if count > frames:  # several fragments per frame: pydicom joins them
        return None
    return [start - first for start in starts], lengths


def _item_bytes(file: BinaryIO, start: int) -> int:
    file.seek(start + 4)
    return int.from_bytes(file.read(4), "little")  # compressed DICOM is always little-endian


def _cut_short(path: Path, whole: int, frames: int) -> RecordingError:
    return RecordingError(
        f"{path} is cut short: only {math.floor(whole)} of its {frames} frames are complete; copy "
        "or export it again"
    )


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn pydicom's errors into one sentence."""
    try:
        yield
    except _UNREADABLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RecordingError(f"{what}: {reason}; copy or export the file again") from error
