"""Lines of text on the live picture, and words on a coloured ground."""

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter

from napari_sonotempo.shared.colours import Rgb

_PILL_HEIGHT = 1.3  # in lines of text
_PILL_MARGIN = 0.6


def write_text(
    painter: QPainter,
    rect: QRectF,
    text: str,
    rgb: Rgb,
    *,
    bold: bool = False,
    centred: bool = False,
) -> None:
    """Write a line of text; what does not fit is cut with an ellipsis."""
    painter.save()
    font = QFont(painter.font())
    font.setBold(bold)
    painter.setFont(font)
    painter.setPen(QColor(*rgb))
    shown = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, rect.width() + 1)
    side = Qt.AlignmentFlag.AlignHCenter if centred else Qt.AlignmentFlag.AlignLeft
    painter.drawText(rect, side | Qt.AlignmentFlag.AlignVCenter, shown)
    painter.restore()


def pill_width(painter: QPainter, text: str, line: float) -> float:
    """Return how wide a word on a coloured ground is."""
    font = QFont(painter.font())
    font.setBold(True)
    return QFontMetricsF(font).horizontalAdvance(text) + 2 * _PILL_MARGIN * line


def draw_pill(
    painter: QPainter, at: QPointF, text: str, ground_and_text: tuple[Rgb, Rgb], line: float
) -> QRectF:
    """Draw a word on a coloured ground; return where it is."""
    ground, rgb = ground_and_text
    box = QRectF(at.x(), at.y(), pill_width(painter, text, line), line * _PILL_HEIGHT)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(*ground))
    painter.drawRoundedRect(box, 0.3 * line, 0.3 * line)
    write_text(painter, box, text, rgb, bold=True, centred=True)
    return box
