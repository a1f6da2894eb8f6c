"""Checks that a command can open a window."""

import os
import sys
from importlib.util import find_spec

from sonotempo.errors import SonotempoError


def require_window() -> None:
    """Refuse to open a window where Qt would end the program.

    Raises:
        SonotempoError: napari, a Qt binding or a display is missing.
    """
    install = "install it with: pip install 'sonotempo[napari,pyside6]'"
    if find_spec("napari") is None or find_spec("qtpy") is None:
        raise SonotempoError(f"this command needs napari; {install}")
    try:
        import qtpy  # noqa: F401  # looks for a Qt binding
    except ImportError as error:
        raise SonotempoError(
            f"this command needs a Qt binding, and none is installed; {install}"
        ) from error
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in screens):
        raise SonotempoError(
            "this command opens a window, but this machine has no display (neither DISPLAY "
            "nor WAYLAND_DISPLAY is set); use `sonotempo stream`, or xvfb-run"
        )
