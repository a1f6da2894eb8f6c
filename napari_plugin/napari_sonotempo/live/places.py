"""Where the parts of a scene are, and which part of the pictures is visible."""

from dataclasses import dataclass

from qtpy.QtCore import QRectF

from napari_sonotempo.live.legend import legend_height
from napari_sonotempo.live.picture import Region
from napari_sonotempo.live.scene import Scene


@dataclass(frozen=True, slots=True)
class Zoom:
    """Which part of the shown region is visible.

    Attributes:
        factor: 1 shows all of it.
        centre: row and column of the middle, as a share of the region.
    """

    factor: float = 1.0
    centre: tuple[float, float] = (0.5, 0.5)

    def of(self, region: Region) -> Region:
        """Return the visible part of a region; it never leaves the region."""
        height, width = region.height / self.factor, region.width / self.factor
        top = min(max(0.0, self.centre[0] * region.height - height / 2), region.height - height)
        left = min(max(0.0, self.centre[1] * region.width - width / 2), region.width - width)
        return Region(region.top + top, region.left + left, height, width)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts of a scene are."""

    header: QRectF
    middle: QRectF  # the room for the pictures
    panels: tuple[QRectF, ...]  # for pictures, with their titles above them
    titles: tuple[QRectF, ...]
    legend: QRectF
    notes: QRectF


def places_of(scene: Scene, size: QRectF, line: float, aspect: float) -> Places:
    """Arrange a scene; two pictures are side by side or one above the other, what is larger.

    Args:
        scene: what to show.
        size: the room.
        line: height of a line of text.
        aspect: a picture's width over its height.
    """
    gap = line * 0.5
    header = QRectF(size.left() + gap, size.top() + gap, size.width() - 2 * gap, line * 1.3)
    legend_px = legend_height(scene, size.width() - 2 * gap, line)
    notes_px = line * 1.1 if scene.notes else 0.0
    bottom = size.bottom() - gap
    notes = QRectF(header.left(), bottom - notes_px, header.width(), notes_px)
    legend = QRectF(header.left(), notes.top() - legend_px, header.width(), legend_px)
    top, low = header.bottom() + gap * 0.5, legend.top() - gap * 0.5
    middle = QRectF(size.left() + gap, top, size.width() - 2 * gap, max(1.0, low - top))
    count = 2 if scene.is_double else 1
    title_px = line * 1.25 if scene.titles() else 0.0
    panels, titles = _panels(middle, count, title_px, gap, aspect)
    return Places(header, middle, panels, titles, legend, notes)


def _panels(
    middle: QRectF, count: int, title_px: float, gap: float, aspect: float
) -> tuple[tuple[QRectF, ...], tuple[QRectF, ...]]:
    """Return the pictures' places and their titles', as large as the room allows."""

    def fitted(cell: QRectF) -> QRectF:
        width = min(cell.width(), max(1.0, cell.height() - title_px) * aspect)
        height = width / aspect
        left = cell.left() + (cell.width() - width) / 2
        top = cell.top() + title_px + max(0.0, cell.height() - title_px - height) / 2
        return QRectF(left, top, width, height)

    share = (middle.width() - gap * (count - 1)) / count
    above = (middle.height() - gap * (count - 1)) / count
    in_a_row = [
        fitted(
            QRectF(
                middle.left() + n * (share + gap),
                middle.top(),
                share,
                middle.height(),
            )
        )
        for n in range(count)
    ]
    stacked = [
        fitted(QRectF(middle.left(), middle.top() + n * (above + gap), middle.width(), above))
        for n in range(count)
    ]
    panels = stacked if stacked[0].width() > 1.05 * in_a_row[0].width() else in_a_row
    titles = [QRectF(one.left(), one.top() - title_px, one.width(), title_px) for one in panels]
    return tuple(panels), tuple(titles)
