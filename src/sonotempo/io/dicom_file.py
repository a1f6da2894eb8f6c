"""A DICOM file as pydicom reads it, without unpacking it as a whole."""

from pathlib import Path

from sonotempo.errors import RecordingError
from sonotempo.io.bounded_file import BoundedFile


class DicomFile(BoundedFile):
    """An open file that cannot be inflated.

    pydicom reads the rest of a file in one piece only to inflate it, however large that becomes.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._path = path

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
        return super().read(size)
