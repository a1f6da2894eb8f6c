"""The live picture's actions for napari's command palette."""

from napari_sonotempo.shared.notify import tell_warning


def freeze() -> None:
    """Freeze the live picture, or resume."""
    _act("freeze")


def record() -> None:
    """Start or stop to record the live stream."""
    _act("record")


def mark() -> None:
    """Mark an event in the recording of the live stream."""
    _act("mark")


def snapshot() -> None:
    """Save the live view, its frame and its masks."""
    _act("snapshot")


def full_screen() -> None:
    """Show the live pictures on the full screen, or go back."""
    _act("full screen")


def next_view() -> None:
    """Go to the next view: single, side by side, difference."""
    _act("next view")


def layers() -> None:
    """Go between the live picture and napari's layers."""
    _act("layers")


def _act(name: str) -> None:
    """Act on the widget of the active window, or on the only one."""
    from qtpy.QtWidgets import QApplication  # noqa: PLC0415

    from napari_sonotempo.live.widget import LiveWidget  # noqa: PLC0415

    widgets = [one for one in QApplication.allWidgets() if isinstance(one, LiveWidget)]
    active = [one for one in widgets if one.window() is QApplication.activeWindow()]
    if not widgets:
        tell_warning("No live comparison is open: Plugins → sonotempo → Live comparison.")
        return
    widget = (active or widgets)[0]
    widget.actions_by_name[name]()
