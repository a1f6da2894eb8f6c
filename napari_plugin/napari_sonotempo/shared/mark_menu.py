"""Set a mark with two keys: one opens a short list, a number chooses from it."""

from collections.abc import Callable

from qtpy.QtCore import QEvent
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QInputDialog, QMenu, QWidget

from napari_sonotempo.shared.settings import LiveSettings

#: The key that opens the list; napari uses it for nothing.
MARK_KEY = "K"

_SETTING = "marks"
_DEFAULT = ("needle in", "needle out", "injection begins", "injection ends", "block done")
_MOST_NUMBERED = 9


def mark_texts(settings: LiveSettings) -> tuple[str, ...]:
    """Return the list of marks, which the user can change."""
    texts = settings.text(_SETTING, ";".join(_DEFAULT)).split(";")
    return tuple(text.strip() for text in texts if text.strip()) or _DEFAULT


def save_mark_texts(settings: LiveSettings, texts: tuple[str, ...]) -> None:
    """Remember the list of marks; an empty one is the list that the plugin comes with."""
    clean = (" ".join(text.replace(";", ",").split()) for text in texts)
    settings.save(_SETTING, ";".join(text for text in clean if text))


class MarkMenu(QMenu):
    """A menu whose numbers are its own while it is open, whatever keys the window has."""

    def event(self, event: QEvent) -> bool:
        """Take every key before a shortcut of the window does."""
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return bool(super().event(event))


def ask_for_mark(parent: QWidget, settings: LiveSettings, chosen: Callable[[str], object]) -> QMenu:
    """Open the list at the pointer; it closes without a mark if nothing is chosen.

    Args:
        parent: whose window the list belongs to.
        settings: where the list is kept.
        chosen: gets the text of the mark.
    """
    menu = MarkMenu(parent)
    for number, text in enumerate(mark_texts(settings), start=1):
        shown = text.replace("&", "&&")
        action = menu.addAction(f"&{number}  {shown}" if number <= _MOST_NUMBERED else shown)
        action.triggered.connect(lambda _=False, text=text: chosen(text))
    menu.addSeparator()
    menu.addAction("Edit the list…").triggered.connect(
        lambda _=False: edit_mark_texts(parent, settings)
    )
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(QCursor.pos())
    return menu


def edit_mark_texts(parent: QWidget, settings: LiveSettings) -> None:
    """Let the user change the list, one mark a line."""
    text, is_accepted = QInputDialog.getMultiLineText(
        parent, "Marks", "One mark a line:", "\n".join(mark_texts(settings))
    )
    if is_accepted:
        save_mark_texts(settings, tuple(text.splitlines()))
