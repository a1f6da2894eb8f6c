"""What the scripts that open a napari window share; importing it needs no display."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE = 1280, 800


@contextmanager
def settings_apart() -> Iterator[None]:
    """Neither show nor change the settings that the user has chosen in the plugin."""
    from qtpy.QtCore import QSettings  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, folder)
        before = os.environ.get("XDG_CONFIG_HOME")
        os.environ["XDG_CONFIG_HOME"] = folder  # where layouts of screens are kept
        try:
            yield
        finally:
            os.environ.pop("XDG_CONFIG_HOME")
            if before is not None:
                os.environ["XDG_CONFIG_HOME"] = before


def open_viewer() -> Any:
    """Open an empty napari viewer of the size that measurements and pictures share."""
    import napari  # noqa: PLC0415

    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    return viewer


def wait(seconds: float) -> None:
    """Let the window handle events for some seconds, and sleep between them.

    Not by ``QTest.qWait``: vispy replaces it with a loop that never sleeps.
    """
    from qtpy.QtCore import QEventLoop, QTimer  # noqa: PLC0415

    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 120.0) -> None:
    """Let the window handle events until a condition holds; end the script if it never does."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > timeout_s:
            raise SystemExit(f"timed out after {timeout_s:g} s waiting for {what}")
        wait(0.05)


def save(viewer: Any, path: Path) -> None:
    """Save the whole window as a picture."""
    viewer.window.screenshot(path=str(path), canvas_only=False, flash=False)
    print(f"wrote {path}", flush=True)
