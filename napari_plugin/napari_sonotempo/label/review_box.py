"""The strip along time, its legend, and the buttons of reviewing with their keys."""

from collections.abc import Mapping

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from napari_sonotempo.label.keys import KEYS
from napari_sonotempo.label.strip import OriginStrip, legend
from napari_sonotempo.shared.layouts import row
from sonotempo.label_origin import Origin

_BUTTONS = {
    "next unreviewed": ("Next unreviewed", "go to the next mask that nobody has accepted"),
    "accept": ("Accept", "this mask is right: it becomes truth to train on"),
    "accept up to here": (
        "Accept up to here",
        "accept all masks from the last reviewed frame up to this one",
    ),
    "reject": ("Reject", "remove this mask, which a model or motion has made"),
    "confirm empty": ("Confirm empty", "nothing is in view in this frame"),
    "undo": ("Undo", "undo the last step of this panel; Ctrl+Z undoes strokes of the brush"),
}


class ReviewBox(QWidget):
    """Buttons and the strip: signals report what the user wants."""

    acted = Signal(str)  # the name of an action

    def __init__(self) -> None:
        super().__init__()
        self.strip = OriginStrip()
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.buttons: dict[str, QPushButton] = {}
        keys = {name: key for key, name in KEYS.items()}
        for name, (text, tip) in _BUTTONS.items():
            button = QPushButton(f"{text}  ({keys[name]})")
            button.setToolTip(f"{tip}. Key: {keys[name]}")
            button.clicked.connect(lambda _=False, name=name: self.acted.emit(name))
            self.buttons[name] = button
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.strip)
        layout.addWidget(self.legend)
        pairs = list(self.buttons.values())
        for first, second in zip(pairs[::2], pairs[1::2], strict=True):
            layout.addWidget(row(first, second))
        self.show_origins(0, {})

    def show_origins(self, count: int, origins: Mapping[int, Origin]) -> None:
        """Show where the masks of a number of frames come from."""
        self.legend.setText(legend(self.strip.show_origins(count, origins)))

    def show_undo(self, step: str) -> None:
        """Show what an undo would undo; empty for nothing."""
        self.buttons["undo"].setEnabled(bool(step))
