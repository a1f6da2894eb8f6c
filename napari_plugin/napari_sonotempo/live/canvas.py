"""The widget that shows the live picture; the wheel zooms, dragging moves, a double click fits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QPointF, QRectF, Qt, QTimer, Signal
from qtpy.QtGui import QFontMetricsF, QImage, QPainter
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_sonotempo.live.painter import ScenePainter
from napari_sonotempo.live.picture import shown_region
from napari_sonotempo.live.places import Places, Zoom
from napari_sonotempo.live.scene import Scene

_ZOOM_STEP = 1.2
_ZOOM_LIMIT = 12.0
# Letters that are read from five metres are about a 28th of the screen's height (1 : 200 of the
# distance, on a screen of 0.7 m).
_FAR_LETTERS = 1 / 28
_GRIP_LINES = 0.6  # how near an edge is taken hold of, in heights of the letters


class LiveCanvas(QWidget):
    """Draws a scene.

    Args:
        is_presentation: whether letters are as large as an audience needs.
    """

    painted = Signal(int)  # the frame's number
    left_presentation = Signal()
    # While a box or a ruler is set up: row and column in the frame, and how far a grip reaches.
    pressed = Signal(float, float, float)
    dragged = Signal(float, float)
    released = Signal()

    def __init__(self, *, is_presentation: bool = False) -> None:
        super().__init__()
        self._scene = Scene()
        self._painter = ScenePainter()
        self._places: Places | None = None
        self._zoom = Zoom()
        self._dragged_from: QPointF | None = None
        self.is_presentation = is_presentation
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        # A separate window for the window system: otherwise each painting would be composed with
        # napari's OpenGL canvas, though that is hidden (14 ms with software OpenGL).
        self.setAttribute(Qt.WidgetAttribute.WA_DontCreateNativeAncestors)
        self.setAttribute(Qt.WidgetAttribute.WA_NativeWindow)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(200, 150)
        self.setAccessibleName("live picture")

    @property
    def scene(self) -> Scene:
        """What is shown."""
        return self._scene

    @property
    def places(self) -> Places | None:
        """Where the parts are; None before the first painting."""
        return self._places

    @property
    def zoom(self) -> Zoom:
        """Which part of the picture is visible."""
        return self._zoom

    @property
    def text_px(self) -> float:
        """Size of the letters."""
        if self.is_presentation:
            return max(12.0, self.height() * _FAR_LETTERS)
        return QFontMetricsF(self.font()).height() * 0.85

    def show_scene(self, scene: Scene) -> None:
        """Show a scene; a frame of another size is shown whole."""
        before, after = self._scene.result, scene.result
        shapes = {one.frame.image_HW.shape for one in (before, after) if one is not None}
        if len(shapes) > 1 or (self._scene.draft is None) != (scene.draft is None):
            self._zoom = Zoom()
        self._scene = scene
        self.update()

    def picture(self) -> NDArray[np.uint8]:
        """Return what is shown, as RGBA of the widget's size."""
        ratio = self.devicePixelRatioF()
        image = QImage(self.size() * ratio, QImage.Format.Format_RGBA8888)
        image.setDevicePixelRatio(ratio)
        painter = QPainter(image)
        ScenePainter().paint(painter, QRectF(self.rect()), self._scene, self.text_px, self._zoom)
        painter.end()
        return pixels_of(image)

    # --- events -----------------------------------------------------------------------------

    def paintEvent(self, _event: Any) -> None:
        """Draw the scene."""
        painter = QPainter(self)
        self._places = self._painter.paint(
            painter, QRectF(self.rect()), self._scene, self.text_px, self._zoom
        )
        painter.end()
        if self._scene.result is not None:
            self.painted.emit(self._scene.result.frame.index)

    def event(self, event: QEvent) -> bool:
        """Stay opaque, and name the structure under a resting pointer."""
        if event.type() == QEvent.Type.ToolTip:
            self._tell(event)
            return True
        done = bool(super().event(event))
        if event.type() in (QEvent.Type.Polish, QEvent.Type.StyleChange):
            # napari's style sheet has taken it: all windows below would be painted each time.
            self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        return done

    def moveEvent(self, event: Any) -> None:
        """Stay in the corner of the panel.

        X11 reports the place of a native widget in its window, which Qt at times takes for its
        place in its parent: the picture then covers the controls.
        """
        super().moveEvent(event)
        if self.parentWidget() is not None and not self.pos().isNull():
            QTimer.singleShot(0, self, lambda: self.move(0, 0))

    def wheelEvent(self, event: Any) -> None:
        """Zoom about the pointer."""
        at = self._share_at(event.position())
        if at is None:
            return
        by = _ZOOM_STEP ** (event.angleDelta().y() / 120)
        factor = min(_ZOOM_LIMIT, max(1.0, self._zoom.factor * by))
        # What is under the pointer stays there.
        keeps = self._zoom.factor / factor
        row, column = (a + (c - a) * keeps for a, c in zip(at, self._zoom.centre, strict=True))
        self._zoom = self._kept(Zoom(factor, (row, column)))
        event.accept()
        self.update()

    def mousePressEvent(self, event: Any) -> None:
        """Begin to move the picture, or what is set up on it."""
        if self._scene.draft is not None:
            place = self._place_at(event.position())
            if place is not None:
                self.pressed.emit(*place, _GRIP_LINES * self.text_px * self._px_per_screen_px())
            return
        self._dragged_from = event.position()

    def mouseMoveEvent(self, event: Any) -> None:
        """Move the picture with the pointer, or what is set up on it."""
        if self._scene.draft is not None:
            place = self._place_at(event.position(), anywhere=True)
            if self._scene.draft.held is not None and place is not None:
                self.dragged.emit(*place)
            return
        begin, end = (
            self._share_at(self._dragged_from, anywhere=True) if self._dragged_from else None,
            self._share_at(event.position(), anywhere=True),
        )
        if begin is not None and end is not None:
            row, column = (c + b - e for c, b, e in zip(self._zoom.centre, begin, end, strict=True))
            self._zoom = self._kept(Zoom(self._zoom.factor, (row, column)))
            self._dragged_from = event.position()
            self.update()

    def mouseReleaseEvent(self, _event: Any) -> None:
        """End the move."""
        self._dragged_from = None
        self.released.emit()

    def mouseDoubleClickEvent(self, _event: Any) -> None:
        """Show all of the picture."""
        self._zoom = Zoom()
        self.update()

    def closeEvent(self, event: Any) -> None:
        """Closing the full screen goes back to the window."""
        if self.is_presentation:
            self.left_presentation.emit()
        super().closeEvent(event)

    # --- places -----------------------------------------------------------------------------

    def _share_at(self, at: QPointF, *, anywhere: bool = False) -> tuple[float, float] | None:
        """Return a place as a share of the shown region, or None outside every picture."""
        found = self._panel_at(at, anywhere=anywhere)
        if found is None or self._scene.result is None:
            return None
        panel = found[1]
        region = shown_region(self._scene.result, whole_frame=self._scene.is_whole_frame)
        visible = self._zoom.of(region)
        row = visible.top + (at.y() - panel.top()) / panel.height() * visible.height
        column = visible.left + (at.x() - panel.left()) / panel.width() * visible.width
        return (row - region.top) / region.height, (column - region.left) / region.width

    def _place_at(self, at: QPointF, *, anywhere: bool = False) -> tuple[float, float] | None:
        """Return a place as row and column of the frame, or None outside every picture."""
        share = self._share_at(at, anywhere=anywhere)
        if share is None or self._scene.result is None:
            return None
        region = shown_region(self._scene.result, whole_frame=self._scene.is_whole_frame)
        return region.top + share[0] * region.height, region.left + share[1] * region.width

    def _px_per_screen_px(self) -> float:
        """Return how many pixels of the frame a pixel of the screen shows."""
        if self._scene.result is None or self._places is None:
            return 1.0
        region = shown_region(self._scene.result, whole_frame=self._scene.is_whole_frame)
        return self._zoom.of(region).width / self._places.panels[0].width()

    def _panel_at(self, at: QPointF, *, anywhere: bool = False) -> tuple[int, QRectF] | None:
        panels = self._places.panels if self._places is not None else ()
        for number, panel in enumerate(panels):
            if panel.contains(at):
                return number, panel
        return (0, panels[0]) if anywhere and panels else None

    @staticmethod
    def _kept(zoom: Zoom) -> Zoom:
        """Keep the middle where the visible part does not leave the picture."""
        half = 0.5 / zoom.factor
        row, column = (min(1 - half, max(half, one)) for one in zoom.centre)
        return Zoom(zoom.factor, (row, column))

    def _tell(self, event: Any) -> None:
        """Show a tool tip with what the models find at the pointer."""
        text = self._words_at(QPointF(event.pos()))
        if text:
            QToolTip.showText(event.globalPos(), text, self)
        else:
            QToolTip.hideText()

    def _words_at(self, at: QPointF) -> str:
        scene, found = self._scene, self._panel_at(at)
        share = self._share_at(at)
        if found is None or share is None or scene.structures is None or scene.result is None:
            return ""
        place = self._place_at(at)
        assert place is not None  # there is a share
        row, column = (int(one) for one in place)
        sides = (found[0],) if scene.is_double else scene.sides
        names = ("nothing", *scene.structures.names)
        said = []
        for side in sides:
            if side < len(scene.result.predictions):
                mask_HW = scene.result.predictions[side].mask_HW()
                said.append(f"{'AB'[side]}: {names[mask_HW[row, column]]}")
        return "\n".join(said)


def pixels_of(image: QImage) -> NDArray[np.uint8]:
    """Return a copy of an RGBA image's pixels, HW4."""
    height, width = image.height(), image.width()
    rows = np.frombuffer(image.constBits(), np.uint8, height * image.bytesPerLine())
    return rows.reshape(height, -1)[:, : 4 * width].reshape(height, width, 4).copy()
