"""Recordings stored as one file per frame: their files, and lazy reading."""

from collections.abc import Callable, Sequence
from pathlib import Path

from sonotempo.errors import RecordingError
from sonotempo.io.formats import IMAGES
from sonotempo.recording import Image


class FrameFiles:
    """The frames of a recording, one file each, read on demand.

    Args:
        paths: the files in temporal order.
        read: reads one file as uint8 HW.
    """

    __slots__ = ("_paths", "_read")

    def __init__(self, paths: Sequence[Path], read: Callable[[Path], Image]) -> None:
        self._paths = tuple(paths)
        self._read = read

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int, /) -> Image:
        return self._read(self._paths[index])


def listing(folder: Path) -> list[Path]:
    """Return the content of a folder sorted by name, without hidden files.

    Raises:
        RecordingError: the folder cannot be read.
    """
    try:
        shown = (path for path in folder.iterdir() if not path.name.startswith("."))
        return sorted(shown, key=lambda path: path.name)  # much faster than comparing paths
    except OSError as error:
        raise RecordingError(
            f"{folder} cannot be read: {error.strerror or error}; check its permissions"
        ) from error


def image_files(folder: Path) -> list[Path]:
    """Return the image files directly in a folder, sorted by name.

    Raises:
        RecordingError: the folder cannot be read.
    """
    return [path for path in listing(folder) if IMAGES.matches(path) and path.is_file()]
