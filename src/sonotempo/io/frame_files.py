"""Recordings stored as one file per frame: their files, and lazy reading."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sonotempo.errors import RecordingError
from sonotempo.io.containment import Inside, real_path
from sonotempo.io.formats import IMAGES
from sonotempo.io.skipped import Skipped
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


def listing(folder: Path, inside: Inside | None = None) -> list[Path]:
    """Return the content of a folder sorted by name, without hidden files.

    Args:
        folder: to list.
        inside: leaves out links that lead elsewhere; None keeps all.

    Raises:
        RecordingError: the folder cannot be read.
    """
    try:
        shown = (path for path in folder.iterdir() if not path.name.startswith("."))
        entries = sorted(shown, key=lambda path: path.name)  # much faster than comparing paths
    except OSError as error:
        raise RecordingError(
            f"{folder} cannot be read: {error.strerror or error}; check its permissions"
        ) from error
    return entries if inside is None else [path for path in entries if inside.holds_entry(path)]


def folders_in(
    root: Path, inside: Inside, unreadable: list[Skipped] | None = None
) -> Iterator[Path]:
    """Yield a folder and all folders below it, in order; each once, whatever links lead to it.

    Links are followed last, so that a folder is found where it is, and not where a link is.

    Args:
        root: where to begin.
        inside: leaves out links that lead elsewhere.
        unreadable: gets the folders that cannot be listed, which are not yielded.

    Raises:
        RecordingError: the root cannot be read.
    """
    seen: set[Path] = set()
    waiting, links = [root], list[Path]()
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop(0)
        real = real_path(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            inner = [path for path in listing(folder, inside) if path.is_dir()]
        except RecordingError as error:
            if folder == root:
                raise
            if unreadable is not None:
                unreadable.append(Skipped(folder, str(error)))
            continue
        yield folder
        links += [path for path in inner if path.is_symlink()]
        waiting += [path for path in reversed(inner) if not path.is_symlink()]


def out_of_reach(root: Path, inside: Inside) -> list[Skipped]:
    """Return links that lead elsewhere and are not followed, and folders that cannot be read."""
    found: list[Skipped] = []
    for folder in folders_in(root, inside, found):
        links = (path for path in listing(folder) if not inside.holds_entry(path))
        found += [Skipped(path, inside.left_out(path)) for path in links]
    return found


def image_files(folder: Path, inside: Inside | None = None) -> list[Path]:
    """Return the image files directly in a folder, sorted by name.

    Raises:
        RecordingError: the folder cannot be read.
    """
    return [path for path in listing(folder, inside) if IMAGES.matches(path) and path.is_file()]
