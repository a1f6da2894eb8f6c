"""DICOM cines that are stored as a video stream: MPEG-2, MPEG-4 (H.264) and HEVC."""

# PyAV is an extra, which only these files need.
# ruff: noqa: PLC0415

import tempfile
import weakref
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_fragments, parse_basic_offsets

from sonotempo.errors import RecordingError
from sonotempo.io.dicom_file import DicomFile
from sonotempo.io.dicom_header import frame_times_ns, pixel_aspect, region
from sonotempo.io.formats import Request
from sonotempo.io.timing import times_from
from sonotempo.recording import Recording

# PS3.5 A.4.5 to A.4.10: MPEG2 Main Profile to HEVC/H.265 Main 10 Profile.
_VIDEO = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))

# Tag, type and length of the pixel data, before its first item.
_ELEMENT_BYTES = 12


def is_video(header: Dataset) -> bool:
    """Whether the pixels are a video stream."""
    return str(header.file_meta.TransferSyntaxUID).removesuffix(".1") in _VIDEO


def open_dicom_video(request: Request, header: Dataset) -> Recording:
    """Open a DICOM file whose pixels are a video stream.

    The stream is copied into a temporary file, which goes with the recording. Area, spacing and
    time come from the DICOM header; where it holds no time, from the stream.

    Args:
        request: the file.
        header: everything before the pixels.

    Raises:
        RecordingError: PyAV is missing, or the stream cannot be decoded.
    """
    try:
        from sonotempo.io.video import VideoFrames
    except ModuleNotFoundError as error:
        raise RecordingError(
            f"{request.path} holds a video stream; to read it, install the package "
            f"{error.name!r} with: pip install 'sonotempo[video]'"
        ) from error
    path = request.path
    stream = tempfile.NamedTemporaryFile(suffix=".video")  # noqa: SIM115
    try:
        _copy_stream(path, Path(stream.name))
        frames = VideoFrames(Path(stream.name), path)
    except BaseException:
        stream.close()
        raise
    weakref.finalize(frames, stream.close)
    numbers = np.arange(len(frames), dtype=np.int64)
    times = times_from(frame_times_ns(header, len(frames)) or frames.stamps_ns, numbers)
    found = region(header)
    aspect = pixel_aspect(header)
    patient = str(header.get("PatientID") or "").strip()
    return Recording(
        source=path,
        subject=request.subject or patient or path.resolve().parent.name,
        name=request.name or path.stem,
        images=frames,
        timestamps_ns=times.timestamps_ns,
        rate_is_assumed=times.are_assumed,
        structures=request.structures,
        spacing_mm=found.spacing_mm,
        area=found.area,
        pixel_aspect=frames.pixel_aspect() if aspect == 1 else aspect,
        files=(path,),
    )


def _copy_stream(path: Path, target: Path) -> None:
    with DicomFile(path) as file, target.open("wb") as out:
        dcmread(file, stop_before_pixels=True)
        file.seek(_ELEMENT_BYTES, 1)
        parse_basic_offsets(file)
        for fragment in generate_fragments(file):
            out.write(fragment)
