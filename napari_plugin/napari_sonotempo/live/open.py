"""napari with the live comparison running, for ``sonotempo live``."""

# napari is slow to import; mistakes in the command are reported before.
# ruff: noqa: PLC0415

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sonotempo.structures import StructureSet

TITLE = "Live comparison"
_SIZE = (1280, 800)
# napari's own docks, which take space from the pictures; the menu Window shows them again.
_HIDDEN_DOCKS = ("layer controls", "layer list")


def open_live(  # noqa: PLR0917
    source: str,
    models: tuple[Path, ...],
    sdk: Path | None = None,
    engine: str = "auto",
    threads: int | None = None,
    structures: StructureSet | None = None,
    along_motion: bool = False,
    are_default: bool = False,
) -> tuple[Any, Any]:
    """Open a viewer with the widget and start the stream; return both.

    Args:
        source: as on the command line.
        models: files of model A and optionally B.
        sdk: the folder of the Clarius SDK, if it is not installed.
        engine: see :func:`sonotempo.live.models.engines.open_engine`.
        threads: cores per model, or None for all but one, which the window needs.
        structures: the channels of an external model.
        along_motion: show a single frame model along the motion too.
        are_default: whether the models were not asked for: they change with the anatomy.
    """
    import napari
    from qtpy.QtWidgets import QDockWidget

    from napari_sonotempo.live.session import WINDOW_TITLE
    from napari_sonotempo.live.widget import LiveWidget

    viewer = napari.Viewer(title=f"{WINDOW_TITLE}{source}")
    widget = LiveWidget(viewer)
    viewer.window.add_dock_widget(widget, name=TITLE, area="right")
    viewer.window.resize(*_SIZE)
    for dock in widget.window().findChildren(QDockWidget):
        if dock.windowTitle() in _HIDDEN_DOCKS or dock.objectName() in _HIDDEN_DOCKS:
            dock.hide()
    widget.start_stream(
        source,
        models,
        sdk=sdk,
        engine=engine,
        threads=threads,
        structures=structures,
        along_motion=along_motion,
        are_default=are_default,
    )
    return viewer, widget


def run_live(*arguments: Any, loop: Callable[[], object] | None = None) -> None:
    """Open the viewer and show it until it is closed; then end everything.

    Args:
        arguments: of :func:`open_live`.
        loop: runs until the window is closed; by default napari's.
    """
    import napari

    _, widget = open_live(*arguments)
    try:
        (loop or napari.run)()
    finally:
        widget.cleanup()
