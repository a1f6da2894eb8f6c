"""The plot of areas over time: one strip per structure, and a line at the frame on screen."""

import math
from dataclasses import dataclass
from html import escape

import numpy as np
import pyqtgraph as pg  # takes the Qt binding that napari has imported
from napari.utils.theme import get_theme
from qtpy.QtCore import QPointF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFont, QMouseEvent, QPen
from qtpy.QtWidgets import QGraphicsItem, QToolTip

from napari_sonotempo.segment.areas import Areas, FloatArray
from napari_sonotempo.shared.colours import Rgb, contrast

_LINE = QColor(255, 158, 61)
_LEAST_CONTRAST = 3.0
_FONT_SIZE, _TICK_PX, _AXIS_PX, _DIGIT_PX, _NAME_LETTERS = "11px", 10, 32, 7, 24
_EMPTY_PX, _LEGEND_ROW_PX, _HEADING_PX, _STRIP_PX, _TIME_AXIS_PX = 60, 21, 18, 34, 36
_EMPTY = "Areas over time appear here<br>when a recording has been segmented."


@dataclass(frozen=True, slots=True)
class _Strip:
    """One structure: its view, the line in it, and the values at the line above it."""

    view: pg.ViewBox
    line: pg.InfiniteLine
    values: pg.LabelItem
    colors: tuple[QColor, ...]  # of the values, one per series


class AreaPlot(pg.GraphicsLayoutWidget):
    """Shows the area of every structure over time and marks the frame on screen.

    Model A is a solid line in the structure's colour, model B a dashed line in the text colour,
    the reference a broad grey band beneath them. Hovering shows the values under the mouse; a
    click or a drag asks for a frame.

    Args:
        theme: the name of one of napari's themes.

    Attributes:
        areas: on display, or None.
        frame: that the line marks, or None without a line.
    """

    frame_wanted = Signal(int)

    def __init__(self, theme: str) -> None:
        super().__init__()
        self.areas: Areas | None = None
        self.frame: int | None = None
        self._strips: list[_Strip] = []
        self.setInteractive(False)  # pyqtgraph would zoom, pan and open its menu
        self.ci.layout.setSpacing(0)
        self.ci.layout.setContentsMargins(4, 2, 12, 2)
        self.set_theme(theme)

    def sizeHint(self) -> QSize:
        """Ask for no more room than needed: pyqtgraph's hint would widen the dock."""
        return QSize(0, self.minimumHeight())

    def set_theme(self, theme: str) -> None:
        """Take the colours of one of napari's themes."""
        colors = get_theme(theme)
        self._ground, self._strip_ground, self._grid, self._text = (
            QColor(*color.as_rgb_tuple())
            for color in (colors.background, colors.foreground, colors.highlight, colors.text)
        )
        self.setBackground(self._ground)
        frame = self.frame
        self.show_areas(self.areas)
        if frame is not None:
            self.show_frame(frame)

    def show_areas(self, areas: Areas | None) -> None:
        """Show these areas; None empties the plot."""
        self.areas, self.frame, self._strips = areas, None, []
        self.clear()
        if areas is None:
            self.unsetCursor()
            self.setMinimumHeight(_EMPTY_PX)
            self._add_label(_EMPTY, 0, 0, "center")
            return
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        legend_px, count = _LEGEND_ROW_PX * len(areas.series), len(areas.structures)
        self.setMinimumHeight(legend_px + (_HEADING_PX + _STRIP_PX) * count + _TIME_AXIS_PX)
        legend = pg.LegendItem(labelTextColor=self._text, labelTextSize=_FONT_SIZE)
        for pen, one in zip(self._pens(areas, self._text), areas.series, strict=True):
            legend.addItem(pg.PlotDataItem(pen=pen), escape(one.name))
        self.addItem(legend, 0, 0, colspan=3)
        self.ci.layout.setRowFixedHeight(0, legend_px)
        self._strips = [self._add_strip(areas, k) for k in range(count)]

    def show_frame(self, frame: int) -> None:
        """Move the line to a frame, and show the areas in that frame."""
        if self.areas is None or frame == self.frame:
            return
        self.frame = frame
        for k, strip in enumerate(self._strips):
            strip.line.setValue(self.areas.times_s[frame])
            strip.line.show()
            numbers = (
                f'<span style="color: {color.name()}">{spelled(one.area_TK[frame, k])}</span>'
                for color, one in zip(strip.colors, self.areas.series, strict=True)
            )
            strip.values.setText(f"{'&nbsp;&nbsp;'.join(numbers)} {self.areas.unit}")

    def frame_at(self, x: float) -> int:
        """Return the frame nearest to a position in pixels from the left edge."""
        assert self.areas is not None
        time_s = self._strips[0].view.mapSceneToView(QPointF(x, 0.0)).x()
        return int(np.argmin(np.abs(self.areas.times_s - time_s)))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Ask for the frame under the mouse."""
        if self.areas is not None and event.buttons() & Qt.MouseButton.LeftButton:
            self.frame_wanted.emit(self.frame_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Ask for the frame under a drag; without a button, show the values under the mouse."""
        self.mousePressEvent(event)
        if self.areas is not None and not event.buttons():
            text = _described(self.areas, self.frame_at(event.position().x()))
            QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def _add_strip(self, areas: Areas, k: int) -> _Strip:
        structure, row = areas.structures.structures[k], 1 + 3 * k
        color = readable(QColor(*structure.color_rgb), self._strip_ground, self._text)
        name = structure.name
        if len(name) > _NAME_LETTERS:
            name = f"{name[: _NAME_LETTERS - 1]}…"
        square = f'<span style="color: {color.name()}">■</span>'
        self._add_label(f"{square} {escape(name)}", row, 0, "left", colspan=2)
        values = self._add_label("", row, 2, "right")
        self.ci.layout.setRowFixedHeight(row, _HEADING_PX)

        # Not a PlotItem: each would leave two hidden menus behind.
        view = self.addViewBox(row + 1, 1, colspan=2, enableMenu=False, enableMouse=False)
        view.setBackgroundColor(self._strip_ground)
        view.setXRange(0, float(areas.times_s[-1]) or 1.0, padding=0.005)
        highest = max(float(np.nanmax(one.area_TK[:, k], initial=0.0)) for one in areas.series)
        view.setYRange(0, highest or 1.0, padding=0.05)
        self.ci.layout.setRowStretchFactor(row + 1, 1)
        digits = len(f"{highest:.0f}")
        self._add_axis("left", view, row + 1, 0).setWidth(_AXIS_PX + _DIGIT_PX * max(0, digits - 3))
        time_axis = self._add_axis("bottom", view, row + 2, 1)
        time_axis.setGrid(90)
        if k + 1 == len(areas.structures):
            style = {"color": self._text.name(), "font-size": _FONT_SIZE}
            time_axis.setLabel("time / s", **style)
        else:
            time_axis.setStyle(showValues=False)
            time_axis.setHeight(0)

        pens = self._pens(areas, color)
        for one, pen in zip(areas.series, pens, strict=True):
            _add_curve(view, areas.times_s, one.area_TK[:, k], pen, is_below=one is areas.reference)
        line_color = readable(_LINE, self._strip_ground, self._text)
        line = pg.InfiniteLine(pen=pg.mkPen(line_color, width=2))
        line.hide()
        view.addItem(line, ignoreBounds=True)
        colors = (readable(pen.color(), self._ground, self._text) for pen in pens)
        return _Strip(view, line, values, tuple(colors))

    def _add_label(
        self, text: str, row: int, column: int, justify: str, colspan: int = 1
    ) -> pg.LabelItem:
        style = {"color": self._text, "size": _FONT_SIZE, "justify": justify}
        return self.addLabel(text, row, column, colspan=colspan, **style)

    def _add_axis(self, side: str, view: pg.ViewBox, row: int, column: int) -> pg.AxisItem:
        axis = pg.AxisItem(side, pen=self._grid, textPen=self._text, linkView=view)
        font = QFont()
        font.setPixelSize(_TICK_PX)
        axis.setStyle(tickFont=font, tickLength=0, maxTickLevel=0)
        axis.enableAutoSIPrefix(False)
        self.addItem(axis, row, column, colspan=1 if side == "left" else 2)
        return axis

    def _pens(self, areas: Areas, color: QColor) -> tuple[QPen, ...]:
        """Return how each series is drawn: models differ by dashes too, not by colour alone."""
        models = (pg.mkPen(color, width=1.8), pg.mkPen(self._text, width=1.4, dash=[4, 3]))
        reference = (pg.mkPen(self._grid, width=5),) if areas.reference is not None else ()
        return models[: len(areas.models)] + reference


def readable(color: QColor, ground: QColor, text: QColor) -> QColor:
    """Return a colour, mixed with the text's until it stands out from the ground by 3 to 1.

    The structures' colours are made for dark images; the ground of a theme may be light.
    """
    for share in np.linspace(0, 1, 21):
        mixed = QColor.fromRgbF(*(_rgb(color) * (1 - share) + _rgb(text) * share).tolist())
        if contrast(_bytes(mixed), _bytes(ground)) >= _LEAST_CONTRAST:
            break
    return mixed


def _bytes(color: QColor) -> Rgb:
    return (color.red(), color.green(), color.blue())


def _rgb(color: QColor) -> FloatArray:
    return np.array([color.redF(), color.greenF(), color.blueF()])


def _add_curve(
    view: pg.ViewBox, times_s: FloatArray, area_T: FloatArray, pen: QPen, *, is_below: bool
) -> None:
    """Add a curve with gaps at NaN; an area between two gaps is a dot."""
    known = np.concatenate([[False], np.isfinite(area_T), [False]])
    alone = known[1:-1] & ~known[:-2] & ~known[2:]
    curve = pg.PlotDataItem(times_s, area_T, pen=pen, connect="finite", antialias=True)
    curve.setDownsampling(auto=True, method="peak")
    # So that a move of the line does not paint the curves again.
    curve.curve.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
    dots = {"size": pen.widthF() + 1, "pen": None, "brush": pen.color()}
    for item in (curve, pg.ScatterPlotItem(times_s[alone], area_T[alone], **dots)):
        item.setZValue(-1 if is_below else 0)
        view.addItem(item, ignoreBounds=True)


def _described(areas: Areas, frame: int) -> str:
    """Return the areas of all structures in a frame as lines."""
    lines = [f"frame {areas.frame_numbers[frame]}, {areas.times_s[frame]:.2f} s"]
    for k, name in enumerate(areas.structures.names):
        values = (f"{one.name} {spelled(one.area_TK[frame, k])}" for one in areas.series)
        lines.append(f"{name}: {', '.join(values)} {areas.unit}")
    return "\n".join([*lines, "Click or drag to go to a frame."])


def spelled(area: float) -> str:
    """Return an area with one decimal below 100, and a dash where it is unknown.

    >>> spelled(3.14159), spelled(3141.59), spelled(math.nan)
    ('3.1', '3142', '–')
    """
    return "–" if math.isnan(area) else f"{area:.0f}" if area >= 100 else f"{area:.1f}"
