"""Freeze, look back, loop and speed, snapshot, record, and the probe's own controls."""

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

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
    """Buttons alone: what they do is said by signals."""

    freeze_wanted = Signal()
    step_wanted = Signal(int)
    position_wanted = Signal(int)
    snapshot_wanted = Signal()
    record_wanted = Signal()
    command_wanted = Signal(str)
    speed_changed = Signal(float)
    loop_changed = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.freeze = _button("Freeze (space)", self.freeze_wanted.emit)
        self.back = _button("◀", lambda: self.step_wanted.emit(-1))
        self.on = _button("▶", lambda: self.step_wanted.emit(1))
        self.back.setToolTip("one frame back (left arrow)")
        self.on.setToolTip("one frame on (right arrow)")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip("the last 10 seconds")
        self.snapshot = _button("Snapshot", self.snapshot_wanted.emit)
        self.record = _button("Record (R)", self.record_wanted.emit)
        self.record.setCheckable(True)
        self.loop = QCheckBox("Loop")
        self.speed = QComboBox()
        self.speed.addItems([f"{speed:g}×" for speed in _SPEEDS])
        self.speed.setCurrentIndex(_SPEEDS.index(1.0))
        self.probe = {
            command: _button(text, lambda c=command: self.command_wanted.emit(c))
            for text, command in _PROBE
        }
        for command in ("depth+", "gain+"):
            self.probe[command].setFixedWidth(28)
        self._playback_row = QWidget()
        playback = QHBoxLayout(self._playback_row)
        playback.setContentsMargins(0, 0, 0, 0)
        for widget in (self.loop, QLabel("Speed"), self.speed):
            playback.addWidget(widget)
        playback.addStretch()
        self._probe_row = QWidget()
        probe = QHBoxLayout(self._probe_row)
        probe.setContentsMargins(0, 0, 0, 0)
        probe.setSpacing(4)
        for button in self.probe.values():
            probe.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widgets in (
            (self.freeze, self.back, self.on),
            (self.slider,),
            (self.snapshot, self.record),
        ):
            row = QHBoxLayout()
            row.setSpacing(4)
            for widget in widgets:
                row.addWidget(widget)
            layout.addLayout(row)
        layout.addWidget(self._playback_row)
        layout.addWidget(self._probe_row)
        for button in (self.back, self.on):
            button.setFixedWidth(32)
        self.slider.valueChanged.connect(self.position_wanted)
        self.speed.currentIndexChanged.connect(
            lambda index: self.speed_changed.emit(_SPEEDS[index])
        )
        self.loop.toggled.connect(self.loop_changed)
        self.show_held(0)
        self.show_source(is_recording=False, commands=())

    @property
    def speed_wanted(self) -> float:
        """How many times faster than recorded."""
        return _SPEEDS[self.speed.currentIndex()]

    def show_held(self, count: int) -> None:
        """Let the last frames be scrubbed through, or nothing if there are none."""
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, max(0, count - 1))
            self.slider.setValue(self.slider.maximum())
        self.slider.setEnabled(count > 0)

    def show_position(self, position: int) -> None:
        """Follow steps that were made by keys."""
        with QSignalBlocker(self.slider):
            self.slider.setValue(position)

    def show_state(self, state: str) -> None:
        """Enable what makes sense now."""
        is_on = state in ("live", "frozen")
        self.freeze.setText("Play (space)" if state == "frozen" else "Freeze (space)")
        for button in (self.freeze, self.back, self.on, self.snapshot, self.record):
            button.setEnabled(is_on)

    def show_recording(self, is_on: bool) -> None:
        """Say whether frames are being recorded."""
        self.record.setChecked(is_on)
        self.record.setText("● Stop recording (R)" if is_on else "Record (R)")

    def show_source(self, *, is_recording: bool, commands: tuple[Command, ...]) -> None:
        """Offer loop and speed for recordings, the probe's controls for anything else."""
        self._playback_row.setVisible(is_recording)
        self._probe_row.setVisible(bool(commands) and not is_recording)
        for command, button in self.probe.items():
            button.setEnabled(command in commands)


def _button(text: str, pressed: object) -> QPushButton:
    button = QPushButton(text)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    button.clicked.connect(lambda _=False: pressed())
    return button
