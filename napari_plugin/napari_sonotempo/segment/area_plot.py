"""The plot of areas over time: one strip a structure, a line at the frame that is shown.

Drawn with QPainter, as matplotlib is no part of napari. The curves are painted once into a picture;
a move of the time slider paints the picture, the line and the numbers beside it.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_sonotempo.segment.areas import Areas, FloatArray

# Its own colours on both of napari's themes: those of the structures are made for dark grounds.
_GROUND = QColor("#1b1d22")
_STRIP = QColor("#26292f")
_GRID = QColor("#3b3f47")
_TEXT = QColor("#d8dbe0")
_FAINT = QColor("#9aa0a8")
_SECOND = QColor("#ffffff")
_REFERENCE = QColor(150, 156, 166, 190)
_LINE = QColor("#ff9e3d")

_FONT_PX = 11
_LEFT, _RIGHT = 38, 8
_LEGEND_ROW, _AXIS, _HEADER, _GAP = 16, 30, 16, 3
_STRIP_MIN = 30
_EMPTY_HEIGHT = 60
_EMPTY = "Areas over time appear here when a recording has been segmented."


class AreaPlot(QWidget):
    """Shows the areas of every structure over time, and which frame is being looked at.

    A model's areas are a solid line in the structure's colour, those of a second one a dashed white
    line, the reference is a broad grey band beneath them. A click or drag wants a frame shown.
    """

    frame_wanted = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._areas: Areas | None = None
        self._frame: int | None = None
        self._picture: QPixmap | None = None
        font = self.font()
        font.setPixelSize(_FONT_PX)
        self.setFont(font)
        # napari's style sheet would give it another font.
        self.setStyleSheet(f"font-size: {_FONT_PX}px")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(_EMPTY_HEIGHT)

    @property
    def areas(self) -> Areas | None:
        """What is shown."""
        return self._areas

    @property
    def frame(self) -> int | None:
        """The position of the line, or None where there is none."""
        return self._frame

    def show_areas(self, areas: Areas | None) -> None:
        """Show other areas, or none."""
        self._areas, self._picture, self._frame = areas, None, None
        if areas is None:
            self.setMinimumHeight(_EMPTY_HEIGHT)
            self.unsetCursor()
            self.setToolTip("")
        else:
            strips = len(areas.structures) * (_HEADER + _STRIP_MIN + _GAP)
            self.setMinimumHeight(_legend_height(areas) + strips + _AXIS)
            self.setCursor(Qt.CursorShape.PointingHandCursor)
            self.setToolTip("Click or drag to go to a frame")
        self.update()

    def show_frame(self, frame: int | None) -> None:
        """Move the line to a frame."""
        if frame != self._frame:
            self._frame = frame
            self.update()

    def x_of(self, frame: int) -> float:
        """Return where a frame is, in pixels from the left."""
        assert self._areas is not None
        return float(self._x(self._areas.times_s[frame]))

    def frame_at(self, x: float) -> int:
        """Return the frame that is nearest to a place."""
        assert self._areas is not None
        return int(np.argmin(np.abs(self._x(self._areas.times_s) - x)))

    # --- events -----------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the frame under the mouse."""
        if self._areas is not None and event.buttons() & Qt.MouseButton.LeftButton:
            self.frame_wanted.emit(self.frame_at(event.position().x()))

    mouseMoveEvent = mousePressEvent  # without tracking it comes with a button only

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the curves from their picture, then the line."""
        painter = QPainter(self)
        if self._areas is None:
            painter.setPen(_FAINT)
            inside = self.rect().adjusted(8, 4, -8, -4)
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(inside, int(flags), _EMPTY)
            return
        wanted = self.size() * self.devicePixelRatioF()
        if self._picture is None or self._picture.size() != wanted:
            self._picture = self._painted(self._areas)
        painter.drawPixmap(0, 0, self._picture)
        if self._frame is not None:
            self._paint_line(painter, self._areas, self._frame)

    # --- painting ---------------------------------------------------------------------------

    def _painted(self, areas: Areas) -> QPixmap:
        """Paint all that stays when the line moves."""
        ratio = self.devicePixelRatioF()
        picture = QPixmap(self.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(_GROUND)
        painter = QPainter(picture)
        painter.setFont(self.font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_legend(painter, areas)
        self._paint_time_axis(painter)
        for k in range(len(areas.structures)):
            self._paint_strip(painter, areas, k)
        painter.end()
        return picture

    def _paint_legend(self, painter: QPainter, areas: Areas) -> None:
        metrics = QFontMetricsF(painter.font())
        for place, one in enumerate(areas.series):
            box = QRectF(6, 2 + place * _LEGEND_ROW, self.width() - 12, _LEGEND_ROW)
            middle = box.center().y()
            painter.setPen(_pen(areas, place, _TEXT))
            painter.drawLine(QPointF(10, middle), QPointF(30, middle))
            painter.setPen(_TEXT)
            box.setLeft(_LEFT)
            name = metrics.elidedText(one.name, Qt.TextElideMode.ElideRight, box.width())
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), name)

    def _paint_time_axis(self, painter: QPainter) -> None:
        top = self.height() - _AXIS
        painter.setPen(_FAINT)
        centre = int(Qt.AlignmentFlag.AlignHCenter)
        for time_s in self._ticks_s():
            x = float(self._x(time_s))
            painter.drawText(QRectF(x - 30, top + 1, 60, 13), centre, f"{time_s:g}")
        painter.drawText(QRectF(_LEFT, top + 14, self._plot_width(), 14), centre, "time / s")

    def _paint_strip(self, painter: QPainter, areas: Areas, k: int) -> None:
        structure = areas.structures.structures[k]
        colour = QColor(*structure.color_rgb)
        header, strip = self._header(k), self._strip(k)
        painter.fillRect(strip, _STRIP)
        painter.setPen(_GRID)
        for time_s in self._ticks_s():
            x = float(self._x(time_s))
            painter.drawLine(QPointF(x, strip.top()), QPointF(x, strip.bottom()))
        metrics = QFontMetricsF(painter.font())
        painter.fillRect(QRectF(header.left(), header.center().y() - 4, 8, 8), colour)
        painter.setPen(_TEXT)
        room = header.adjusted(13, 0, 0, 0)
        name = metrics.elidedText(
            structure.name, Qt.TextElideMode.ElideRight, room.width() - self._readout_width(areas)
        )
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), name)
        top = nice_top(max((_highest(one.area_TK[:, k]) for one in areas.series), default=0.0))
        painter.setPen(_FAINT)
        for value, y in ((top, strip.top()), (0.0, strip.bottom() - 12)):
            box = QRectF(0, y - 1, _LEFT - 4, 13)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignRight), f"{value:g}")
        painter.save()
        painter.setClipRect(strip.adjusted(-3, -1, 3, 1))
        # The reference lies beneath; the dashes of B let A be seen where the two are equal.
        order = [*range(len(areas.models), len(areas.series)), *range(len(areas.models))]
        for place in order:
            values = areas.series[place].area_TK[:, k]
            painter.setPen(_pen(areas, place, colour))
            y = strip.bottom() - values / top * (strip.height() - 2) - 1
            _paint_curve(painter, self._x(areas.times_s), y, int(strip.width()))
        painter.restore()

    def _paint_line(self, painter: QPainter, areas: Areas, frame: int) -> None:
        """Paint the line, and every structure's areas at it."""
        x = self.x_of(frame)
        metrics = QFontMetricsF(painter.font())
        column = self._column_width(areas)
        for k, structure in enumerate(areas.structures):
            strip, box = self._strip(k), self._header(k)
            painter.setPen(QPen(_LINE, 1.5))
            painter.drawLine(QPointF(x, strip.top()), QPointF(x, strip.bottom()))
            unit_room = metrics.horizontalAdvance(f" {areas.unit}")
            painter.setPen(_FAINT)
            right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            painter.drawText(box, right, areas.unit)
            edge = box.right() - unit_room
            for place in reversed(range(len(areas.series))):
                value = float(areas.series[place].area_TK[frame, k])
                painter.setPen(_pen(areas, place, QColor(*structure.color_rgb)).color())
                room = QRectF(edge - column, box.top(), column, box.height())
                painter.drawText(room, right, "–" if math.isnan(value) else spelled(value))
                edge -= column

    # --- places -----------------------------------------------------------------------------

    def _plot_width(self) -> float:
        return max(1.0, self.width() - _LEFT - _RIGHT)

    def _x(self, times_s: FloatArray | float) -> FloatArray:
        assert self._areas is not None
        last_s = float(self._areas.times_s[-1]) or 1.0
        return np.asarray(_LEFT + np.asarray(times_s) / last_s * self._plot_width())

    def _header(self, k: int) -> QRectF:
        return QRectF(_LEFT, self._top(k), self._plot_width(), _HEADER)

    def _strip(self, k: int) -> QRectF:
        top = self._top(k) + _HEADER
        return QRectF(_LEFT, top, self._plot_width(), self._top(k + 1) - _GAP - top)

    def _top(self, k: int) -> float:
        assert self._areas is not None
        legend = _legend_height(self._areas)
        return legend + k * (self.height() - legend - _AXIS) / len(self._areas.structures)

    def _ticks_s(self) -> FloatArray:
        """Return the times that are marked on the axis."""
        assert self._areas is not None
        last_s = float(self._areas.times_s[-1])
        if last_s <= 0:
            return np.zeros(1)
        step_s = nice_step(last_s / max(2, self._plot_width() // 40))
        return step_s * np.arange(math.floor(last_s / step_s + 1e-9) + 1, dtype=np.float64)

    def _column_width(self, areas: Areas) -> float:
        """Return the room for one number."""
        highest = max((_highest(one.area_TK) for one in areas.series), default=0.0)
        metrics = QFontMetricsF(self.font())
        digits = max(len(spelled(highest)), len(spelled(9.99)))
        return metrics.horizontalAdvance("0" * digits) + 8

    def _readout_width(self, areas: Areas) -> float:
        metrics = QFontMetricsF(self.font())
        unit = metrics.horizontalAdvance(f" {areas.unit}")
        return unit + len(areas.series) * self._column_width(areas) + 6


def _legend_height(areas: Areas) -> int:
    return len(areas.series) * _LEGEND_ROW + 6


def spelled(area: float) -> str:
    """Return an area with as many digits as one can use.

    >>> spelled(3.14159), spelled(31.4159), spelled(3141.59)
    ('3.1', '31.4', '3142')
    """
    return f"{area:.0f}" if area >= 1000 else f"{area:.1f}"


def nice_step(least: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is no less.

    >>> nice_step(0.3), nice_step(2.0), nice_step(7)
    (0.5, 2.0, 10.0)
    """
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least * (1 - 1e-9))


def nice_top(highest: float) -> float:
    """Return a round number that is no less than the highest value, and not 0.

    >>> nice_top(0.0), nice_top(31.0), nice_top(130.0)
    (1.0, 40.0, 150.0)
    """
    if not highest > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    tops = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
    return next(top * power for top in tops if top * power >= highest * (1 - 1e-9))


def thinned(
    x: NDArray[np.float64], y: NDArray[np.float64], columns: int
) -> tuple[FloatArray, FloatArray]:
    """Return two points for each of some columns, its lowest and highest, of a longer curve.

    >>> x, y = thinned(np.arange(8.0), np.array([0, 9, 1, 2, 3, 0, 5, 4.0]), 2)
    >>> y.tolist()
    [0.0, 9.0, 0.0, 5.0]
    """
    if len(x) <= 2 * columns:
        return x, y
    starts = np.linspace(0, len(x), columns, endpoint=False).astype(np.int64)
    lows, highs = np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)
    return np.repeat(x[starts], 2), np.column_stack([lows, highs]).ravel()


def _highest(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if known.size else 0.0


def _pen(areas: Areas, place: int, colour: QColor) -> QPen:
    """Return how a series is drawn; models differ by dashes too, not by colour alone."""
    if place >= len(areas.models):
        pen = QPen(_REFERENCE, 5.0)
    elif place == 0:
        pen = QPen(colour, 1.8)
    else:
        pen = QPen(_SECOND, 1.4)
        pen.setDashPattern([4.0, 3.0])
    pen.setCapStyle(Qt.PenCapStyle.FlatCap if place == 1 else Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    return pen


def _paint_curve(painter: QPainter, x: FloatArray, y: FloatArray, columns: int) -> None:
    """Paint a curve with gaps where y is NaN; a point that stands alone is a dot."""
    x, y = thinned(x, y, columns)
    for run in _runs(np.isfinite(y)):
        points = [QPointF(float(x[i]), float(y[i])) for i in run]
        if len(points) == 1:
            painter.drawPoint(points[0])
        else:
            painter.drawPolyline(points)


def _runs(known: NDArray[np.bool_]) -> Sequence[range]:
    """Return the runs of True.

    >>> _runs(np.array([True, True, False, True]))
    [range(0, 2), range(3, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(np.int8), [0]])))
    return [range(a, b) for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)]
