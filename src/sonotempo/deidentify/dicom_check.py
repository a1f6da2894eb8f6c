"""Which DICOM files can be copied, and what their headers say about the picture."""

import struct
import warnings
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from sonotempo.deidentify.refused import RefusedError
from sonotempo.io.dicom_header import region
from sonotempo.recording import Box

#: Errors of pydicom and its plug-ins for files that are damaged or of an unknown kind.
UNREADABLE = (
    InvalidDicomError,
    MemoryError,
    OverflowError,
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

# Ultrasound Image and Multi-frame Image Storage, and their retired forms (PS3.4 B.5, PS3.6).
_ULTRASOUND = frozenset(f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("6", "6.1", "3", "3.1"))
_CURVES, _OVERLAYS = range(0x5000, 0x5100), range(0x6000, 0x6100)
_LUTS = ("VOILUTSequence", "ModalityLUTSequence")

_BYTE_BITS = 8


def check_dicom(path: Path) -> None:
    """Refuse what is no plain ultrasound image, by its header.

    Raises:
        RefusedError: another kind of object, or drawings, texts or documents besides the pixels.
    """
    try:
        _check(read_header(path), path)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def _check(header: Dataset, path: Path) -> None:
    if str(header.get("SOPClassUID", "")) not in _ULTRASOUND:
        name = getattr(header.get("SOPClassUID"), "name", "no SOP class")
        raise RefusedError(
            "not an ultrasound image",
            f"{path} holds no ultrasound image ({name}); only Ultrasound Image and Ultrasound "
            "Multi-frame Image Storage are copied",
        )
    groups = {tag >> 16 for tag in header.keys()}  # noqa: SIM118 (keys only: no value is read)
    if any(group in _CURVES or group in _OVERLAYS for group in groups) or any(
        keyword in header for keyword in ("EncapsulatedDocument", "WaveformSequence")
    ):
        raise RefusedError(
            "text, drawings or documents in the file",
            f"{path} holds overlays, curves, waveforms or a document besides its pixels; export "
            "it without them",
        )
    bits = int(header.get("BitsStored") or 0)
    if header.get("HighBit", bits - 1) != bits - 1 or (
        bits > _BYTE_BITS and any(keyword in header for keyword in _LUTS)
    ):
        raise RefusedError(
            "cannot be read",
            f"{path} stores its grey levels in an unusual way (HighBit {header.get('HighBit')} of "
            f"{bits} bits, or a look-up table); export it with 8 bits per pixel",
        )
    syntax = header.file_meta.TransferSyntaxUID
    if header.get("PhotometricInterpretation") == "PALETTE COLOR" and not syntax.is_little_endian:
        raise RefusedError(
            "cannot be read",
            f"{path} holds a palette in big-endian order; rewrite it as Explicit VR Little Endian",
        )


def stored_area(path: Path) -> Box | None:
    """Return the largest region of tissue that a file's header names, if its place is certain.

    A region that is the whole image says nothing about text in it, unless the file says that there
    is none.

    Raises:
        RefusedError: the header cannot be read.
    """
    header = read_header(path)
    area = tissue(header)
    is_whole = area is not None and area.shape == (int(header.Rows), int(header.Columns))
    return None if is_whole and header.get("BurnedInAnnotation") != "NO" else area


def patient_id(path: Path) -> str | None:
    """Return PatientID, or None where it is missing or the file cannot be read."""
    try:
        return str(read_header(path).get("PatientID") or "").strip() or None
    except (RefusedError, *UNREADABLE):
        return None


def tissue(header: Dataset) -> Box | None:
    """Return the region of tissue, if it lies within the image."""
    try:
        found = region(header)
    except UNREADABLE:
        return None
    return found.area if found.fits else None


def read_header(path: Path) -> Dataset:
    """Read all elements before the pixels; what follows them is never read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return dcmread(path, stop_before_pixels=True)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> RefusedError:
    why = " ".join(str(error).split()) or type(error).__name__
    return RefusedError("cannot be read", f"{path} cannot be read as DICOM: {why}")
