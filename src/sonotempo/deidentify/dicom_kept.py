"""What a DICOM file keeps: numbers and fixed terms that an ultrasound image needs, nothing else.

The profile of PS3.15 removes what the standard lists as identifying. Vendors put names into other
attributes too (comments, labels, coded text, private groups), so what is not named here is dropped
after the profile was applied.
"""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from sonotempo.recording import Box

# PS3.3 C.7.6.5 (Cine), C.7.6.6 (Multi-frame), C.11.1, C.11.2 and C.7.6.3 (Image Pixel).
_NUMBERS = (
    "InstanceNumber",
    "SeriesNumber",
    "FrameTime",
    "FrameTimeVector",
    "CineRate",
    "RecommendedDisplayFrameRate",
    "EffectiveDuration",
    "FrameDelay",
    "StartTrim",
    "StopTrim",
    "PixelAspectRatio",
    "PixelSpacing",
    "WindowCenter",
    "WindowWidth",
    "RescaleIntercept",
    "RescaleSlope",
    "LossyImageCompressionRatio",
)
_TERMS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "Modality": frozenset({"US", "IVUS", "OT"}),
        "Laterality": frozenset({"L", "R"}),
        "LossyImageCompression": frozenset({"00", "01"}),
        "VOILUTFunction": frozenset({"LINEAR", "LINEAR_EXACT", "SIGMOID"}),
    }
)
_UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_INCREMENTS = frozenset({Tag("FrameTime"), Tag("FrameTimeVector")})
# PS3.3 C.8.5.5 (US Region Calibration).
_CORNERS = ("MinY0", "MinX0", "MaxY1", "MaxX1")
_REGION_NUMBERS = (
    "RegionSpatialFormat",
    "RegionDataType",
    "RegionFlags",
    "PhysicalUnitsXDirection",
    "PhysicalUnitsYDirection",
    "PhysicalDeltaX",
    "PhysicalDeltaY",
    "ReferencePixelPhysicalValueX",
    "ReferencePixelPhysicalValueY",
    "TransducerFrequency",
    "PulseRepetitionFrequency",
    "DopplerCorrectionAngle",
    "SteeringAngle",
)


def kept(header: Dataset) -> Dataset:
    """Return a new header with the numbers, fixed terms and UIDs that are kept, values checked."""
    out = Dataset()
    _copy_numbers(header, out, _NUMBERS)
    for keyword, terms in _TERMS.items():
        if str(_value(header, keyword) or "") in terms:
            setattr(out, keyword, str(header[keyword].value))
    for keyword in _UIDS:
        if _value(header, keyword):
            setattr(out, keyword, str(header[keyword].value))
    pointer = _value(header, "FrameIncrementPointer")
    pointers = list(pointer) if isinstance(pointer, (list, MultiValue)) else [pointer]
    if pointer is not None and all(one in _INCREMENTS for one in pointers):
        out.FrameIncrementPointer = pointers if len(pointers) > 1 else pointers[0]
    return out


def cropped_regions(header: Dataset, box: Box) -> list[Dataset]:
    """Return the regions of a header that a box holds, in its pixels.

    A region's reference pixel counts from the region's corner, so it moves with that corner.
    """
    items = []
    for item in _value(header, "SequenceOfUltrasoundRegions") or ():
        corners = [_value(item, f"RegionLocation{name}") for name in _CORNERS]
        if not all(isinstance(corner, int) for corner in corners):
            continue
        top, left, bottom, right = corners
        new_top, new_left = max(top, box.top), max(left, box.left)
        new_bottom, new_right = min(bottom, box.bottom - 1), min(right, box.right - 1)
        if new_top >= new_bottom or new_left >= new_right:
            continue
        made = Dataset()
        _copy_numbers(item, made, _REGION_NUMBERS)
        made.RegionLocationMinX0 = new_left - box.left
        made.RegionLocationMinY0 = new_top - box.top
        made.RegionLocationMaxX1 = new_right - box.left
        made.RegionLocationMaxY1 = new_bottom - box.top
        for axis, moved in (("X", new_left - left), ("Y", new_top - top)):
            reference = _value(item, f"ReferencePixel{axis}0")
            if isinstance(reference, int):
                setattr(made, f"ReferencePixel{axis}0", reference - moved)
        items.append(made)
    return items


def _value(header: Dataset, keyword: str) -> Any:
    """Return a value, or None where it is missing, empty or not what its type says."""
    try:
        value = header[keyword].value if keyword in header else None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, NotImplementedError):
        return None
    return None if value == "" else value


def _copy_numbers(source: Dataset, target: Dataset, keywords: Iterable[str]) -> None:
    for keyword in keywords:
        value = _value(source, keyword)
        if value is None:
            continue
        several = list(value) if isinstance(value, (list, MultiValue)) else [value]
        try:
            numbers = [_number(one) for one in several]
        except (ValueError, TypeError, OverflowError):
            continue
        tag = tag_for_keyword(keyword)
        assert tag is not None  # the names above are the dictionary's
        vr = source[keyword].VR
        if vr in ("DS", "IS"):
            words = [_decimal(number) for number in numbers]
            target.add(DataElement(tag, vr, words if len(words) > 1 else words[0]))
        elif vr in ("US", "UL", "SL", "SS", "FD", "FL"):
            target.add(DataElement(tag, vr, numbers if len(numbers) > 1 else numbers[0]))


def _number(value: object) -> int | float:
    if isinstance(value, int):
        return int(value)
    number = float(str(value))
    if not math.isfinite(number):
        raise ValueError(number)
    return number


def _decimal(number: float) -> str:
    """Return a number in the 16 characters that DICOM allows.

    >>> _decimal(40), _decimal(1 / 3)
    ('40', '0.33333333333333')
    """
    if isinstance(number, int) or (number.is_integer() and abs(number) < 1e9):
        return str(int(number))
    return next(text for digits in range(15, 0, -1) if len(text := f"{number:.{digits}g}") <= 16)
