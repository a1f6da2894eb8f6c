"""Messages in a widget: sentences with a colour and a sign for their level, and their history.

They have a place of fixed height, so that nothing moves when one comes or goes.
"""

from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any, Literal

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QFrame, QMenu, QTextBrowser

from napari_sonotempo.shared.colours import message_color

Level = Literal["info", "warning", "error"]

_SIGNS: dict[Level, str] = {"error": "✗", "warning": "!", "info": "i"}
#: How long a message is shown; errors stay until the next start.
SHOWN_S: dict[Level, float] = {"info": 12.0, "warning": 30.0, "error": float("inf")}
_REMEMBERED = 100


@dataclass(frozen=True, slots=True)
class Said:
    """A message, and when it was given."""

    level: Level
    sentence: str
    at: datetime


class Messages(QTextBrowser):
    """The last messages, each once; older ones are in the context menu's history.

    Args:
        kept: how many messages are shown.
        lines: the height, in lines of text; longer messages scroll.
    """

    def __init__(self, kept: int = 3, lines: int = 4) -> None:
        super().__init__()
        self._kept = kept
        self._shown: list[Said] = []
        self._history: list[Said] = []
        self.setOpenExternalLinks(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAccessibleName("messages")
        self.setToolTip("Messages. A right click shows the earlier ones.")
        self.document().setDocumentMargin(2)
        self.setFixedHeight(lines * QFontMetrics(self.font()).lineSpacing() + 8)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._expire)

    @property
    def history(self) -> tuple[Said, ...]:
        """The last messages, oldest first."""
        return tuple(self._history)

    def text(self) -> str:
        """Return what is shown, without colours."""
        return "\n".join(one.sentence for one in self._shown)

    def say(self, level: Level, sentence: str) -> None:
        """Show a sentence below the others; a repeated one moves down."""
        said = Said(level, sentence, datetime.now())
        self._history = [*self._history, said][-_REMEMBERED:]
        others = [one for one in self._shown if (one.level, one.sentence) != (level, sentence)]
        self._show([*others, said][-self._kept :])

    def clear_all(self) -> None:
        """Remove all sentences; the history keeps them."""
        self._show([])

    def withdraw(self, sentence: str) -> None:
        """Remove a sentence that does not hold any more."""
        self._show([one for one in self._shown if one.sentence != sentence])

    def contextMenuEvent(self, event: Any) -> None:
        """List the earlier messages."""
        menu = QMenu(self)
        for one in reversed(self._history):
            action = menu.addAction(f"{one.at:%H:%M:%S}  {one.sentence}")
            action.setEnabled(False)
        if not self._history:
            menu.addAction("no messages yet").setEnabled(False)
        menu.exec(event.globalPos())

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._draw()

    def _show(self, shown: list[Said]) -> None:
        self._shown = shown
        self._draw()
        self._wait()

    def _wait(self) -> None:
        """Wait until the next message expires."""
        now = datetime.now()
        left_s = [
            SHOWN_S[one.level] - (now - one.at).total_seconds()
            for one in self._shown
            if SHOWN_S[one.level] != float("inf")
        ]
        self._timer.stop()
        if left_s:
            self._timer.start(max(1, round(1000 * min(left_s))))

    def _expire(self) -> None:
        now = datetime.now()
        self._show(
            [
                one
                for one in self._shown
                if (now - one.at).total_seconds() < SHOWN_S[one.level] - 1e-3
            ]
        )

    def _draw(self) -> None:
        background = self.palette().color(self.viewport().backgroundRole())
        ground = (background.red(), background.green(), background.blue())
        lines = []
        for one in self._shown:
            color = message_color(one.level, ground)
            text = f"<b>{_SIGNS[one.level]}</b> {escape(one.sentence)}"
            lines.append(f'<span style="color:rgb{color}">{text}</span>')
        self.setHtml("<br>".join(lines))
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())
