"""What only some sources have: loop and speed of a recording, depth and gain of a scanner."""

from functools import partial

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_sonotempo.shared.layouts import row
from sonotempo.live.sources.source import Command

_SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
_SCANNER: tuple[tuple[str, Command, str], ...] = (
    ("Pause scanner", "freeze", "stop and start the scanner's own imaging"),
    ("Depth −", "depth-", "image less deep"),
    ("+", "depth+", "image deeper"),
    ("Gain −", "gain-", "darker"),
    ("+", "gain+", "brighter"),
)
_PLUS_PX = 28


class PlaybackBox(QWidget):
    """Controls only: signals report what the user wants."""

    command_wanted = Signal(str)
    playback_changed = Signal()  # speed or loop

    def __init__(self) -> None:
        super().__init__()
        self.loop = QCheckBox("Loop")
        self.loop.setToolTip("start again at the end of the recording")
        self.loop.toggled.connect(lambda _: self.playback_changed.emit())
        self.speed = QComboBox()
        self.speed.addItems([f"{speed:g}×" for speed in _SPEEDS])
        self.speed.setCurrentIndex(_SPEEDS.index(1.0))
        self.speed.setToolTip("how fast the recording is played; 1× is its own speed")
        self.speed.currentIndexChanged.connect(lambda _: self.playback_changed.emit())
        self.scanner: dict[Command, QPushButton] = {}
        for text, command, tip in _SCANNER:
            button = QPushButton(text)
            button.setToolTip(tip)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.clicked.connect(partial(self._send, command))
            if text == "+":
                button.setFixedWidth(_PLUS_PX)
            self.scanner[command] = button
        self._playback_row = row(self.loop, QLabel("Speed"), self.speed, QWidget())
        pause, *turns = self.scanner.values()
        self._scanner_row = QWidget()
        rows = QVBoxLayout(self._scanner_row)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(pause)
        rows.addWidget(row(*turns))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._playback_row)
        layout.addWidget(self._scanner_row)
        self.show_source(is_recording=False, commands=())

    @property
    def speed_wanted(self) -> float:
        """How many times faster than recorded."""
        return _SPEEDS[self.speed.currentIndex()]

    def show_source(self, *, is_recording: bool, commands: tuple[Command, ...]) -> None:
        """Offer loop and speed for recordings, the scanner's controls for other sources."""
        self._playback_row.setVisible(is_recording)
        self._scanner_row.setVisible(not is_recording)
        for command, button in self.scanner.items():
            button.setEnabled(command in commands)

    def _send(self, command: Command, _checked: bool = False) -> None:
        self.command_wanted.emit(command)
