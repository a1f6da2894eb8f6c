"""Freeze, look back, loop and speed, snapshot, record, and the probe's own controls."""

from collections.abc import Callable
from functools import partial

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QPushButton, QSlider, QVBoxLayout, QWidget

from napari_sonotempo.shared.layouts import row
from sonotempo.live.sources.source import Command

_SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
_PROBE: tuple[tuple[str, Command], ...] = (
    ("Freeze probe", "freeze"),
    ("Depth −", "depth-"),
    ("+", "depth+"),
    ("Gain −", "gain-"),
    ("+", "gain+"),
)


class Transport(QWidget):
    """Buttons only: signals report what the user wants."""

    freeze_wanted = Signal()
    step_wanted = Signal(int)
    position_wanted = Signal(int)
    snapshot_wanted = Signal()
    record_wanted = Signal()
    command_wanted = Signal(str)
    playback_changed = Signal()  # speed or loop

    def __init__(self) -> None:
        super().__init__()
        self.freeze = _button("Freeze (space)", self.freeze_wanted.emit)
        self.back = _button("◀", lambda: self.step_wanted.emit(-1), 32)
        self.on = _button("▶", lambda: self.step_wanted.emit(1), 32)
        self.back.setToolTip("previous frame (left arrow)")
        self.on.setToolTip("next frame (right arrow)")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip("the last 10 seconds")
        self.slider.valueChanged.connect(self.position_wanted)
        self.snapshot = _button("Snapshot", self.snapshot_wanted.emit)
        self.record = _button("Record (R)", self.record_wanted.emit)
        self.record.setCheckable(True)
        self.loop = QCheckBox("Loop")
        self.loop.toggled.connect(lambda _: self.playback_changed.emit())
        self.speed = QComboBox()
        self.speed.addItems([f"{speed:g}×" for speed in _SPEEDS])
        self.speed.setCurrentIndex(_SPEEDS.index(1.0))
        self.speed.currentIndexChanged.connect(lambda _: self.playback_changed.emit())
        self.probe = {
            command: _button(
                text,
                partial(self.command_wanted.emit, command),
                28 if text == "+" else None,
            )
            for text, command in _PROBE
        }
        self._playback_row = row(self.loop, QLabel("Speed"), self.speed, QWidget())
        self._probe_row = row(*self.probe.values())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (
            row(self.freeze, self.back, self.on),
            self.slider,
            row(self.snapshot, self.record),
            self._playback_row,
            self._probe_row,
        ):
            layout.addWidget(widget)
        self.show_held(0)
        self.show_source(is_recording=False, commands=())

    @property
    def speed_wanted(self) -> float:
        """How many times faster than recorded."""
        return _SPEEDS[self.speed.currentIndex()]

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

    def show_state(self, state: str) -> None:
        """Enable what makes sense in this state."""
        is_on = state in ("live", "frozen")
        self.freeze.setText("Play (space)" if state == "frozen" else "Freeze (space)")
        for button in (self.freeze, self.back, self.on, self.snapshot, self.record):
            button.setEnabled(is_on)

    def show_recording(self, is_on: bool) -> None:
        """Show whether frames are being recorded."""
        self.record.setChecked(is_on)
        self.record.setText("● Stop recording (R)" if is_on else "Record (R)")

    def show_source(self, *, is_recording: bool, commands: tuple[Command, ...]) -> None:
        """Offer loop and speed for recordings, the probe's controls for other sources."""
        self._playback_row.setVisible(is_recording)
        self._probe_row.setVisible(bool(commands) and not is_recording)
        for command, button in self.probe.items():
            button.setEnabled(command in commands)


def _button(text: str, pressed: Callable[[], object], width_px: int | None = None) -> QPushButton:
    button = QPushButton(text)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    button.clicked.connect(lambda _=False: pressed())
    if width_px is not None:
        button.setFixedWidth(width_px)
    return button
