"""Makes the folders that a user names, or says why not and which option names another."""

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
