"""Recordings stored as one file per frame: their order, frame numbers and lazy reading."""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import RecordingError
from sonotempo.io.formats import IMAGES
from sonotempo.recording import Image

# At most 18 digits: anything longer (a date with time and serial number) exceeds int64.
_TRAILING_NUMBER = re.compile(r"(?<!\d)\d{1,18}$")
_DIGITS = re.compile(r"(\d+)")


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


def frame_number(path: Path) -> int | None:
    """Return the number at the end of a file's name, or None.

    >>> frame_number(Path("US-2D_017.mhd"))
    17
    >>> frame_number(Path("still.png")) is None
    True
    """
    found = _TRAILING_NUMBER.search(path.stem)
    return int(found.group()) if found else None


def in_order(paths: Iterable[Path]) -> tuple[tuple[Path, ...], NDArray[np.int64]]:
    """Sort the files of one recording by time and return them with their frame numbers.

    If every name ends in a number, that number is the frame number; otherwise the files are sorted
    by name (``b2`` before ``b10``) and numbered from 0.

    Raises:
        RecordingError: two files have the same number, so they belong to two recordings.
    """
    files = list(paths)
    numbered = [(number, path) for path in files if (number := frame_number(path)) is not None]
    if len(numbered) < len(files):
        by_name = sorted(files, key=lambda path: _natural(path.name))
        return tuple(by_name), np.arange(len(files), dtype=np.int64)
    numbered.sort(key=lambda pair: (pair[0], pair[1].name))
    for (number, path), (following, other) in pairwise(numbered):
        if number == following:
            raise RecordingError(
                f"{path} and {other.name} both have the frame number {number}; move the files of "
                "each recording into a separate folder"
            )
    return (
        tuple(path for _, path in numbered),
        np.array([number for number, _ in numbered], np.int64),
    )


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


def _natural(name: str) -> list[int | str]:
    # Texts and numbers alternate, so equal positions can always be compared.
    return [int(part) if part.isdecimal() else part for part in _DIGITS.split(name)]
