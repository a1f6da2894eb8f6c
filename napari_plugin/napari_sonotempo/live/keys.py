"""The keys of the live picture: they work while a stream runs and the picture has the focus.

napari's own keys (painting, stepping through layers) are not touched: they work on its canvas.
"""

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QWidget

from napari_sonotempo.shared.mark_menu import MARK_KEY

Actions = dict[str, Callable[[], object]]

#: Every key, and the action that it stands for.
KEYS: dict[str, str] = {
    "Space": "freeze",
    "Left": "back",
    "Right": "on",
    "1": "single",
    "2": "side by side",
    "3": "difference",
    "R": "record",
    "S": "snapshot",
    MARK_KEY: "mark",
    "F": "full screen",
    "L": "layers",
}


class Keys:
    """The keys of a widget and of all it contains.

    Args:
        widget: where they work.
        actions: by the names in :data:`KEYS`.
        more: further keys with their actions.
    """

    def __init__(self, widget: QWidget, actions: Actions, **more: Callable[[], object]) -> None:
        pressed = {key: actions[name] for key, name in KEYS.items()} | more
        self._shortcuts = [_shortcut(widget, key, action) for key, action in pressed.items()]

    def enable(self, is_on: bool) -> None:
        """Let the keys work, or leave them to others."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(is_on)


def _shortcut(widget: QWidget, key: str, action: Callable[[], object]) -> QShortcut:
    shortcut = QShortcut(QKeySequence(key), widget)
    shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    shortcut.activated.connect(action)
    return shortcut
