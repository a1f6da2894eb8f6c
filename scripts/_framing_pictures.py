"""The pictures of setting up a scanner's screen: its box and its scale, by dragging and clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from _scanner_window import LEFT, TOP, ScannerWindow
from _window import open_viewer, save, wait, wait_for

if TYPE_CHECKING:
    from pathlib import Path

_SIDE = 400
_RULER_MM = 30


def picture_framing(out: Path, size: tuple[int, int]) -> None:
    """Capture a window that plays a simulated scan; save ``napari-framing.png`` and what follows.

    The screen must be larger than both windows: the scanner's is to the right of napari's.
    """
    from qtpy.QtCore import QPoint, Qt  # noqa: PLC0415
    from qtpy.QtTest import QTest  # noqa: PLC0415

    from napari_sonotempo.live.widget import LiveWidget  # noqa: PLC0415

    viewer = open_viewer()
    viewer.window.resize(*size)
    widget = LiveWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Live comparison")
    scanner = ScannerWindow(size=_SIDE)
    scanner.move(size[0] + 20, 0)
    scanner.show()
    place = scanner.geometry()
    region = f"{place.x()},{place.y()},{place.width()}x{place.height()}"
    link: Any = widget.link
    wait_for(lambda: widget.models_box.chosen() != (), "the ready-made models")
    widget.start_stream(f"capture://screen?region={region}&fps=20")
    wait_for(lambda: link.shown is not None and bool(link.shown.predictions), "masks")
    wait_for(lambda: link.shown.frame.area is not None, "the image's box")

    def at(row: float, column: float) -> QPoint:
        canvas = link.stage.canvas
        canvas.repaint()
        panel = canvas.places.panels[0]
        return QPoint(
            round(panel.left() + column / place.width() * panel.width()),
            round(panel.top() + row / place.height() * panel.height()),
        )

    def press(button: Any) -> None:
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        wait(0.3)

    panel = widget.framing_panel
    press(panel.begin)
    canvas, draft = link.stage.canvas, widget.framing.draft
    assert draft is not None  # the button has begun it
    bottom = draft.box.bottom
    begin, end = at(bottom, LEFT + _SIDE / 2), at(TOP + _SIDE, LEFT + _SIDE / 2)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=begin)
    QTest.mouseMove(canvas, end)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=end)
    press(panel.tools.button(1))
    for mm in (0, _RULER_MM):
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=at(*scanner.tick(mm)))
        wait(0.2)
    panel.distance_mm.setValue(_RULER_MM)
    wait(1.0)
    save(viewer, out / "napari-framing.png")
    press(panel.keep)
    wait_for(lambda: link.shown.frame.spacing_mm is not None, "the scale")
    wait(2.0)
    save(viewer, out / "napari-framing-kept.png")
    widget.cleanup()
    scanner.close()
    viewer.close()
