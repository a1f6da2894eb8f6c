"""Messages in a widget: sentences with a colour and a sign for their level."""

from html import escape
from typing import Literal

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy

Level = Literal["info", "warning", "error"]

#: Distinct for colour-blind people too; readable on napari's dark and light themes.
COLORS: dict[Level, str] = {"error": "#ff9e3d", "warning": "#f0e442", "info": "#9fc5e8"}
_SIGNS: dict[Level, str] = {"error": "✗", "warning": "!", "info": "i"}


class Messages(QLabel):
    """The last messages, each once; hidden while there is none.

    Args:
        kept: how many messages are shown.
    """

    def __init__(self, kept: int = 1) -> None:
        super().__init__()
        self._kept = kept
        self._lines: list[str] = []
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.setVisible(False)

    def say(self, level: Level, sentence: str) -> None:
        """Add a sentence below the others; a repeated one moves down."""
        line = (
            f'<span style="color:{COLORS[level]}"><b>{_SIGNS[level]}</b> {escape(sentence)}</span>'
        )
        self._show([*[one for one in self._lines if one != line], line][-self._kept :])

    def clear_all(self) -> None:
        """Remove all sentences."""
        self._show([])

    def _show(self, lines: list[str]) -> None:
        self._lines = lines
        self.setText("<br>".join(lines))
        self.setVisible(bool(lines))
