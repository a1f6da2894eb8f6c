"""A napari window with the widget that labels a recording, driven by clicks, keys and strokes."""

import threading

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from fakes.live_window import remember_in
from fakes.shapes import moving_shapes
from napari_sonotempo.shared.layers import recording_layers
from sonotempo.io import open_recording
from sonotempo.io.writers import write_sequence

FRAMES, SIZE = 16, 64


def write_unlabelled(folder, frames=FRAMES, size=SIZE):
    """Write a recording without masks; return it and its true masks."""
    images_THW, masks_THW = moving_shapes(frames, size, np.random.default_rng(0))
    times_ns = np.arange(frames, dtype=np.int64) * 50_000_000
    write_sequence(
        folder / "anna" / "one", "frame", images_THW, None, spacing_mm=(0.3, 0.3),
        timestamps_ns=times_ns,
    )  # fmt: skip
    return open_recording(folder / "anna" / "one", subject="anna", name="anna/one"), masks_THW


class LabelWindow:
    """The widget in its window."""

    def __init__(self, viewer, qtbot, settings):
        remember_in(settings)
        from napari_sonotempo.label.widget import LabelWidget

        self.viewer, self.qtbot = viewer, qtbot
        self.widget = LabelWidget(viewer)
        self.dock = viewer.window.add_dock_widget(self.widget, name="Label recording")
        viewer.window.resize(1280, 900)
        self.window = self.widget.window()

    def open(self, recording):
        """Show a recording as an Image layer."""
        data, meta, _ = recording_layers(recording)[0]
        image = self.viewer.add_image(data, **meta)
        self.viewer.dims.set_current_step(0, 0)
        return image

    def click(self, button):
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def key(self, key, modifier=Qt.KeyboardModifier.NoModifier):
        """Press a key in the main window, where the canvas gets it."""
        self.window.activateWindow()
        self.qtbot.waitUntil(self.window.isActiveWindow, timeout=10_000)
        QTest.keyClick(self.window, key, modifier)

    def click_strip(self, frame):
        strip = self.widget.review.strip
        x = round(strip.place_of(frame + 0.5))
        QTest.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(x, strip.height() // 2))

    def draw(self, frame, mask_HW):
        """Paint a mask on a frame, as napari's tools do, with its history."""
        self.viewer.dims.set_current_step(0, frame)
        layer = self.labels
        for label in (0, 1, 2):
            rows, columns = np.nonzero((mask_HW == label) & (layer.data[frame] != label))
            if len(rows):
                layer.data_setitem((np.full(len(rows), frame), rows, columns), label)

    def wait(self, condition, what):
        try:
            self.qtbot.waitUntil(lambda: bool(condition()), timeout=30_000)
        except Exception as error:
            raise AssertionError(f"timed out waiting for: {what}; {self.message}") from error

    def wait_end(self):
        self.wait(
            lambda: (
                self.widget.propagate.buttons["after"].isEnabled() and not self.widget.jobs.is_busy
            ),
            "the propagation",
        )

    def propagate(self, side="after", reach="reviewed", frames=20):
        box = self.widget.propagate
        box.reach.setCurrentIndex(box.reach.findData(reach))
        box.frames.setValue(frames)
        self.click(box.buttons[side])
        self.wait_end()

    @property
    def labels(self):
        return self.widget.target.labels

    @property
    def masks(self):
        return self.widget.work.current.masks

    @property
    def kinds(self):
        self.widget._show()
        return self.widget.review.strip.kinds

    @property
    def message(self):
        return self.widget.messages.text()


class Held:
    """Frames of which one is not read before it is released."""

    def __init__(self, images, at):
        self.images, self.at = images, at
        self.reached, self.released = threading.Event(), threading.Event()

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        in_job = threading.current_thread() is not threading.main_thread()
        if index == self.at and in_job:
            self.reached.set()
            self.released.wait(30)
        return self.images[index]


def hold(recording, at):
    """Let a recording wait at a frame when a thread reads it."""
    held = Held(recording.images, at)
    object.__setattr__(recording, "images", held)
    return held


def label_threads():
    """Return the threads that carry masks or write drafts."""
    names = ("sonotempo propagate", "sonotempo draft")
    return [thread for thread in threading.enumerate() if thread.name in names]
