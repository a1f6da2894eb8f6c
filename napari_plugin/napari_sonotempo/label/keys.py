"""The keys of reviewing, which work in the whole window while the dock is shown.

None of them is a key of napari's, so that painting and stepping work as ever.
"""

from collections.abc import Callable, Mapping

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QLineEdit, QMainWindow, QPushButton, QWidget

from napari_sonotempo.shared.mark_menu import MARK_KEY

#: Every key, and the action that it stands for.
KEYS: dict[str, str] = {
    "U": "next unreviewed",
    "G": "accept",
    "Shift+G": "accept up to here",
    "N": "reject",
    "0": "confirm empty",
    "W": "undo",
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


def leave_keys(panel: QWidget) -> None:
    """Keep the fields of a panel from taking the keys: only while one is edited it has them."""
    panel.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
    for button in panel.findChildren(QPushButton):
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    for field in (*panel.findChildren(QComboBox), *panel.findChildren(QAbstractSpinBox)):
        field.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
    for box in panel.findChildren(QComboBox):
        box.activated.connect(lambda _: panel.setFocus())
    for line in panel.findChildren(QLineEdit):
        line.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        line.returnPressed.connect(panel.setFocus)
