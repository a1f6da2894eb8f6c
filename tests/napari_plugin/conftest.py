"""Tests of the plugin: when to skip those with windows, and a check for leaks."""

import gc
import os
import sys
import threading

import pytest


def reason_to_skip() -> str | None:
    """Return why no window can be opened: without a display, Qt would abort the process."""
    if reason := os.environ.get("SONOTEMPO_SKIP_GUI"):
        return reason
    displays = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not any(map(os.environ.get, displays)):
        return "there is no display; scripts/test.py starts one"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked 'gui' where there is a reason to."""
    if reason := reason_to_skip():
        for item in items:
            if item.get_closest_marker("gui"):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def nothing_left(qapp):
    """Fail if the test leaves a thread, a running timer or a window.

    Name it before the fixture that makes the viewer: it then looks after the viewer is closed.
    """
    from qtpy.QtCore import QEvent, QThread, QTimer
    from qtpy.QtGui import QCursor

    def is_there(thing) -> bool:
        """Whether Qt has not deleted it: Python may still hold the wrapper of a closed window's."""
        try:
            thing.objectName()
        except RuntimeError:
            return False
        return True

    def running() -> dict[str, set]:
        gc.collect()
        # Widgets under deleteLater() are only deleted once this is sent.
        qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        qapp.processEvents()
        # By type: isinstance would ask every object for its class, and some of torch's warn.
        objects = [o for o in gc.get_objects() if issubclass(type(o), (QThread, QTimer))]
        objects = [o for o in objects if is_there(o)]
        return {
            "threads": set(threading.enumerate()),
            "Qt threads": {
                o
                for o in objects
                if isinstance(o, QThread) and o.isRunning() and o != qapp.thread()
            },
            "timers": {o for o in objects if isinstance(o, QTimer) and o.isActive()},
            "windows": set(qapp.topLevelWidgets()),
        }

    # A notification of napari's that closes under the pointer leaves a timer.
    QCursor.setPos(0, 0)
    before = running()
    yield
    left = {kind: found - before[kind] for kind, found in running().items()}
    assert not any(left.values()), left
