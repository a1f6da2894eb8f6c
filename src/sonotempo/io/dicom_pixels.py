"""From stored DICOM values to 8-bit grey: palettes, windows, inverted grey."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.uid import ExplicitVRLittleEndian

from sonotempo.errors import RecordingError
from sonotempo.io.grey import grey
from sonotempo.recording import Image

_WHITE = 255
_COLOURS = ("Red", "Green", "Blue")


class ToGrey:
    """Turns decoded pixels of one file into uint8 grey.

    Values of 8 bits are grey as they are, whatever window the file suggests. Values of more bits
    are shown through the file's window or VOI look-up table (PS3.3 C.11.2). Without one, 9 to 15
    stored bits are taken as the whole range; with 16 the white level is unknown.

    Raises:
        RecordingError: grey of 16 bits without a window.
    """

    def __init__(self, header: Dataset, path: Path) -> None:
        self._header = header
        self._path = path
        self._photometric = str(header.PhotometricInterpretation)
        self._grey_of = _palette(header, path) if self._photometric == "PALETTE COLOR" else None
        is_deep = self._grey_of is None and header.BitsStored > 8
        has_window = header.SamplesPerPixel == 1 and _has_window(header)
        # 16 is what writers put who do not know: fewer are a statement.
        if is_deep and not has_window and header.BitsStored == 16:
            raise RecordingError(
                f"{path} holds pixels of {header.BitsStored} bits without a window, so its white "
                "level is unknown; export it with 8 bits per pixel"
            )
        self._range = _window_range(header) if is_deep and has_window else None
        self._shift = header.BitsStored - 8 if is_deep else 0

    def __call__(self, pixels: NDArray[Any]) -> Image:
        """Return uint8 HW of a decoded frame."""
        if self._grey_of is not None:
            shown_HW: Image = self._grey_of[pixels]
            return shown_HW
        if self._range is not None:
            low, high = self._range
            shown = apply_voi_lut(apply_modality_lut(pixels, self._header), self._header)
            share = (shown.astype(np.float64) - low) / (high - low)
            pixels = np.rint(np.clip(share, 0, 1) * _WHITE)
        elif self._shift:
            pixels = pixels >> self._shift
        image_HW = grey(pixels.astype(np.uint8), self._path)
        return _WHITE - image_HW if self._photometric == "MONOCHROME1" else image_HW


def _has_window(header: Dataset) -> bool:
    has_linear = header.get("WindowCenter") is not None and header.get("WindowWidth") is not None
    return has_linear or bool(header.get("VOILUTSequence"))


def _window_range(header: Dataset) -> tuple[float, float]:
    """Return what black and white become after the window."""
    if header.get("VOILUTSequence"):
        bits = int(header.VOILUTSequence[0].LUTDescriptor[2])
        return 0.0, float(2**bits - 1)
    # Far outside any window.
    low, high = apply_voi_lut(np.array([-1e12, 1e12]), header)
    return float(low), float(high)


def _palette(header: Dataset, path: Path) -> NDArray[np.uint8]:
    """Return the grey of every stored value."""
    tables = Dataset()
    tables.file_meta = FileMetaDataset()
    # pydicom's look-up takes tables in the processor's byte order, not in the file's.
    tables.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    is_big = not header.file_meta.TransferSyntaxUID.is_little_endian
    for colour in _COLOURS:
        keyword = f"{colour}PaletteColorLookupTableDescriptor"
        setattr(tables, keyword, header[keyword].value)
        for keyword in (
            f"{colour}PaletteColorLookupTableData",
            f"Segmented{colour}PaletteColorLookupTableData",
        ):
            if keyword in header:
                words = np.frombuffer(bytes(header[keyword].value), ">u2" if is_big else "<u2")
                setattr(tables, keyword, words.astype("<u2").tobytes())
    values = np.arange(2 ** int(header.BitsAllocated), dtype=f"u{header.BitsAllocated // 8}")
    colours_1NC = apply_color_lut(values[None], tables)
    # Entries of 16 bits hold intensities in the upper byte (PS3.3 C.7.6.3.1.6); some writers use
    # the lower one only.
    if colours_1NC.max() > _WHITE:
        colours_1NC = colours_1NC >> 8
    greys: NDArray[np.uint8] = grey(colours_1NC.astype(np.uint8), path)[0]
    return greys
