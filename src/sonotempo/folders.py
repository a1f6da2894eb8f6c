"""Write where the user asked; a refusal by the disk names the path and the option to change."""

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
