"""The keys of reviewing, which work in the whole window while the dock is shown.

None of them is a key of napari's, so that painting and stepping work as ever.
"""

from collections.abc import Callable, Mapping

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QMainWindow

from napari_sonotempo.shared.mark_menu import MARK_KEY

#: Every key, and the action that it stands for.
KEYS: dict[str, str] = {
    "U": "next unreviewed",
    "Y": "accept",
    "Shift+Y": "accept up to here",
    "N": "reject",
    "0": "confirm empty",
    "Ctrl+U": "undo",
    MARK_KEY: "mark",
}


class ReviewKeys:
    """The keys in a window.

    Args:
        window: where they work.
        actions: by the names in :data:`KEYS`.
    """

    def __init__(self, window: QMainWindow, actions: Mapping[str, Callable[[], object]]) -> None:
        self._shortcuts = []
        for key, name in KEYS.items():
            shortcut = QShortcut(QKeySequence(key), window)
            shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
            shortcut.activated.connect(actions[name])
            self._shortcuts.append(shortcut)

    def enable(self, is_on: bool) -> None:
        """Let the keys work, or leave them to others."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(is_on)

    def remove(self) -> None:
        """Take the keys out of the window."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts = []
