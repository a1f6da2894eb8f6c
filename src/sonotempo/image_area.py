"""Where the ultrasound is on a scanner's screen, and whether there is a picture at all."""

import cv2
import numpy as np
from numpy.typing import NDArray

from sonotempo.recording import Box, Image
from sonotempo.sector import Sector

_SIDE = 320  # frames are looked at in this size at most
_KEPT = 24
_CHANGED = 2.5  # grey levels; the noise of a cable stays below
_LEAST_SHARE = 0.04  # of the frame: what is smaller is a clock or a cursor
_FILLED = 0.25  # of a row or column of the region must change
_WHOLE = 0.97  # a region as large as this is the frame itself
_BLANK = 1.5  # grey levels
_LEAST_SIDE_ROWS = 8
_LEAST_OPENING = 0.15  # of the sides, in columns a row: a linear array's are parallel
_ALIKE = 0.8  # overlap of a sector with what changes, over their union
_FILLS = 0.95  # of the box: what is left out would not be worth it


def is_blank(image_HW: Image) -> bool:
    """Return whether a picture is of one grey level, as without a signal.

    >>> is_blank(np.zeros((90, 160), np.uint8))
    True
    """
    return float(image_HW[::4, ::4].std()) < _BLANK


class ImageFinder:
    """Finds the region that changes while somebody scans: menus, rulers and texts do not.

    Feed it frames, some of each second. The largest connected region that changes is the image.
    """

    def __init__(self) -> None:
        #: The shape of the image in the region that was found last, or None if it fills it.
        self.sector: Sector | None = None
        self._frames: list[NDArray[np.float32]] = []
        self._stride = 1
        self._shape_HW = (0, 0)

    def look(self, image_HW: Image) -> Box | None:
        """Take a frame; return the region once it is known, else None.

        A frame of another size starts over.
        """
        if image_HW.shape != self._shape_HW:
            self._shape_HW = (image_HW.shape[0], image_HW.shape[1])
            self._stride = max(1, -(-max(self._shape_HW) // _SIDE))
            self._frames.clear()
        self._frames.append(image_HW[:: self._stride, :: self._stride].astype(np.float32))
        if len(self._frames) < _KEPT:
            return None
        region_HW = changing_pixels(np.stack(self._frames))
        # Half of them stay, so that a slow sweep is seen too.
        self._frames = self._frames[_KEPT // 2 :]
        if region_HW is None:
            return None
        sector = sector_in(region_HW)
        if sector is None:
            self.sector, found = None, box_around(region_HW)
        else:
            self.sector = _enlarged(sector, self._stride)
            found = _bounding(_drawn(sector, region_HW.shape))
        height, width = self._shape_HW
        return Box(
            found.top * self._stride,
            found.left * self._stride,
            min(height, found.bottom * self._stride),
            min(width, found.right * self._stride),
        )


def changing_region(frames_THW: NDArray[np.float32]) -> Box | None:
    """Return the box around the largest connected region that changes; None if there is none.

    >>> frames = np.full((24, 90, 160), 60, np.float32)
    >>> noise = np.random.default_rng(0).normal(0, 12, (24, 60, 80))
    >>> frames[:, 20:80, 40:120] += noise.astype(np.float32)
    >>> changing_region(frames)
    Box(top=20, left=40, bottom=80, right=120)
    """
    region_HW = changing_pixels(frames_THW)
    return None if region_HW is None else box_around(region_HW)


def changing_pixels(frames_THW: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Return the largest connected region that changes, HW; None if there is none."""
    # A difference between quartiles, not a deviation: a menu that opens once is no ultrasound.
    low_HW, high_HW = np.percentile(frames_THW, (25, 75), axis=0)
    changes_HW = (high_HW - low_HW > _CHANGED).astype(np.uint8)
    # Dark vessels in tissue do not change; letters next to the image must not join it.
    joined_HW = cv2.morphologyEx(changes_HW, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    joined_HW = cv2.morphologyEx(joined_HW, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    count, labels_HW, facts, _ = cv2.connectedComponentsWithStats(joined_HW)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(facts[1:, cv2.CC_STAT_AREA]))
    if facts[largest, cv2.CC_STAT_AREA] < _LEAST_SHARE * changes_HW.size:
        return None
    region_HW: NDArray[np.bool_] = labels_HW == largest
    return region_HW


def box_around(region_HW: NDArray[np.bool_]) -> Box:
    """Return the box around a region; rows and columns with only a little of it are left out."""
    rows = np.flatnonzero(region_HW.sum(axis=1) >= _FILLED * region_HW.sum(axis=1).max())
    columns = np.flatnonzero(region_HW.sum(axis=0) >= _FILLED * region_HW.sum(axis=0).max())
    box = Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    height, width = box.shape
    if height * width >= _WHOLE * region_HW.size:
        return Box(0, 0, *region_HW.shape)
    return box


def sector_in(region_HW: NDArray[np.bool_]) -> Sector | None:
    """Return the sector of a curved or phased array whose image changes; None if it fills its box.

    The first and the last scan line are straight lines through the region's sides; they meet in the
    apex.
    """
    rows = np.flatnonzero(region_HW.any(axis=1))
    width = region_HW.shape[1]
    first = region_HW.argmax(axis=1)[rows]
    last = width - 1 - region_HW[:, ::-1].argmax(axis=1)[rows]
    # The sides end where the image is broadest, above the deepest arc. They begin below the
    # transducer's arc, whose ends may be at different rows.
    broadest = int(np.argmax(last - first))
    sides = slice(broadest // 4, broadest)
    if broadest < _LEAST_SIDE_ROWS:
        return None
    left_slope, left_at_0 = np.polyfit(rows[sides], first[sides], 1)
    right_slope, right_at_0 = np.polyfit(rows[sides], last[sides] + 1, 1)
    if right_slope - left_slope < _LEAST_OPENING:
        return None
    apex_row = (left_at_0 - right_at_0) / (right_slope - left_slope)
    apex_column = left_at_0 + left_slope * apex_row
    middle = round(apex_column)
    if not 2 <= middle < width - 2:
        return None
    depths = np.flatnonzero(region_HW[:, middle - 2 : middle + 3].any(axis=1))
    inner_px = float(depths[0] - apex_row) if len(depths) else 0.0
    if len(depths) < _LEAST_SIDE_ROWS or inner_px < -_LEAST_SIDE_ROWS:
        return None
    sector = Sector(
        float(apex_row),
        float(apex_column),
        max(0.0, inner_px),
        float(depths[-1] + 1 - apex_row),
        float(np.arctan(left_slope)),
        float(np.arctan(right_slope)),
    )
    drawn_HW = _drawn(sector, region_HW.shape)
    alike = (drawn_HW & region_HW).sum() / (drawn_HW | region_HW).sum()
    box_height, box_width = _bounding(region_HW).shape
    is_full = drawn_HW.sum() > _FILLS * box_height * box_width
    return None if alike < _ALIKE or is_full else sector


def _drawn(sector: Sector, shape_HW: tuple[int, ...]) -> NDArray[np.bool_]:
    rows, columns = (np.arange(side, dtype=np.float64) for side in shape_HW)
    return sector.inside(rows, columns)


def _bounding(region_HW: NDArray[np.bool_]) -> Box:
    rows, columns = (np.flatnonzero(region_HW.any(axis=axis)) for axis in (1, 0))
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _enlarged(sector: Sector, by: int) -> Sector:
    return Sector(
        sector.apex_row * by,
        sector.apex_column * by,
        sector.inner_px * by,
        sector.outer_px * by,
        sector.left_rad,
        sector.right_rad,
    )
