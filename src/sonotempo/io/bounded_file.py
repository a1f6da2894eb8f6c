"""A file whose reads never allocate more than is left of it, whatever a header announces."""

import io
import os
from pathlib import Path

_SMALL_BYTES = 1 << 16


class BoundedFile(io.BufferedReader):
    """An open file; a read of gigabytes from a small file needs no memory.

    Python allocates what is asked for before it reads.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._end = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most so many bytes; all of the rest if the number is negative or None."""
        if size is not None and size > _SMALL_BYTES:
            size = min(size, max(0, self._end - self.tell()))
        return super().read(size)
