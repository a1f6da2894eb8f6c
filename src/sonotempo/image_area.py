"""Where the ultrasound is on a scanner's screen, and whether there is a picture at all."""

import cv2
import numpy as np
from numpy.typing import NDArray

from sonotempo.recording import Box, Image

_SIDE = 320  # frames are looked at in this size at most
_KEPT = 24
_CHANGED = 2.5  # grey levels; the noise of a cable stays below
_LEAST_SHARE = 0.04  # of the frame: what is smaller is a clock or a cursor
_FILLED = 0.25  # of a row or column of the region must change
_WHOLE = 0.97  # a region as large as this is the frame itself
_BLANK = 1.5  # grey levels


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
        found = changing_region(np.stack(self._frames))
        # Half of them stay, so that a slow sweep is seen too.
        self._frames = self._frames[_KEPT // 2 :]
        if found is None:
            return None
        height, width = self._shape_HW
        return Box(
            found.top * self._stride,
            found.left * self._stride,
            min(height, found.bottom * self._stride),
            min(width, found.right * self._stride),
        )


def changing_region(frames_TWH: NDArray[np.float32]) -> Box | None:
    """Return the box around the largest connected region that changes; None if there is none.

    >>> frames = np.full((24, 90, 160), 60, np.float32)
    >>> noise = np.random.default_rng(0).normal(0, 12, (24, 60, 80))
    >>> frames[:, 20:80, 40:120] += noise.astype(np.float32)
    >>> changing_region(frames)
    Box(top=20, left=40, bottom=80, right=120)
    """
    # A difference between quartiles, not a deviation: a menu that opens once is no ultrasound.
    low_HW, high_HW = np.percentile(frames_TWH, (25, 75), axis=0)
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
    region_HW = labels_HW == largest
    rows = np.flatnonzero(region_HW.sum(axis=1) >= _FILLED * region_HW.sum(axis=1).max())
    columns = np.flatnonzero(region_HW.sum(axis=0) >= _FILLED * region_HW.sum(axis=0).max())
    box = Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    height, width = box.shape
    if height * width >= _WHOLE * changes_HW.size:
        return Box(0, 0, *changes_HW.shape)
    return box
