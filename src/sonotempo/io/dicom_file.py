"""A DICOM file as pydicom reads it, without allocating more than the file holds."""

import io
import os
from pathlib import Path

from sonotempo.errors import RecordingError

_SMALL_BYTES = 1 << 16


class DicomFile(io.BufferedReader):
    """An open file whose elements cannot announce more than is left of it.

    pydicom reads the rest of a file in one piece only to inflate it, however large that becomes;
    such files are refused.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._path = path
        self._end = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most so many bytes.

        Raises:
            RecordingError: all of the rest is asked for.
        """
        if size is None or size < 0:
            raise RecordingError(
                f"{self._path} is a deflated DICOM file, whose frames cannot be read one by one; "
                "rewrite it uncompressed, for example with 'gdcmconv --raw'"
            )
        if size > _SMALL_BYTES:
            size = min(size, max(0, self._end - self.tell()))
        return super().read(size)
