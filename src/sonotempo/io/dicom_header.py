"""Region of tissue, spacing and time from a DICOM ultrasound header.

Sources: DICOM PS3.3 C.8.5.5 (Ultrasound Region Calibration) and C.7.6.5 (Cine).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from pydicom import Dataset

from sonotempo.recording import Box, Spacing

_TWO_DIMENSIONAL = 1  # Region Spatial Format
_TISSUE = 1  # Region Data Type
_CENTIMETRES = 3  # Physical Units
_MM_A_CM = 10.0


@dataclass(frozen=True, slots=True)
class Region:
    """The part of the image that shows tissue, and its millimetres per pixel as (row, column)."""

    area: Box | None
    spacing_mm: Spacing | None


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
    return Region(area, _region_spacing(item) if fits else None)


def frame_times_ns(header: Dataset, frames: int) -> list[int] | None:
    """Return the frames' times in nanoseconds from the first one, or None if unknown."""
    increments_ms = [float(value) for value in _several(header.get("FrameTimeVector"))]
    if len(increments_ms) == frames > 1:
        times_ms = list(accumulate(increments_ms))
        return [round((time_ms - times_ms[0]) * 1e6) for time_ms in times_ms]
    period_ms = _period_ms(header)
    return None if period_ms is None else [round(i * period_ms * 1e6) for i in range(frames)]


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
