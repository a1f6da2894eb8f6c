"""Messages for the user: a notification in the viewer, a warning in a script."""

# napari is imported when there is a message, so that discovering this plugin costs nothing.
# ruff: noqa: PLC0415

import sys
import warnings
from typing import Literal


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


def _tell(level: Literal["error", "warning", "info"], message: str) -> None:
    if has_viewer():
        from napari.utils import notifications

        getattr(notifications, f"show_{level}")(message)
    elif level != "info":
        warnings.warn(message, stacklevel=3)
