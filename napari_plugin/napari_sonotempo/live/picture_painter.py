"""Draws one picture of a scene: the frame, masks, names with leader lines, the scale bar."""

from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import (
    QBrush,
    QColor,
    QFontMetricsF,
    QImage,
    QPainter,
    QPainterPath,
    QPen,
    QTransform,
)

from napari_sonotempo.live.framing.marks import draw_marks
from napari_sonotempo.live.name_places import NamePlaces
from napari_sonotempo.live.picture import DIFFERENCE_RGB, Mask, Region
from napari_sonotempo.live.scene import Scene
from napari_sonotempo.shared.colours import TEXT
from sonotempo.live.history import StepResult
from sonotempo.recording import Spacing

_DIFFERENCE_OPACITY = 0.7  # at least
_LIGHTER = 0.65
_BROAD = 2.6  # of a thin line
_FAINTEST = 0.4  # of the opacity, just above the confidence at which hatching begins
_HATCH_LINE = 22.0  # the height of a text line at which the pattern has Qt's own size
_NAMES_FROM = 14.0  # lines of text that a picture must be wide to have names in it
_NAME_MARGIN = 0.3  # in lines of text
_NAME_GROUND = QColor(0, 0, 0, 150)
_BARS_MM = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_LEAST_BAR = 0.12  # of the picture's width


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """The masks of one result, ready to be drawn.

    Attributes:
        masks: of A and B, or fewer.
        paths: the outlines to draw, by label; of the difference where that is shown.
    """

    masks: tuple[Mask, ...] = ()
    paths: tuple[dict[int, QPainterPath], ...] = ()


class PicturePainter:
    """Draws the first or the second picture; remembers where its names are."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._names = NamePlaces()

    def paint(  # noqa: PLR0917
        self,
        painter: QPainter,
        panel: QRectF,
        scene: Scene,
        result: StepResult,
        traced: Traced,
        visible: Region,
        line: float,
    ) -> None:
        """Draw into a panel.

        Args:
            painter: of the widget or image.
            panel: where.
            scene: how.
            result: whose frame.
            traced: its masks.
            visible: the part of the frame.
            line: height of a line of text.
        """
        image_HW = np.ascontiguousarray(result.frame.image_HW)
        height, width = image_HW.shape
        image = QImage(image_HW.data, width, height, width, QImage.Format.Format_Grayscale8)
        painter.save()
        painter.setClipRect(panel)
        source = QRectF(visible.left, visible.top, visible.width, visible.height)
        painter.drawImage(panel, image, source)
        to_canvas = QTransform()
        to_canvas.translate(panel.left(), panel.top())
        to_canvas.scale(panel.width() / visible.width, panel.height() / visible.height)
        to_canvas.translate(-visible.left, -visible.top)
        if scene.draft is not None:
            draw_marks(painter, scene.draft, to_canvas, line)
        elif scene.is_difference:
            _draw_difference(painter, to_canvas, scene, traced)
        else:
            self._draw_masks(painter, to_canvas, scene, traced, line)
            self._draw_names(painter, panel, scene, traced, to_canvas, line)
        if result.frame.spacing_mm is not None:
            _draw_scale_bar(painter, panel, result.frame.spacing_mm, visible, line)
        painter.restore()

    def _draw_masks(
        self, painter: QPainter, to_canvas: QTransform, scene: Scene, traced: Traced, line: float
    ) -> None:
        thin = max(1.5, line / 11)
        for side in (self._number,) if scene.is_double else scene.sides:
            for label, path in (traced.paths[side] if side < len(traced.paths) else {}).items():
                color, mapped = color_of(scene, label), to_canvas.map(path)
                is_unsure = scene.is_unsure(side, label)
                if scene.is_both:
                    # A is a broad line in the structure's colour and B a thin, light one on top
                    # of it: distinct for colour-blind people too.
                    pen = QPen(color, _BROAD * thin) if side == 0 else QPen(lighter(color), thin)
                elif scene.style.outline:
                    pen = QPen(color, thin)
                else:
                    pen = QPen(color, 0.7 * thin)
                    painter.fillPath(mapped, _filling(scene, side, label, color, line))
                if is_unsure:
                    pen.setStyle(Qt.PenStyle.DashLine)
                painter.strokePath(mapped, pen)

    def _draw_names(  # noqa: PLR0917
        self,
        painter: QPainter,
        panel: QRectF,
        scene: Scene,
        traced: Traced,
        to_canvas: QTransform,
        line: float,
    ) -> None:
        side = self._number if scene.is_double else scene.sides[0] if scene.sides else 0
        is_wide = panel.width() >= _NAMES_FROM * line
        structures = scene.structures
        if not scene.style.names or not is_wide or structures is None or side >= len(traced.masks):
            return
        region = traced.masks[side].region
        # Where the whole mask would be, even if only a part of it is visible.
        whole = to_canvas.mapRect(QRectF(region.left, region.top, region.width, region.height))
        metrics = QFontMetricsF(painter.font())
        sizes = {
            label: (
                1.05 * line / whole.height(),
                (metrics.horizontalAdvance(name) + 2 * _NAME_MARGIN * line) / whole.width(),
            )
            for label, name in enumerate(structures.names, start=1)
            if label not in scene.style.hidden
        }
        seen = tuple(
            ((y - whole.top()) / whole.height(), (x - whole.left()) / whole.width())
            for y, x in ((panel.top(), panel.left()), (panel.bottom(), panel.right()))
        )
        placed = self._names.place(
            traced.masks[side].labels_HW,
            sizes,
            (line / whole.height(), line / whole.width()),
            (seen[0], seen[1]),
        )
        for one in placed:
            rows, columns = sizes[one.label]
            box = QRectF(0, 0, columns * whole.width(), rows * whole.height())
            box.moveCenter(_within(whole, one.centre))
            tip = _within(whole, one.tip)
            name = structures.names[one.label - 1]
            _draw_name(painter, box, tip, name, color_of(scene, one.label), line)


def _filling(scene: Scene, side: int, label: int, color: QColor, line: float) -> QBrush:
    """Return how to fill a structure: fainter the less sure the model is, then hatched."""
    if scene.is_unsure(side, label):
        return hatching(color, line)
    confidence, least = scene.confidence(side, label), scene.style.unsure_below
    share = 1.0
    if confidence is not None and least:
        share = _FAINTEST + (1 - _FAINTEST) * (confidence - least) / max(1e-6, 1 - least)
    filled = QColor(color)
    filled.setAlphaF(scene.style.opacity * share)
    return QBrush(filled)


def hatching(color: QColor, line: float) -> QBrush:
    """Return the brush of a structure that a model is unsure of, as coarse as the text."""
    brush = QBrush(color, Qt.BrushStyle.BDiagPattern)
    brush.setTransform(QTransform.fromScale(line / _HATCH_LINE, line / _HATCH_LINE))
    return brush


def _within(whole: QRectF, share: tuple[float, float]) -> QPointF:
    """Return the place at a share of a rectangle's height and width."""
    return QPointF(whole.left() + share[1] * whole.width(), whole.top() + share[0] * whole.height())


def _draw_name(  # noqa: PLR0917
    painter: QPainter, box: QRectF, tip: QPointF, name: str, color: QColor, line: float
) -> None:
    start = QPointF(
        min(max(tip.x(), box.left()), box.right()), min(max(tip.y(), box.top()), box.bottom())
    )
    painter.setPen(QPen(lighter(color), max(1.0, line / 16)))
    painter.drawLine(start, tip)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_NAME_GROUND)
    painter.drawRoundedRect(box, 0.25 * line, 0.25 * line)
    painter.setPen(QColor(*TEXT))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, name)


def _draw_difference(
    painter: QPainter, to_canvas: QTransform, scene: Scene, traced: Traced
) -> None:
    for value, path in (traced.paths[0] if traced.paths else {}).items():
        color = QColor(*DIFFERENCE_RGB[value - 1])
        color.setAlphaF(max(_DIFFERENCE_OPACITY, scene.style.opacity))
        painter.fillPath(to_canvas.map(path), QBrush(color))


def _draw_scale_bar(
    painter: QPainter, panel: QRectF, spacing_mm: Spacing, visible: Region, line: float
) -> None:
    px_per_mm = panel.width() / (visible.width * spacing_mm[1])
    least_mm = _LEAST_BAR * panel.width() / px_per_mm
    bar_mm = next((one for one in _BARS_MM if one >= least_mm), _BARS_MM[-1])
    x, y, length = panel.left() + 0.5 * line, panel.bottom() - 0.5 * line, bar_mm * px_per_mm
    for color, width in ((QColor(0, 0, 0), 4.0), (QColor(*TEXT), 2.0)):
        painter.setPen(QPen(color, width * max(1.0, line / 16)))
        painter.drawLine(QPointF(x, y), QPointF(x + length, y))
    box = QRectF(x, y - 1.15 * line, max(length, 4 * line), line)
    for color, shift in ((QColor(0, 0, 0), 1.0), (QColor(*TEXT), 0.0)):
        painter.setPen(color)
        painter.drawText(box.translated(shift, shift), Qt.AlignmentFlag.AlignLeft, f"{bar_mm:g} mm")


def color_of(scene: Scene, label: int) -> QColor:
    """Return the colour of a structure."""
    assert scene.structures is not None  # there are no labels without them
    return QColor(*scene.structures.structures[label - 1].color_rgb)


def lighter(color: QColor) -> QColor:
    """Return a colour close to white, for a thin line on a broad one."""
    parts = (color.red(), color.green(), color.blue())
    return QColor(*(round(part + (255 - part) * _LIGHTER) for part in parts))
