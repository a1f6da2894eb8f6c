"""napari with the live comparison running, for ``sonotempo live``."""

# napari is slow to import; mistakes in the command are reported before.
# ruff: noqa: PLC0415

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sonotempo.structures import StructureSet

TITLE = "Live comparison"
_SIZE = (1280, 800)
_FRAME_PX = (20, 60)  # that a window manager may add
_DOCK_PX = 340


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

    Source and models are opened while napari is imported, so that they are ready with the window.

    Args:
        source: as on the command line.
        models: files of model A and optionally B.
        sdk: the folder of the Clarius SDK, if it is not installed.
        engine: see :func:`sonotempo.live.models.engines.open_engine`.
        threads: cores per model, or None for all but one, which the window needs.
        structures: the channels of an external model.
        along_motion: show a single frame model along the motion too.
        are_default: whether the models were not asked for: they change with the anatomy.

    Raises:
        SonotempoError: the source or a model cannot be opened; no window has been opened.
    """
    from napari_sonotempo.live.opening import Opening
    from napari_sonotempo.live.session import WINDOW_TITLE, LiveRequest
    from napari_sonotempo.live.source_names import anatomy_of, title_of
    from sonotempo.live.sources.open import open_source

    opening = Opening(
        LiveRequest(
            title_of(source),
            partial(open_source, source, sdk=sdk),
            models,
            engine,
            threads,
            structures,
            along_motion,
            anatomy_of(source),
            source,
        )
    )
    try:
        import napari
        from qtpy.QtCore import Qt
        from qtpy.QtGui import QGuiApplication

        from napari_sonotempo.live.widget import LiveWidget
        from napari_sonotempo.shared.docks import main_window_of

        opening.raise_if_failed()
        viewer = napari.Viewer(title=f"{WINDOW_TITLE}{source}", show=False)
        widget = LiveWidget(viewer)
        dock = viewer.window.add_dock_widget(widget, name=TITLE, area="right")
    except BaseException:
        opening.close()
        raise
    screen = QGuiApplication.primaryScreen()
    if screen is not None:  # the status bar stays on a small screen
        room = screen.availableSize()
        sides = zip(_SIZE, (room.width(), room.height()), _FRAME_PX, strict=True)
        viewer.window.resize(*(min(wanted, there - frame) for wanted, there, frame in sides))
    window = main_window_of(widget)
    if window is not None:
        window.resizeDocks([dock], [_DOCK_PX], Qt.Orientation.Horizontal)
    widget.start_stream(
        source,
        models,
        sdk=sdk,
        engine=engine,
        threads=threads,
        structures=structures,
        along_motion=along_motion,
        are_default=are_default,
        opening=opening,
    )
    viewer.window.show()
    return viewer, widget


def run_live(*arguments: Any, loop: Callable[[], object] | None = None) -> None:
    """Open the viewer and show it until it is closed; then end everything.

    Args:
        arguments: of :func:`open_live`.
        loop: runs until the window is closed; by default napari's.
    """
    _, widget = open_live(*arguments)
    import napari

    try:
        (loop or napari.run)()
    finally:
        widget.cleanup()
