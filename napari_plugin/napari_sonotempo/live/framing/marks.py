"""Draws the box and the ruler's ticks over the picture while they are set up."""

import math

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPainterPath, QPen, QTransform

from napari_sonotempo.live.framing.draft import Draft
from sonotempo.recording import Box

_COLOR = (240, 228, 66)  # yellow of Okabe & Ito 2008, on grey and on menus of any colour
_SHADE = QColor(0, 0, 0, 110)
_HANDLE = 0.28  # in lines of text
_CROSS = 0.55
_STEPS = 40  # of an arc


def draw_marks(painter: QPainter, draft: Draft, to_canvas: QTransform, line: float) -> None:
    """Draw a draft.

    Args:
        painter: of the picture, clipped to it.
        draft: what to draw.
        to_canvas: from pixels of the frame, x then y.
        line: height of a line of text.
    """
    box = to_canvas.mapRect(_rect(draft.box))
    whole = to_canvas.mapRect(_rect(Box(0, 0, *draft.shape_HW)))
    outside = QPainterPath()
    outside.addRect(whole)
    outside.addRect(box)
    painter.fillPath(outside, _SHADE)  # odd-even: around the box only
    is_box = draft.tool == "box"
    painter.setBrush(Qt.BrushStyle.NoBrush)
    _stroke(painter, line, is_dashed=not is_box)
    painter.drawRect(box)
    if is_box:
        painter.setBrush(QColor(*_COLOR))
        for place in _handles(box):
            side = _HANDLE * line
            painter.drawRect(QRectF(place.x() - side, place.y() - side, 2 * side, 2 * side))
    if draft.sector is not None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        _stroke(painter, line, is_dashed=True)
        painter.drawPath(to_canvas.map(_sector_path(draft)))
    ticks = [to_canvas.map(QPointF(column, row)) for row, column in draft.ticks]
    _stroke(painter, line)
    if len(ticks) == 2:
        painter.drawLine(ticks[0], ticks[1])
    for at in ticks:
        arm = _CROSS * line
        painter.drawLine(QPointF(at.x() - arm, at.y()), QPointF(at.x() + arm, at.y()))
        painter.drawLine(QPointF(at.x(), at.y() - arm), QPointF(at.x(), at.y() + arm))


def _sector_path(draft: Draft) -> QPainterPath:
    """Return the outline of the image in the box, in pixels of the frame."""
    sector = draft.framing(None).sector
    assert sector is not None  # the caller has looked
    path = QPainterPath()
    turn = sector.right_rad - sector.left_rad
    for radius, angles in (
        (sector.inner_px, [sector.left_rad + turn * step / _STEPS for step in range(_STEPS + 1)]),
        (sector.outer_px, [sector.right_rad - turn * step / _STEPS for step in range(_STEPS + 1)]),
    ):
        for angle in angles:
            place = QPointF(
                sector.apex_column + radius * math.sin(angle),
                sector.apex_row + radius * math.cos(angle),
            )
            if path.elementCount() == 0:
                path.moveTo(place)
            else:
                path.lineTo(place)
    path.closeSubpath()
    return path


def _handles(box: QRectF) -> tuple[QPointF, ...]:
    """Return the corners and the middles of the edges."""
    middle = box.center()
    return (
        box.topLeft(), box.topRight(), box.bottomLeft(), box.bottomRight(),
        QPointF(middle.x(), box.top()), QPointF(middle.x(), box.bottom()),
        QPointF(box.left(), middle.y()), QPointF(box.right(), middle.y()),
    )  # fmt: skip


def _stroke(painter: QPainter, line: float, *, is_dashed: bool = False) -> None:
    style = Qt.PenStyle.DashLine if is_dashed else Qt.PenStyle.SolidLine
    painter.setPen(QPen(QColor(*_COLOR), max(1.5, line / 9), style))


def _rect(box: Box) -> QRectF:
    return QRectF(box.left, box.top, box.right - box.left, box.bottom - box.top)
