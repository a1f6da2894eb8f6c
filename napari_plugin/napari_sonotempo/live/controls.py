"""The bar under the live picture: freeze, look back, snapshot, record, full screen."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QSlider, QWidget

from napari_sonotempo.live.time_label import TimeLabel

_STEP_PX = 26
_SLIDER_PX = 60  # at least
_MARGIN_PX = 10


class Controls(QWidget):
    """Buttons only: signals report what the user wants. Their widths never change."""

    freeze_wanted = Signal()
    step_wanted = Signal(int)
    position_wanted = Signal(int)
    snapshot_wanted = Signal()
    record_wanted = Signal()
    presentation_wanted = Signal()
    layers_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.freeze = _button(
            ("Freeze", "Resume", "Play again"),
            "freeze the picture to look back, or resume (space)",
            self.freeze_wanted.emit,
        )
        self.back = _button(
            ("◀",), "previous frame (left arrow)", lambda: self.step_wanted.emit(-1), _STEP_PX
        )
        self.on = _button(
            ("▶",), "next frame (right arrow)", lambda: self.step_wanted.emit(1), _STEP_PX
        )
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip(
            "the last 10 seconds, once frozen; a recording's place while it plays"
        )
        self.slider.setMinimumWidth(_SLIDER_PX)
        self.slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.slider.valueChanged.connect(self.position_wanted)
        self.time = TimeLabel()
        self.snapshot = _button(
            ("Snapshot",), "save the view, the frame and the masks (S)", self.snapshot_wanted.emit
        )
        self.record = _button(
            ("● Record", "■ Stop"),
            "record every frame without loss, and the masks (R)",
            self.record_wanted.emit,
        )
        self.record.setCheckable(True)
        self.present = _button(
            ("Full screen",),
            "only the pictures, large (F; Esc leaves)",
            self.presentation_wanted.emit,
        )
        self.layers = _button(
            ("Layers",),
            "look at the frozen frames as napari layers; live, go to napari's canvas (L)",
            self.layers_wanted.emit,
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        for widget in (self.freeze, self.back, self.on):
            layout.addWidget(widget)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.time)
        for widget in (self.snapshot, self.record, self.present, self.layers):
            layout.addWidget(widget)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.show_held(0)
        self.show_state("stopped")

    def show_held(self, count: int) -> None:
        """Offer the frames that can be looked back through; 0 for none."""
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, max(0, count - 1))
            self.slider.setValue(self.slider.maximum())
        self.slider.setEnabled(count > 0)

    def show_position(self, position: int) -> None:
        """Follow steps made with the keys."""
        with QSignalBlocker(self.slider):
            self.slider.setValue(position)

    def show_place(self, position: int, times_s: NDArray[np.float64]) -> None:
        """Show where in a recording the picture is, and offer every place in it.

        Args:
            position: of the frame.
            times_s: of all frames, from 0.
        """
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, len(times_s) - 1)
            self.slider.setValue(position)
        self.slider.setEnabled(True)
        self.time.show_place(float(times_s[position]), float(times_s[-1]))

    def show_state(self, state: str, *, has_ended: bool = False) -> None:
        """Enable what makes sense in this state."""
        is_on = state in ("live", "frozen")
        self.freeze.setText(
            "Resume" if state == "frozen" else "Play again" if has_ended else "Freeze"
        )
        for button in (self.freeze, self.back, self.on, self.snapshot, self.record):
            button.setEnabled(is_on)

    def show_recording(self, is_on: bool) -> None:
        """Show whether frames are being recorded."""
        self.record.setChecked(is_on)
        self.record.setText("■ Stop" if is_on else "● Record")


def _button(
    texts: tuple[str, ...], tip: str, pressed: Callable[[], object], width_px: int = 0
) -> QPushButton:
    """Return a button that is wide enough for each of its texts."""
    button = QPushButton(texts[0])
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    button.clicked.connect(lambda _=False: pressed())
    metrics = QFontMetrics(button.font())
    button.setFixedWidth(width_px or max(metrics.horizontalAdvance(text) for text in texts) + 24)
    button.setFixedHeight(metrics.height() + _MARGIN_PX)  # napari's disabled buttons are higher
    return button
