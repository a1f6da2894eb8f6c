"""Folders and files that a user names: written, or refused in a sentence that names the option."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sonotempo.errors import SonotempoError


def make_folder(
    folder: Path, option: str, error_class: type[SonotempoError] = SonotempoError
) -> None:
    """Make a folder with all above it; one that is there already is fine.

    Args:
        folder: to make.
        option: what the user sets to name another, for example ``--out``.
        error_class: what is raised.

    Raises:
        SonotempoError: a file is in the way, or the disk refuses; of ``error_class``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise error_class(
            f"{folder} cannot be made ({error.strerror}); give another {option}"
        ) from error


@contextmanager
def writing(
    path: Path, option: str, error_class: type[SonotempoError] = SonotempoError
) -> Iterator[None]:
    """Write below or at a path inside this; what the disk refuses becomes a sentence.

    >>> with writing(Path("report"), "--out"):
    ...     raise OSError(28, "No space left…")
    Traceback (most recent call last):
    sonotempo.errors.SonotempoError: report cannot be written (No space left…); give another --out

    Args:
        path: what the user named.
        option: what the user sets to name another, for example ``--out``.
        error_class: what is raised.

    Raises:
        SonotempoError: a file is in the way, or the disk refuses; of ``error_class``.
    """
    try:
        yield
    except OSError as error:
        # Of a folder's many files, the one that is in the way.
        refused = error.filename or path
        raise error_class(
            f"{refused} cannot be written ({error.strerror or error}); give another {option}"
        ) from error
