"""The legend under the pictures: each structure lights up while a model finds it."""

from dataclasses import dataclass, replace

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QPainter, QPen

from napari_sonotempo.live.gauge import InView
from napari_sonotempo.live.picture import DIFFERENCE_NAMES, DIFFERENCE_RGB
from napari_sonotempo.live.picture_painter import hatching
from napari_sonotempo.live.scene import Scene
from napari_sonotempo.shared import colours

# The widths are estimated from the line's height, so that the layout needs no painter.
_LETTER = 0.53  # width of a letter, as a share of a line's height
_SWATCH = 1.2
_BETWEEN = 1.0
_ROW = 1.25
_MOST_ROWS = 3
#: Instead of a time, of a structure that is hatched.
UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Chip:
    """A structure in the legend.

    Attributes:
        name: of the structure.
        rgb: its colour.
        times: since when each shown model has found it, in words.
        is_lit: whether any shown model finds it now.
        is_unsure: whether every shown model that finds it is unsure of it.
    """

    name: str
    rgb: colours.Rgb
    times: str = ""
    is_lit: bool = True
    is_unsure: bool = False


def chips_of(scene: Scene) -> list[Chip]:
    """Return what the legend lists: the structures, or what a difference's colours mean."""
    if scene.is_difference:
        return [Chip(name, rgb) for name, rgb in zip(DIFFERENCE_NAMES, DIFFERENCE_RGB, strict=True)]
    if scene.structures is None:
        return []
    chips = []
    for label, structure in enumerate(scene.structures, start=1):
        if label in scene.style.hidden:
            continue
        seen = [(side, scene.in_view.get((side, label))) for side in scene.sides]
        words = [
            ("" if len(seen) == 1 else "AB"[side] + " ")
            + (UNSURE if scene.is_unsure(side, label) else _words(one))
            for side, one in seen
        ]
        found = [side for side, one in seen if one is not None and one.is_now]
        chips.append(
            Chip(
                structure.name,
                structure.color_rgb,
                "  ".join(words),
                bool(found),
                bool(found) and all(scene.is_unsure(side, label) for side in found),
            )
        )
    return chips


def _words(seen: InView | None) -> str:
    if seen is None or not seen.is_now:
        return "–"
    return "✓" if seen.seconds is None else f"{seen.seconds:.0f} s"


def legend_height(scene: Scene, width: float, line: float) -> float:
    """Return the height that the legend needs."""
    rows = _rows(_fitting(scene, width, line), width, line)
    return (rows[-1][0] + 1) * _ROW * line if rows else 0.0


def draw_legend(painter: QPainter, rect: QRectF, scene: Scene, line: float) -> None:
    """Draw it; what no model finds now is hollow and quiet."""
    metrics = QFontMetricsF(painter.font())
    chips = _fitting(scene, rect.width(), line)
    for chip, (row, left) in zip(chips, _rows(chips, rect.width(), line), strict=True):
        x, y = rect.left() + left, rect.top() + row * _ROW * line
        side = 0.7 * line
        box = QRectF(x, y + (_ROW * line - side) / 2, side, side)
        painter.setPen(QPen(QColor(*chip.rgb), max(1.0, line / 12)))
        if chip.is_unsure:
            painter.setBrush(hatching(QColor(*chip.rgb), line))
        else:
            painter.setBrush(QColor(*chip.rgb) if chip.is_lit else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box, 0.15 * line, 0.15 * line)
        painter.setPen(QColor(*(colours.TEXT if chip.is_lit else colours.QUIET)))
        baseline = y + _ROW * line / 2 + (metrics.ascent() - metrics.descent()) / 2
        painter.drawText(QPointF(x + _SWATCH * line, baseline), chip.name)
        painter.setPen(QColor(*colours.QUIET))
        after = x + _SWATCH * line + metrics.horizontalAdvance(chip.name) + 0.4 * line
        painter.drawText(QPointF(after, baseline), chip.times)


def _fitting(scene: Scene, width: float, line: float) -> list[Chip]:
    """Return the chips, without times where these would take the room of the pictures."""
    chips = chips_of(scene)
    rows = _rows(chips, width, line)
    if rows and rows[-1][0] + 1 > _MOST_ROWS:
        return [replace(chip, times="") for chip in chips]
    return chips


def _rows(chips: list[Chip], width: float, line: float) -> list[tuple[int, float]]:
    """Return the row and the left edge of every chip, in columns of equal width."""
    if not chips:
        return []
    # Room for times of three digits, so that nothing moves while they grow.
    widest = max(
        _SWATCH + _BETWEEN + _LETTER * (len(chip.name) + _times_letters(chip) + 1) for chip in chips
    )
    columns = max(1, min(len(chips), int(width / (widest * line))))
    rows = -(-len(chips) // columns)
    columns = -(-len(chips) // rows)
    return [(n // columns, (n % columns) * width / columns) for n in range(len(chips))]


def _times_letters(chip: Chip) -> int:
    return 8 * (chip.times.count("  ") + 1) if chip.times else 0
