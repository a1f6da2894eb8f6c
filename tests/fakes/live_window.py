"""A napari window with the live comparison, driven by clicks and keys."""

import contextlib
import os
import threading
from multiprocessing import resource_tracker
from pathlib import Path

from qtpy.QtCore import QSettings, Qt
from qtpy.QtTest import QTest

from fakes.onnx_models import write_model
from sonotempo.structures import AXILLARY

# OpenVINO starts a thread when it is imported and keeps it: not a leak of the tests.
with contextlib.suppress(ImportError):
    import openvino  # noqa: F401


def remember_in(folder):
    """Keep the widget's settings out of the user's."""
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder))


def write_models(folder, *arms, structures=AXILLARY):
    """Write a tiny model for each arm; return their paths."""
    paths = [Path(folder) / f"{arm}.onnx" for arm in arms]
    for path, arm in zip(paths, arms, strict=True):
        write_model(path, arms=(arm,), size=64, structures=structures)
    return tuple(paths)


def memory_and_processes():
    """Return the ring buffers and child processes of this process."""
    shared = Path("/dev/shm")
    buffers = {path.name for path in shared.glob(f"sonotempo-{os.getpid()}-*")}
    children = set()
    tasks = Path(f"/proc/{os.getpid()}/task")
    # Python's own tracker of shared memory lives as long as Python.
    tracker = str(getattr(resource_tracker._resource_tracker, "_pid", None))
    for task in tasks.iterdir() if tasks.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):  # a thread that has ended meanwhile
            children |= set((task / "children").read_text().split())
    return {"shared memory": buffers, "child processes": children - {tracker}}


def live_threads():
    """Return the names of the plugin's and the engine's threads."""
    ours = ("sonotempo", "playback", "simulated", "recorder", "clarius")
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(ours)]


class LiveWindow:
    """The widget in its window."""

    def __init__(self, viewer, qtbot):
        # npe2 would do the same; this gives the widget itself.
        from napari_sonotempo.live.widget import LiveWidget

        self.viewer, self.qtbot = viewer, qtbot
        self.widget = LiveWidget(viewer)
        self.dock = viewer.window.add_dock_widget(self.widget, name="Live comparison")
        viewer.window.resize(1280, 800)
        self.window = self.widget.window()
        self.said = []
        self.widget.link.said.connect(lambda level, sentence: self.said.append((level, sentence)))
        self.window.activateWindow()
        qtbot.waitUntil(self.window.isActiveWindow, timeout=10_000)

    def key(self, key):
        # Shortcuts need the active window, and a window of another test process may have become it.
        self.activate()
        QTest.keyClick(self.picture, key)

    @property
    def picture(self):
        """The widget with the live picture that has the focus."""
        stage = self.widget.link.stage
        return stage.presentation or stage.canvas

    def activate(self):
        window = self.picture.window() if self.picture.isVisible() else self.window
        window.activateWindow()
        self.qtbot.waitUntil(window.isActiveWindow, timeout=10_000)

    def click(self, button):
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def wait(self, condition, what, timeout_s=60):
        try:
            self.qtbot.waitUntil(lambda: bool(condition()), timeout=round(timeout_s * 1000))
        except Exception as error:
            raise AssertionError(f"timed out waiting for: {what}; {self.said}") from error

    def wait_state(self, state, timeout_s=60):
        self.wait(lambda: self.widget.link.state == state, f"state {state}", timeout_s)

    def wait_picture(self):
        self.wait(lambda: self.widget.link.shown is not None, "a picture")

    def start(self, *models):
        self.widget.models_box.choose(models)
        self.click(self.widget.start)
        self.wait_state("live")
        self.wait_picture()
        if models:
            self.wait(lambda: self.widget.link.shown.predictions, "masks")

    def stop(self):
        self.click(self.widget.start)
        self.wait_state("stopped")

    def forget(self):
        """Drop all references to the window, so that a test can see who else holds one."""
        self.__dict__.clear()

    @property
    def messages(self):
        return self.widget.messages.text()

    def screenshot(self, path):
        QTest.qWait(200)
        self.viewer.window.screenshot(path=str(path), canvas_only=False, flash=False)
