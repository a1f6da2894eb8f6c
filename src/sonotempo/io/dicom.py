"""DICOM ultrasound files as recordings: single images and cines, frame by frame.

``dicom_frames`` decodes the pixels; ``dicom_header`` reads the region of tissue, spacing and time.
"""

import math
import os
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.encaps import parse_basic_offsets, parse_fragments
from pydicom.errors import InvalidDicomError
from pydicom.pixels import get_decoder
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import RLELossless

from sonotempo.errors import RecordingError
from sonotempo.guard import guarded, shown
from sonotempo.io.dicom_file import DicomFile
from sonotempo.io.dicom_frames import REMEDY, DicomFrames, StoredFrames
from sonotempo.io.dicom_header import frame_times_ns, pixel_aspect, region
from sonotempo.io.dicom_pixels import ToGrey
from sonotempo.io.dicom_video import is_video, open_dicom_video
from sonotempo.io.formats import Request
from sonotempo.io.limits import limits
from sonotempo.io.timing import times_from
from sonotempo.recording import Recording

_ENHANCED_VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"
# The first bytes of JPEG and JPEG-LS, of a JPEG 2000 code stream, and of a JP2 file.
_BEGINNINGS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0c")


def open_dicom(request: Request) -> Recording:
    """Open a DICOM file: read its header and count its frames without decoding any.

    The recording's ``area`` is the largest region of two-dimensional tissue, clipped to the image;
    its spacing comes from that region (see :func:`~sonotempo.io.dicom_header.region`), its time
    stamps from what FrameIncrementPointer names, else from FrameTimeVector, FrameTime, CineRate or
    RecommendedDisplayFrameRate, in this order, or from the nominal frame rate. The default subject
    is PatientID, or the folder's name if that is empty. DICOM files carry no masks.

    Raises:
        RecordingError: the file is not DICOM, holds no image, a volume, or more or fewer frames
            than its header says, or its compression or pixel type cannot be decoded.
    """
    path = request.path
    with (
        guarded(f"{path} cannot be read as DICOM", REMEDY, RecordingError),
        DicomFile(path) as file,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", UserWarning)  # values that are odd but readable
        header = _header(file, path)
        if is_video(header):
            return open_dicom_video(request, header)
        announced = _frames(header, path)
        stored = _check_whole(file, header, announced, path)
        frames = stored.count
        images = DicomFrames(path, header, stored, ToGrey(header, path))
        found = region(header)
        numbers = np.arange(frames, dtype=np.int64)
        times_ns = frame_times_ns(header, frames)
        patient = str(header.get("PatientID") or "").strip()
        aspect = pixel_aspect(header)
    times = times_from(times_ns, numbers)
    return Recording(
        source=path,
        subject=request.subject or patient or path.resolve().parent.name,
        name=request.name or path.stem,
        images=images,
        timestamps_ns=times.timestamps_ns,
        rate_is_assumed=times.are_assumed,
        pixel_aspect=aspect,
        structures=request.structures,
        spacing_mm=found.spacing_mm,
        area=found.area,
        files=(path,),
    )


def _header(file: BinaryIO, path: Path) -> Dataset:
    """Read everything before the pixels."""
    try:
        header = dcmread(file, stop_before_pixels=True)
    except InvalidDicomError as error:
        raise RecordingError(
            f"{path} is not a DICOM file: the mark 'DICM' after its first 128 bytes is missing; "
            "export it again in the file format of DICOM PS3.10"
        ) from error
    if "TransferSyntaxUID" not in header.file_meta:
        raise RecordingError(
            f"{path} does not say how its pixels are stored (no Transfer Syntax UID); export it "
            "again"
        )
    return header


def _frames(header: Dataset, path: Path) -> int | None:
    """Check that the pixels can be decoded; return the number of frames if the header has it."""
    if header.get("SOPClassUID") == _ENHANCED_VOLUME:
        raise RecordingError(
            f"{path} holds a volume (Enhanced US Volume): its slices are places, not times; export "
            "a two-dimensional cine"
        )
    if "Rows" not in header or "Columns" not in header:
        raise RecordingError(f"{path} holds no image; choose a DICOM file with pixel data")
    if header.get("PixelRepresentation", 0) or not 8 <= header.BitsStored <= 16:
        raise RecordingError(
            f"{path} holds pixels of {header.BitsStored} bits"
            f"{', signed' if header.get('PixelRepresentation', 0) else ''}; expected 8 to 16 "
            "unsigned bits, as in ultrasound"
        )
    if header.get("BitsAllocated") not in (8, 16):
        raise RecordingError(
            f"{path} stores each value in {shown(header.get('BitsAllocated'))} bits; expected 8 or "
            "16: export it again"
        )
    limits().check_frame(path, int(header.Rows), int(header.Columns))
    syntax = header.file_meta.TransferSyntaxUID
    if not get_decoder(syntax).is_available:
        raise RecordingError(
            f"{path} is compressed with {syntax.name}, which no installed decoder reads; rewrite "
            "it uncompressed"
        )
    number = header.get("NumberOfFrames")
    if number is None or number == "":
        return None
    if int(number) < 1:
        raise RecordingError(
            f"{path} says that it holds {int(number)} frames (NumberOfFrames); export it again"
        )
    limits().check_frames(path, int(number))
    return int(number)


def _check_whole(
    file: BinaryIO, header: Dataset, announced: int | None, path: Path
) -> StoredFrames:
    """Check by sizes alone that all pixels exist.

    Args:
        file: positioned at the pixel data element.
        header: everything before it.
        announced: the number of frames that the header names, or None to take what is there.
        path: of the file, for messages.

    Returns:
        Where the frames are.
    """
    end = os.fstat(file.fileno()).st_size
    syntax = header.file_meta.TransferSyntaxUID
    frames = announced or 1
    # As the element is written: some files say explicit and are implicit.
    head = file.read(8)
    head_bytes = 12 if head[4:6] in (b"OB", b"OW", b"UN") else 8
    head += file.read(head_bytes - 8)
    if not head:
        raise RecordingError(
            f"{path} holds no pixel data, only a description; export it with its images"
        )
    if len(head) < head_bytes:
        raise _cut_short(path, 0, frames)
    if not syntax.is_encapsulated:
        length = int.from_bytes(head[-4:], "little" if syntax.is_little_endian else "big")
        available = min(end - file.tell(), length)
        return StoredFrames(_check_sizes(available, header, announced, path))
    parse_basic_offsets(file)
    first = file.tell()
    count, starts = parse_fragments(file)
    lengths = [_item_bytes(file, start) for start in starts]
    whole = count if not count or starts[-1] + 8 + lengths[-1] <= end else count - 1
    if whole < frames or whole < count:
        raise _cut_short(path, min(whole, frames - 1), frames)
    is_rle = syntax == RLELossless
    begins = () if is_rle else tuple(s + 8 for s in starts if _begins_a_frame(file, s))
    found = count if is_rle else len(begins)
    if not is_rle and not begins:
        raise RecordingError(
            f"{path} is compressed as {syntax.name}, but holds no such image; {REMEDY}"
        )
    if announced is None:
        frames = max(found, 1)
    elif found > announced:
        raise _too_many(path, announced, found)
    if count > frames:  # several fragments per frame: pydicom joins them
        return StoredFrames(frames, None, begins)
    return StoredFrames(frames, ([start - first for start in starts], lengths), begins)


def _check_sizes(available: int, header: Dataset, announced: int | None, path: Path) -> int:
    """Return the number of uncompressed frames; their size must be what the header says."""
    frame_bytes = _frame_bytes(header)
    frames = announced or 1
    needed = frame_bytes * frames
    if available < needed:
        raise _cut_short(path, available // frame_bytes, frames)
    if header.PhotometricInterpretation == "YBR_FULL_422" and available >= needed * 3 // 2:
        raise RecordingError(
            f"{path} says that half of its colour samples are left out (YBR_FULL_422), but holds "
            "all of them, so its colours are unknown; export it again, as grey if possible"
        )
    # One byte may pad the data to an even length.
    held = available // frame_bytes if available > needed + 1 else frames
    if announced is not None and held > announced:
        raise _too_many(path, announced, held)
    return held


def _frame_bytes(header: Dataset) -> int:
    one = Dataset()
    for keyword in (
        "Rows",
        "Columns",
        "SamplesPerPixel",
        "BitsAllocated",
        "PhotometricInterpretation",
    ):
        setattr(one, keyword, header[keyword].value)
    one.NumberOfFrames = 1
    return int(get_expected_length(one, unit="bytes"))


def _begins_a_frame(file: BinaryIO, start: int) -> bool:
    """Whether a fragment begins a JPEG or JPEG 2000 image rather than continuing one."""
    file.seek(start + 8)
    return file.read(4).startswith(_BEGINNINGS)


def _too_many(path: Path, announced: int, found: int) -> RecordingError:
    return RecordingError(
        f"{path} says that it holds {announced} frames (NumberOfFrames), but it holds {found}; "
        "export it again, or correct that number"
    )


def _item_bytes(file: BinaryIO, start: int) -> int:
    file.seek(start + 4)
    return int.from_bytes(file.read(4), "little")  # compressed DICOM is always little-endian


def _cut_short(path: Path, whole: int, frames: int) -> RecordingError:
    return RecordingError(
        f"{path} is cut short: only {math.floor(whole)} of its {frames} frames are complete; copy "
        "or export it again"
    )
