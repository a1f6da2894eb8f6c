"""A DICOM file without identity: the standard's profile, cropped pixels, and known fields only."""

import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.pixels import apply_color_lut, iter_pixels
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from sonotempo import __version__
from sonotempo.deidentify.dicom_check import UNREADABLE, read_header, tissue
from sonotempo.deidentify.dicom_kept import cropped_regions, kept
from sonotempo.deidentify.profile import EDITION, Profile
from sonotempo.deidentify.refused import RefusedError
from sonotempo.folders import whole_file
from sonotempo.io.dicom_video import is_video
from sonotempo.recording import Box, Image, Recording

_LOSSLESS = (RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLossless, JPEGLosslessSV1)
_BYTE_BITS = 8
_LONGEST_TEXT = 64  # of a value of type LO
# What PS3.3 wants to be there, empty where it is unknown (type 2).
_MAY_BE_EMPTY = (
    *("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber"),
    *("ReferringPhysicianName", "Manufacturer", "SeriesNumber", "InstanceNumber"),
    "PatientOrientation",
)
# PS3.16 CID 7050.
_METHODS = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113101", "Clean Pixel Data Option"),
)
_METHOD_OF_TIME = (
    "113107",
    "Retain Longitudinal Temporal Information Modified Dates Option",
)


@dataclass(frozen=True, slots=True)
class Removed:
    """What happened to the attributes of a file, by the standard's names.

    Attributes:
        removed: names of attributes that are gone.
        replaced: names of attributes that hold another value.
        private: how many private attributes are gone.
    """

    removed: tuple[str, ...]
    replaced: tuple[str, ...]
    private: int


def write_dicom(
    recording: Recording,
    target: Path,
    box: Box,
    *,
    subject: str,
    profile: Profile,
    time_s: float | None = None,
) -> Removed:
    """Write a new file of a DICOM recording of one file: cropped, uncompressed, without identity.

    Args:
        recording: as :func:`sonotempo.io.dicom.open_dicom` opened it.
        target: the new file.
        box: the pixels to keep.
        subject: the new name.
        profile: removes and replaces.
        time_s: of a file of a cine: its time from the first one.

    Raises:
        RefusedError: the pixels cannot be decoded.
        OSError: the disk refuses.
    """
    path = recording.files[0]
    header = read_header(path)
    has_regions = tissue(header) is not None
    before = {element.tag: element for element in header}
    private = sum(element.tag.is_private for element in before.values())
    profile.apply(header)
    out = kept(header)
    regions = cropped_regions(header, box) if has_regions else []
    if regions:
        out.SequenceOfUltrasoundRegions = regions
    _describe(out, header, subject)
    if time_s is not None:
        _place_in_time(out, time_s)
    with tempfile.TemporaryFile() as pixels:
        _copy_pixels(recording, box, out, pixels)
        out.file_meta = FileMetaDataset()
        out.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        with whole_file(target) as draft:
            out.save_as(draft, enforce_file_format=True)
    names = {tag: before[tag].keyword or str(tag) for tag in before if not tag.is_private}
    return Removed(
        tuple(sorted(name for tag, name in names.items() if tag not in out)),
        tuple(
            sorted(
                name
                for tag, name in names.items()
                if tag in out and tag >> 16 != 0x0028 and out[tag].value != before[tag].value
            )
        ),
        private,
    )


def _describe(out: Dataset, header: Dataset, subject: str) -> None:
    """Add who it now is, and what was done."""
    for keyword in _MAY_BE_EMPTY:
        if keyword not in out:
            setattr(out, keyword, None)
    out.PatientName = out.PatientID = subject
    out.SOPClassUID = header.SOPClassUID
    out.setdefault("Modality", "US")
    out.ImageType = ["DERIVED", "PRIMARY"]
    out.PatientIdentityRemoved = "YES"
    out.DeidentificationMethod = [
        f"sonotempo {__version__}"[:_LONGEST_TEXT],
        f"DICOM PS3.15 {EDITION} basic profile, known fields only, cropped",
    ]
    out.DeidentificationMethodCodeSequence = [_code(*one) for one in _METHODS]
    out.LongitudinalTemporalInformationModified = "REMOVED"
    out.BurnedInAnnotation = "NO"
    syntax = header.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated and syntax not in _LOSSLESS:
        out.LossyImageCompression = "01"


def _place_in_time(out: Dataset, time_s: float) -> None:
    """Keep the time within a cine, as the time of day of a day that is not known."""
    minutes, seconds = divmod(time_s, 60)
    out.ContentTime = f"{int(minutes) // 60 % 24:02d}{int(minutes) % 60:02d}{seconds:09.6f}"
    out.LongitudinalTemporalInformationModified = "MODIFIED"
    out.DeidentificationMethodCodeSequence.append(_code(*_METHOD_OF_TIME))


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code


def _copy_pixels(recording: Recording, box: Box, out: Dataset, file: IO[bytes]) -> None:
    """Append the cropped frames to a file, which becomes the pixel data."""
    dtype, samples = np.dtype(np.uint8), 1
    for frame in _frames(recording):
        cropped = np.ascontiguousarray(frame[box.top : box.bottom, box.left : box.right])
        dtype, samples = cropped.dtype, 3 if cropped.ndim == 3 else 1
        file.write(cropped.tobytes())
    if file.tell() % 2:
        file.write(b"\0")
    file.seek(0)
    header = read_header(recording.files[0])
    out.Rows, out.Columns = box.shape
    out.SamplesPerPixel = samples
    inverted = header.get("PhotometricInterpretation") == "MONOCHROME1"
    grey = "MONOCHROME1" if inverted else "MONOCHROME2"
    out.PhotometricInterpretation = "RGB" if samples == 3 else grey
    if samples == 3:
        out.PlanarConfiguration = 0
    out.BitsAllocated = dtype.itemsize * _BYTE_BITS
    out.BitsStored = int(header.BitsStored) if dtype.itemsize > 1 else _BYTE_BITS
    out.HighBit = out.BitsStored - 1
    out.PixelRepresentation = 0
    if len(recording) > 1:
        out.NumberOfFrames = len(recording)
    out.add_new("PixelData", "OW" if dtype.itemsize > 1 else "OB", file)


def _frames(recording: Recording) -> Iterator[NDArray[Any]]:
    """Yield the frames as stored, colours as RGB; those of a video stream in grey."""
    path = recording.files[0]
    header = read_header(path)
    if is_video(header):
        for index in range(len(recording)):
            image_HW: Image = recording.images[index]
            yield image_HW
        return
    has_palette = header.get("PhotometricInterpretation") == "PALETTE COLOR"
    # Older files keep overlays in the bits that pixels do not use.
    used = (1 << int(header.BitsStored)) - 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            for frame in iter_pixels(path, number_of_frames=len(recording)):
                pixels = frame & frame.dtype.type(used)
                if has_palette:
                    pixels = apply_color_lut(pixels, header)
                    # Entries of 16 bits hold intensities in the upper byte (PS3.3 C.7.6.3.1.6).
                    pixels = pixels >> 8 if pixels.max() > 255 else pixels
                    pixels = pixels.astype(np.uint8)
                yield pixels
    except UNREADABLE as error:
        raise RefusedError(
            "cannot be read",
            f"the pixels of {path} cannot be decoded: {' '.join(str(error).split())}",
        ) from error
