"""Write where the user asked, whole or not at all; name files without saying where they lie."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sonotempo.errors import SonotempoError


def make_folder(
    folder: Path, option: str, error_class: type[SonotempoError] = SonotempoError
) -> None:
    """Create a folder and its parents; one that exists is fine.

    Args:
        folder: to create.
        option: what the user sets to choose another, for example ``--out``.
        error_class: the class of the error.

    Raises:
        SonotempoError: a file is in the way, or the disk refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise error_class(
            f"{folder} cannot be created ({error.strerror}); give another {option}"
        ) from error


def short_name(path: Path) -> str:
    """Name a file or folder by its last two parts: what is handed on does not say where it lay.

    >>> short_name(Path("/home/eva/study/ben/cine.dcm"))
    'ben/cine.dcm'
    """
    named = [part for part in path.parts if part not in (path.anchor, "..")]
    return Path(*named[-2:]).as_posix()


def without_folder(text: str, folder: Path) -> str:
    """Return a text in which the paths in a folder begin below it.

    >>> without_folder("/home/eva/study/ben/cine.dcm is cut short", Path("/home/eva/study"))
    'ben/cine.dcm is cut short'
    """
    # The longest spelling first: it may hold the others.
    spellings = {str(one) for one in (folder, folder.absolute(), folder.resolve()) if one.name}
    for spelling in sorted(spellings, key=len, reverse=True):
        text = text.replace(f"{spelling}{os.sep}", "")
    return text


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which takes the place of ``path`` once it is safely on the disk.

    If the program is killed or the power fails, there is the earlier file, or none.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole_file(Path(folder) / "a.txt") as draft:
    ...         _ = draft.write_text("whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'

    Raises:
        OSError: the disk refuses; nothing is left behind.
    """
    # The ending stays: some writers add their own to a name without it.
    draft = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
        keep_names(path.parent)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def whole_folder(
    folder: Path, option: str, error_class: type[SonotempoError] = SonotempoError
) -> Iterator[Path]:
    """Yield a folder to fill, which takes the place of a new or empty ``folder`` once it is whole.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     with whole_folder(Path(parent) / "set", "DST") as draft:
    ...         _ = (draft / "a.txt").write_text("whole")
    ...     sorted(path.name for path in (Path(parent) / "set").iterdir())
    ['a.txt']

    Args:
        folder: what the user named.
        option: what the user sets to choose another, for example ``--out``.
        error_class: the class of the error.

    Raises:
        SonotempoError: it is not empty, a file is in the way, or the disk refuses; nothing is left
            behind.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        kind = "a file" if folder.is_file() else "not empty"
        raise error_class(f"{folder} is {kind}; give a new or empty {option}")
    place = folder.resolve()
    draft = place.with_name(f".{place.name}.{os.getpid()}.part")
    make_folder(draft, option, error_class)
    try:
        with writing(folder, option, error_class):
            yield draft
            if place.is_dir():
                place.rmdir()
            draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def keep_names(folder: Path) -> None:
    """Make sure that new names in a folder survive a power cut, where folders can be opened."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writing(
    path: Path, option: str, error_class: type[SonotempoError] = SonotempoError
) -> Iterator[None]:
    """Turn an error of the disk while writing a file, or files in a folder, into a sentence.

    >>> with writing(Path("report"), "--out"):
    ...     raise OSError(28, "No space left…")
    Traceback (most recent call last):
    sonotempo.errors.SonotempoError: report cannot be written (No space left…); give another --out

    Args:
        path: the file or folder that the user named.
        option: what the user sets to choose another, for example ``--out``.
        error_class: the class of the error.

    Raises:
        SonotempoError: a file is in the way, or the disk refuses.
    """
    try:
        yield
    except OSError as error:
        refused = error.filename or path  # one of the folder's many files
        raise error_class(
            f"{refused} cannot be written ({error.strerror or error}); give another {option}"
        ) from error
