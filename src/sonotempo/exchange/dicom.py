"""A data set as DICOM: multi-frame secondary captures with the structures outlined in the pixels.

Source: DICOM PS3.3 A.8.3 and A.8.5 (Multi-frame Grayscale Byte and True Color Secondary Capture)
and C.7.6.5 (Cine). It is for viewers; masks cannot be read back. DICOM Segmentation would hold
them, but its frames are placed in a frame of reference, which ultrasound cines do not have:
without one, highdicom, the library for it, takes single frames only
(https://github.com/ImagingDataCommons/highdicom/issues/284).
"""

import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    generate_uid,
)

from sonotempo import __version__
from sonotempo.errors import RecordingError
from sonotempo.exchange.outgoing import Outgoing
from sonotempo.exchange.targets import Export
from sonotempo.live.overlay import outlined
from sonotempo.structures import StructureSet

# One value of a data element holds at most so many bytes.
_MOST_BYTES = 2**32 - 2


def write_dicom(what: Export) -> None:
    """Write ``<subject>/<recording>.dcm``: grey if no frame has a mask, otherwise in colour.

    Pixels pass through a temporary file, so that a long recording does not fill the memory.
    """
    studies: dict[str, UID] = {}
    for number, entry in enumerate(what.entries, start=1):
        study = studies.setdefault(entry.subject, generate_uid())
        in_colour = any(index in entry.recording.mask_readers for index in entry.indices)
        with tempfile.TemporaryFile() as pixels:
            shape_HW = (0, 0)
            for frame in entry.same_size_frames():
                shape_HW = frame.image_HW.shape[0], frame.image_HW.shape[1]
                picture = frame.image_HW
                if in_colour:
                    mask_HW = np.zeros_like(picture) if frame.mask_HW is None else frame.mask_HW
                    picture = outlined(picture, mask_HW, what.structures)
                pixels.write(picture.tobytes())
                what.on_frame()
            count = pixels.tell()
            if count % 2:
                pixels.write(b"\0")
            _check_size(entry, count)
            pixels.seek(0)
            data = _data(entry, shape_HW, in_colour, what.structures)
            data.StudyInstanceUID, data.SeriesNumber = study, number
            data.PixelData = pixels
            data["PixelData"].VR = "OB"
            _save(data, entry.file(what.folder, ".dcm"))


def _save(data: Dataset, path: Path) -> None:
    with path.open("wb") as file:
        data.save_as(file, enforce_file_format=True)


def _check_size(entry: Outgoing, count: int) -> None:
    if count > _MOST_BYTES:
        raise RecordingError(
            f"{entry.recording.source} has {count / 2**30:.1f} GiB of pixels with its outlines, "
            "and a DICOM file holds 4; leave out --all-frames, or split the recording"
        )


def _data(
    entry: Outgoing, shape_HW: tuple[int, int], in_colour: bool, structures: StructureSet
) -> Dataset:
    """Return everything but the pixels; nothing names the patient or a date."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = (
        MultiFrameTrueColorSecondaryCaptureImageStorage
        if in_colour
        else MultiFrameGrayscaleByteSecondaryCaptureImageStorage
    )
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = Dataset()
    data.file_meta = meta
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    for keyword in (
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "ReferringPhysicianName"),
        *("StudyID", "StudyDate", "StudyTime", "AccessionNumber", "Laterality"),
        "PatientOrientation",
    ):
        setattr(data, keyword, "")
    data.SeriesInstanceUID = generate_uid()
    data.SeriesDescription = "Frames, structures outlined" if in_colour else "Frames"
    if in_colour:
        data.ImageComments = f"Outlined: {', '.join(structures.names)}"
    data.Modality, data.ConversionType = "US", "WSD"
    data.Manufacturer = "sonotempo"
    data.SoftwareVersions = __version__
    data.InstanceNumber = 1
    # Unknown: what a scanner wrote into its pixels is still there.
    data.BurnedInAnnotation = "YES"
    data.Rows, data.Columns = shape_HW
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.SamplesPerPixel = 3 if in_colour else 1
    data.PhotometricInterpretation = "RGB" if in_colour else "MONOCHROME2"
    if in_colour:
        data.PlanarConfiguration = 0
    else:
        data.PresentationLUTShape = "IDENTITY"
        data.RescaleIntercept, data.RescaleSlope, data.RescaleType = 0, 1, "US"
    _add_scale(data, entry)
    _add_times(data, entry)
    return data


def _add_scale(data: Dataset, entry: Outgoing) -> None:
    if entry.spacing_mm is not None:
        data.PixelSpacing = [f"{mm:.10g}" for mm in entry.spacing_mm]
    elif entry.recording.pixel_aspect != 1:
        ratio = Fraction(entry.recording.pixel_aspect).limit_denominator(1000)
        data.PixelAspectRatio = [ratio.numerator, ratio.denominator]


def _add_times(data: Dataset, entry: Outgoing) -> None:
    """Say when each frame was taken; if that is unknown, number the frames instead."""
    data.NumberOfFrames = len(entry.indices)
    times_ns = entry.timestamps_ns
    if len(entry.indices) == 1 or times_ns is None:
        data.PageNumberVector = entry.frame_numbers
        data.FrameIncrementPointer = Tag("PageNumberVector")
        return
    pauses_ms = np.diff(times_ns) / 1e6
    if np.ptp(pauses_ms) < 1e-6:
        data.FrameTime = f"{pauses_ms[0]:.10g}"
        data.FrameIncrementPointer = Tag("FrameTime")
    else:
        data.FrameTimeVector = ["0", *(f"{pause_ms:.10g}" for pause_ms in pauses_ms)]
        data.FrameIncrementPointer = Tag("FrameTimeVector")
