"""A strip along time that shows where each frame's mask comes from, and the marks on it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_sonotempo.shared.colours import GROUND, TEXT, Rgb
from sonotempo.io.marks import Mark
from sonotempo.label_origin import Origin

#: The colour of each kind of mask, from the least to the most certain, after Okabe and Ito: they
#: stay distinct for colour-blind people. What is reviewed is also taller.
COLOURS: dict[str, Rgb] = {
    "none": (58, 63, 72),
    "propagated": (230, 159, 0),
    "model": (204, 121, 167),
    "accepted": (86, 180, 233),
    "empty": (235, 235, 235),
    "human": (0, 114, 178),
}
_NAMES = {"empty": "empty (confirmed)", "none": "no mask"}
_REVIEWED = frozenset({"human", "accepted", "empty"})
_ORDER = tuple(COLOURS)

_HEIGHT_PX, _MARKS_PX, _MARGIN_PX = 46, 12, 4
_GAP_FROM_PX = 4.0  # wide enough to be drawn apart
_LEAST_WIDTH_PX = 1.5  # of a frame, so that one among thousands is seen


def kind_of(origin: Origin | None) -> str:
    """Return the kind of a mask that the strip shows.

    >>> kind_of(None), kind_of(Origin("empty")), kind_of(Origin("model", "a", is_accepted=True))
    ('none', 'empty', 'accepted')
    """
    if origin is None:
        return "none"
    return "empty" if origin.kind == "empty" else origin.use


def legend(kinds: Mapping[str, int]) -> str:
    """Return the legend with the number of frames of each kind, as rich text."""
    parts = []
    for kind in reversed(_ORDER):
        swatch = f'<span style="color:rgb{COLOURS[kind]}">■</span>'
        parts.append(
            f"{swatch}&nbsp;{_NAMES.get(kind, kind).replace(' ', '&nbsp;')}&nbsp;"
            f"{kinds.get(kind, 0)}"
        )
    return " &nbsp; ".join(parts)


class OriginStrip(QWidget):
    """Shows all frames of a recording next to each other; a click or a drag goes to one."""

    frame_wanted = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.kinds: tuple[str, ...] = ()
        self.marks: tuple[Mark, ...] = ()
        self.frame = 0
        self._texts: dict[int, str] = {}
        self.setFixedHeight(_HEIGHT_PX)
        self.setMinimumWidth(120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setAccessibleName("where each frame's mask comes from")

    def show_origins(self, count: int, origins: Mapping[int, Origin]) -> Counter[str]:
        """Show a number of frames and where their masks come from; return how many of each kind."""
        self.kinds = tuple(kind_of(origins.get(index)) for index in range(count))
        self._texts = {index: origin.text for index, origin in origins.items()}
        self.update()
        return Counter(self.kinds)

    def show_marks(self, marks: tuple[Mark, ...]) -> None:
        """Show marks above the frames."""
        self.marks = marks
        self.update()

    def show_frame(self, frame: int) -> None:
        """Show which frame the viewer shows."""
        if frame != self.frame:
            self.frame = frame
            self.update()

    def frame_at(self, x: float) -> int:
        """Return the frame at a place, in pixels from the left."""
        share = (x - _MARGIN_PX) / max(1, self.width() - 2 * _MARGIN_PX)
        return min(max(0, int(share * len(self.kinds))), max(0, len(self.kinds) - 1))

    def place_of(self, frame: float) -> float:
        """Return where a frame begins, in pixels from the left."""
        return _MARGIN_PX + frame * (self.width() - 2 * _MARGIN_PX) / max(1, len(self.kinds))

    def paintEvent(self, _: Any) -> None:
        """Draw the frames, the certain ones on top, the marks and the current frame."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(*GROUND))
        if not self.kinds:
            return
        for start, stop, kind in sorted(self._runs(), key=lambda run: _ORDER.index(run[2])):
            painter.fillRect(self._bar(start, stop, kind), QColor(*COLOURS[kind]))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(*TEXT))
        for mark in self.marks:
            x = self.place_of(mark.index + 0.5)
            points = [QPointF(x - 4, 2), QPointF(x + 4, 2), QPointF(x, _MARKS_PX - 1)]
            painter.drawPolygon(QPolygonF(points))
        x = self.place_of(self.frame + 0.5)
        painter.fillRect(QRectF(x - 2, _MARKS_PX - 2, 4, self.height()), QColor(*GROUND))
        painter.fillRect(QRectF(x - 1, _MARKS_PX - 2, 2, self.height()), QColor(*TEXT))

    def mousePressEvent(self, event: Any) -> None:
        """Go to the frame under the pointer."""
        if event.button() == Qt.MouseButton.LeftButton and self.kinds:
            self.frame_wanted.emit(self.frame_at(event.position().x()))

    def mouseMoveEvent(self, event: Any) -> None:
        """Follow a drag; otherwise say what is under the pointer."""
        if not self.kinds:
            return
        x = event.position().x()
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.frame_wanted.emit(self.frame_at(x))
        else:
            QToolTip.showText(event.globalPosition().toPoint(), self.words_at(x), self)

    def words_at(self, x: float) -> str:
        """Describe what is at a place: the frame, its mask and the marks near it."""
        frame = self.frame_at(x)
        near = [mark.text for mark in self.marks if abs(self.place_of(mark.index + 0.5) - x) <= 4]
        return ", ".join([f"frame {frame}: {self._texts.get(frame, 'no mask')}", *near])

    def _runs(self) -> Iterator[tuple[int, int, str]]:
        """Yield what is drawn in one piece: a frame, or where they are narrow, all alike."""
        start = 0
        are_narrow = self.place_of(1) - self.place_of(0) < _GAP_FROM_PX
        for kind, run in groupby(self.kinds):
            stop = start + len(list(run))
            if are_narrow:
                yield start, stop, kind
            else:
                yield from ((frame, frame + 1, kind) for frame in range(start, stop))
            start = stop

    def _bar(self, start: int, stop: int, kind: str) -> QRectF:
        left, right = self.place_of(start), self.place_of(stop)
        top = _MARKS_PX + (0 if kind in _REVIEWED else 8)
        gap = 1.0 if (right - left) / (stop - start) >= _GAP_FROM_PX else 0.0
        width = max(_LEAST_WIDTH_PX, right - left - gap)
        return QRectF(left, top, width, self.height() - 4 - top)
