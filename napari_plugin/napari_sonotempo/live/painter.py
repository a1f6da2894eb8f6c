"""Draws a scene with QPainter: verdict, pictures with titles, legend, notes.

The same code draws in the window, on a full screen and for snapshots, at any size.
"""

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter

from napari_sonotempo.live.legend import draw_legend
from napari_sonotempo.live.picture import Region, difference, on_one_grid, shown_region
from napari_sonotempo.live.picture_painter import PicturePainter, Traced
from napari_sonotempo.live.places import Places, Zoom, places_of
from napari_sonotempo.live.scene import Scene
from napari_sonotempo.live.shapes import label_paths
from napari_sonotempo.live.texts import draw_pill, pill_width, write_text
from napari_sonotempo.shared.colours import GROUND, RECORDING, TEXT, VERDICTS
from sonotempo.live.history import StepResult

NOT_SEGMENTED = "not segmented"
_NO_PICTURE = Region(0.0, 0.0, 3.0, 4.0)
_LEAST_TEXT_PX = 6


class ScenePainter:
    """Draws scenes one after another; traces the masks of a result only once."""

    def __init__(self) -> None:
        self._pictures = (PicturePainter(0), PicturePainter(1))
        self._result: StepResult | None = None
        self._traced_for: tuple[object, ...] = ()
        self._traced = Traced()

    def paint(
        self, painter: QPainter, size: QRectF, scene: Scene, text_px: float, zoom: Zoom
    ) -> Places:
        """Draw a scene; return where its parts are.

        Args:
            painter: of the widget or image.
            size: the room.
            scene: what to draw.
            text_px: size of the letters.
            zoom: which part of the pictures to show.
        """
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        font = QFont(painter.font())
        font.setPixelSize(max(_LEAST_TEXT_PX, round(text_px)))
        painter.setFont(font)
        line = QFontMetricsF(font).height()
        painter.fillRect(size, QColor(*GROUND))
        result = scene.result
        region, aspect = _region_of(scene)
        places = places_of(scene, size, line, aspect)
        _draw_header(painter, places.header, scene, line)
        if result is None:
            painter.setPen(QColor(*TEXT))
            painter.drawText(places.middle, Qt.AlignmentFlag.AlignCenter, scene.waiting)
        else:
            traced, visible = self._trace(scene, result), zoom.of(region)
            for picture, panel in zip(self._pictures, places.panels, strict=False):
                picture.paint(painter, panel, scene, result, traced, visible, line)
            is_segmented = bool(result.predictions) or scene.draft is not None
            for title, rect in zip(scene.titles(), places.titles, strict=False):
                text = title if is_segmented else f"{title}: {NOT_SEGMENTED}"
                write_text(painter, rect, text, TEXT, bold=True)
        draw_legend(painter, places.legend, scene, line)
        write_text(painter, places.notes, " · ".join(scene.notes), TEXT, centred=True)
        return places

    def _trace(self, scene: Scene, result: StepResult) -> Traced:
        """Return the outlines of the masks; those of the last time if nothing has changed."""
        wanted = (scene.is_difference, scene.style.hidden, scene.names)
        if self._result is not result or self._traced_for != wanted:
            self._result, self._traced_for = result, wanted
            masks = on_one_grid(result.predictions[: len(scene.names)], scene.style.hidden)
            drawn = difference(masks) if scene.is_difference else masks
            self._traced = Traced(masks, tuple(label_paths(mask) for mask in drawn))
        return self._traced


def _region_of(scene: Scene) -> tuple[Region, float]:
    """Return the region of the frame to show, and its width over its height as it is shown."""
    result = scene.result
    if result is None:
        return _NO_PICTURE, _NO_PICTURE.width / _NO_PICTURE.height
    region = shown_region(result, whole_frame=scene.is_whole_frame)
    row, column = result.frame.pixel_size
    return region, region.width * column / (region.height * row)


def _draw_header(painter: QPainter, rect: QRectF, scene: Scene, line: float) -> None:
    """Draw the verdict, its details, and the mark of a recording."""
    verdict = scene.verdict
    left, right = rect.left(), rect.right()
    if verdict.word:
        colors = VERDICTS[verdict.level]
        left = draw_pill(painter, rect.topLeft(), verdict.word, colors, line).right() + 0.6 * line
    if scene.recording:
        text = f"● REC  {scene.recording}"
        right -= pill_width(painter, text, line)
        draw_pill(painter, QPointF(right, rect.top()), text, RECORDING, line)
        right -= 0.6 * line
    room = QRectF(left, rect.top(), max(0.0, right - left), rect.height())
    write_text(painter, room, verdict.detail, TEXT)
