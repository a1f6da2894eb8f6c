"""Region of tissue, spacing and time from a DICOM ultrasound header.

Sources: DICOM PS3.3 C.8.5.5 (Ultrasound Region Calibration) and C.7.6.5 (Cine).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from sonotempo.recording import Box, Spacing

_TWO_DIMENSIONAL = 1  # Region Spatial Format
_TISSUE = 1  # Region Data Type
_CENTIMETRES = 3  # Physical Units
_MM_A_CM = 10.0
_FRAME_TIME = int(Tag("FrameTime"))


@dataclass(frozen=True, slots=True)
class Region:
    """The part of the image that shows tissue, and its millimetres per pixel as (row, column).

    ``fits`` is False if the file's region extends beyond the image, so that its place is doubtful.
    """

    area: Box | None
    spacing_mm: Spacing | None
    fits: bool = True


def region(header: Dataset) -> Region:
    """Return the largest region of two-dimensional tissue and its spacing.

    Spacing is that of the region if given in centimetres, or PixelSpacing without such a region. A
    region that extends beyond the image is clipped to it, and its spacing is unknown: the file was
    cropped or resized after it was written, and the header does not record which.
    """
    shape_HW = int(header.Rows), int(header.Columns)
    inside = [pair for pair in _tissue(header) if pair[1].top < shape_HW[0]]
    inside = [pair for pair in inside if pair[1].left < shape_HW[1]]
    if not inside:
        return Region(None, _pixel_spacing(header))
    item, box = max(inside, key=lambda pair: pair[1].shape[0] * pair[1].shape[1])
    area = box.clamped(shape_HW)
    # Some scanners write a corner one pixel too far; that does not indicate a resized image.
    fits = box.bottom <= shape_HW[0] + 1 and box.right <= shape_HW[1] + 1
    return Region(area, _region_spacing(item) if fits else None, fits)


def pixel_aspect(header: Dataset) -> float:
    """Return the height of a pixel divided by its width (Pixel Aspect Ratio); 1 if not given."""
    ratio = _several(header.get("PixelAspectRatio"))
    return ratio[0] / ratio[1] if len(ratio) == 2 and min(ratio) > 0 else 1.0


def frame_times_ns(header: Dataset, frames: int) -> list[int] | None:
    """Return the frames' times in nanoseconds from the first one, or None if unknown.

    FrameIncrementPointer decides between a period and a vector if the header holds both. A vector
    holds the increment before each frame, the first of which means nothing (PS3.3 C.7.6.5.1.2);
    some writers leave it out.
    """
    times_ms = None
    if _named_increment(header) != _FRAME_TIME or not header.get("FrameTime"):
        times_ms = _times_of_vector_ms(header, frames)
    if times_ms is None:
        period_ms = _period_ms(header)
        times_ms = None if period_ms is None else [i * period_ms for i in range(frames)]
    return None if times_ms is None else [round(time_ms * 1e6) for time_ms in times_ms]


def _named_increment(header: Dataset) -> int | None:
    pointer = header.get("FrameIncrementPointer")
    if isinstance(pointer, (list, tuple, MultiValue)):
        pointer = pointer[0] if pointer else None
    return None if pointer is None or pointer == "" else int(pointer)


def _times_of_vector_ms(header: Dataset, frames: int) -> list[float] | None:
    increments_ms = _several(header.get("FrameTimeVector"))
    if frames < 2 or len(increments_ms) < frames - 1:
        return None
    if len(increments_ms) >= frames:
        increments_ms = increments_ms[1:frames]
    elif increments_ms[0] <= 0:  # the first one is there, so another is missing
        return None
    return [0.0, *accumulate(increments_ms)] if any(increments_ms) else None


def _tissue(header: Dataset) -> Iterator[tuple[Dataset, Box]]:
    for item in header.get("SequenceOfUltrasoundRegions") or ():
        kind = item.get("RegionSpatialFormat"), item.get("RegionDataType")
        corners = [
            item.get(f"RegionLocation{corner}") for corner in ("MinY0", "MinX0", "MaxY1", "MaxX1")
        ]
        if kind != (_TWO_DIMENSIONAL, _TISSUE) or None in corners:
            continue
        top, left, bottom, right = (max(int(corner), 0) for corner in corners)
        if top < bottom and left < right:
            yield item, Box(top, left, bottom + 1, right + 1)  # corners are the last pixels


def _region_spacing(item: Dataset) -> Spacing | None:
    units = item.get("PhysicalUnitsYDirection"), item.get("PhysicalUnitsXDirection")
    row = abs(float(item.get("PhysicalDeltaY") or 0)) * _MM_A_CM
    column = abs(float(item.get("PhysicalDeltaX") or 0)) * _MM_A_CM
    known = units == (_CENTIMETRES, _CENTIMETRES) and row > 0 and column > 0
    return (row, column) if known else None


def _pixel_spacing(header: Dataset) -> Spacing | None:
    values = [float(value) for value in _several(header.get("PixelSpacing"))]
    return (values[0], values[1]) if len(values) == 2 and min(values) > 0 else None


def _period_ms(header: Dataset) -> float | None:
    period_ms = float(header.get("FrameTime") or 0)
    if period_ms > 0:
        return period_ms
    for keyword in ("CineRate", "RecommendedDisplayFrameRate"):
        rate_hz = float(header.get(keyword) or 0)
        if rate_hz > 0:
            return 1000.0 / rate_hz
    return None


def _several(value: object) -> list[float]:
    """Return a value that may be absent, single or multiple as a list."""
    if value is None or value == "":
        return []
    return [float(v) for v in value] if hasattr(value, "__iter__") else [float(str(value))]
