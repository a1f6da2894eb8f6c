"""Messages for the user: a notification in the viewer, a warning in a script."""

# napari is imported when there is a message, so that discovering this plugin costs nothing.
# ruff: noqa: PLC0415

import re
import sys
import warnings
from pathlib import Path
from typing import Literal

# An absolute path with at least two folders; shorter ones are short enough.
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?(?:[/\\][^\s/\\:'\",;()]+){2,}")


def has_viewer() -> bool:
    """Whether a window is open in which notifications appear."""
    if "napari" not in sys.modules:
        return False
    from napari import current_viewer

    return current_viewer() is not None


def tell_error(message: str) -> None:
    """Report an error without a traceback."""
    _tell("error", message)


def tell_warning(message: str) -> None:
    """Report what the user should know."""
    _tell("warning", message)


def tell(message: str) -> None:
    """Report what was done; silent in a script."""
    _tell("info", message)


def reason_first(message: str) -> str:
    """Shorten paths to their names, as a notification is cut off; they follow on lines below.

    >>> print(reason_first("/data/anna/one.mp4 cannot be read (no frame is complete)"))
    one.mp4 cannot be read (no frame is complete)
    one.mp4: /data/anna/one.mp4
    """
    paths = dict.fromkeys(path.rstrip(".,;:") for path in _PATH.findall(message))
    shown = message
    for path in sorted(paths, key=len, reverse=True):
        shown = shown.replace(path, Path(path).name)
    return "\n".join([shown, *(f"{Path(path).name}: {path}" for path in paths)])


def _tell(level: Literal["error", "warning", "info"], message: str) -> None:
    if has_viewer():
        from napari.utils import notifications

        getattr(notifications, f"show_{level}")(reason_first(message))
    elif level != "info":
        warnings.warn(message, stacklevel=3)
