"""The frames of one DICOM file, located by offset and decoded on demand.

pydicom decodes the pixels, with its own RLE decoder, Pillow (JPEG, JPEG 2000), pyjpegls (JPEG-LS)
and python-gdcm (lossless JPEG, and JPEG of 12 bits). gdcm aborts on some damaged files, so it runs
in another process.
"""

import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import JPEGExtended12Bit

from sonotempo.errors import RecordingError
from sonotempo.guard import guarded
from sonotempo.io.code_stream import code_stream_size
from sonotempo.io.dicom_file import DicomFile
from sonotempo.io.dicom_pixels import ToGrey
from sonotempo.io.separate_decoder import SEPARATE
from sonotempo.recording import Image

#: What the user does with a damaged file.
REMEDY = "copy or export the file again"

_GDCM = "gdcm"


@dataclass(frozen=True, slots=True)
class StoredFrames:
    """Where the frames of a file are.

    Attributes:
        count: how many there are.
        offsets: start and length of each compressed frame, which save pydicom a walk through the
            file for every frame; None to let pydicom find them.
        code_streams: offset of each JPEG or JPEG 2000 image in the file; none in other files.
    """

    count: int
    offsets: tuple[list[int], list[int]] | None = None
    code_streams: tuple[int, ...] = ()


class DicomFrames:
    """The frames of one file; threads take turns.

    Args:
        path: the file.
        header: everything before the pixels.
        stored: where they are.
        to_grey: turns decoded pixels into grey.
    """

    def __init__(self, path: Path, header: Dataset, stored: StoredFrames, to_grey: ToGrey) -> None:
        self._path = path
        self._stored = stored
        self._to_grey = to_grey
        self._shape_HW = int(header.Rows), int(header.Columns)
        self._plugin = _plugin(header)
        # pydicom's table of decoders is not documented as thread-safe.
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._stored.count

    def __getitem__(self, index: int, /) -> Image:
        with (
            self._lock,
            guarded(f"frame {index} of {self._path} cannot be decoded", REMEDY, RecordingError),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", UserWarning)  # odd but readable
            self._check_size(index)
            pixels = self._decoded(index)
        return self._to_grey(pixels)

    def _check_size(self, index: int) -> None:
        """Refuse a compressed frame whose size is not the header's, before it is decoded."""
        begins = self._stored.code_streams
        if len(begins) == len(self):
            begins = begins[index : index + 1]
        with self._path.open("rb") as file:
            for begin in begins:
                size_HW = code_stream_size(file, begin)
                if size_HW == self._shape_HW:
                    continue
                found = "has no size" if size_HW is None else f"has {size_HW[0]}x{size_HW[1]}"
                raise RecordingError(
                    f"frame {index} of {self._path} {found}, but the header announces "
                    f"{self._shape_HW[0]}x{self._shape_HW[1]} pixels (rows x columns); {REMEDY}"
                )

    def _decoded(self, index: int) -> NDArray[Any]:
        # The number is given because the file's own may be missing.
        options: dict[str, Any] = {"number_of_frames": len(self)}
        offsets = self._stored.offsets
        if self._plugin == _GDCM:
            if offsets is not None:  # of this frame alone: they go through a pipe
                one = [offsets[0][index]], [offsets[1][index]]
                options, index = {"number_of_frames": 1, "extended_offsets": one}, 0
            return SEPARATE.decode(self._path, index, options)
        if offsets is not None:
            options["extended_offsets"] = offsets
        with DicomFile(self._path) as file:
            decoded = pixel_array(file, index=index, decoding_plugin=self._plugin, **options)
        return np.asarray(decoded)


def _plugin(header: Dataset) -> str:
    """Return the name of the decoder: gdcm only where no other can; empty for none."""
    syntax = header.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return ""
    names: tuple[str, ...] = get_decoder(syntax).available_plugins
    others = [name for name in names if name != _GDCM]
    is_deep = syntax == JPEGExtended12Bit and header.BitsStored != 8  # not for Pillow
    return others[0] if others and not is_deep else names[0]
