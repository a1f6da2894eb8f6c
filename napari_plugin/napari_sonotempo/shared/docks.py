"""Docks of this plugin share a place: as tabs, neither takes the other's room."""

from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

_MARK = "sonotempo"
# napari's own docks for its layers, by title or object name.
_LAYER_DOCKS = ("layer controls", "layer list")


def main_window_of(widget: QWidget) -> QMainWindow | None:
    """Return the main window that a widget is in, or None."""
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QMainWindow):
        parent = parent.parent()
    return parent


def dock_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock that holds a widget, or None."""
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


def tab_with_others(widget: QWidget) -> None:
    """Put a widget's dock into the tabs of this plugin's other docks, in front."""
    window, dock = main_window_of(widget), dock_of(widget)
    if window is None or dock is None or dock.property(_MARK):
        return
    dock.setProperty(_MARK, True)
    for other in window.findChildren(QDockWidget):
        is_ours = other is not dock and other.property(_MARK)
        if is_ours and not other.isFloating() and not dock.isFloating():
            window.tabifyDockWidget(other, dock)
            dock.raise_()
            return


def visible_layer_docks(window: QMainWindow) -> list[QDockWidget]:
    """Return napari's docks for its layers that are shown: they take room from the pictures."""
    return [
        dock
        for dock in window.findChildren(QDockWidget)
        if {dock.windowTitle(), dock.objectName()} & set(_LAYER_DOCKS) and not dock.isHidden()
    ]
