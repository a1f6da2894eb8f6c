"""Finds places for structures' names: close to their structure, never over another one.

A name keeps its place relative to its structure for as long as that place is free, so that it does
not jump from frame to frame.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sonotempo.recording import Image

Pair = tuple[float, float]

_LEAST_AREA = 1 / 1500  # of the grid; smaller regions get no name
_GAP = 0.6  # between a region and its name, in lines of text
_CLOSE = 1.5  # a name that is not further away stays where it is
_STEPS = (0.0, 1.5, 3.0, 5.0, 8.0)  # further away, in lines of text
_DIRECTIONS = (
    (0.0, 1.0), (0.0, -1.0), (-1.0, 0.0), (1.0, 0.0),
    (-1.0, 1.0), (-1.0, -1.0), (1.0, 1.0), (1.0, -1.0),
    (-1.0, 0.5), (-1.0, -0.5), (1.0, 0.5), (1.0, -0.5),
)  # fmt: skip
_CROSSED = 6.0  # a leader line across another structure is as bad as this distance
_SAMPLES = 24  # of a leader line
_CLEARANCE = 0.25  # around a name, in lines of text
_GLIDE = 0.6  # how fast a name follows its structure, per frame
_PATIENCE = 20  # frames for which a closer place must have been free before a name moves there


@dataclass(frozen=True, slots=True)
class PlacedName:
    """A name's place.

    Attributes:
        label: the structure.
        centre: row and column of the text's centre, as a share of the mask's height and width.
        tip: where its leader line ends, on the structure, in the same unit.
    """

    label: int
    centre: Pair
    tip: Pair


class NamePlaces:
    """Places the names of one picture's structures, frame by frame."""

    def __init__(self) -> None:
        self._offsets: dict[int, _Offset] = {}
        self._closer: dict[int, int] = {}  # for how many frames a closer place has been free
        self._centres: dict[int, Pair] = {}  # of the regions, gliding

    def place(
        self, labels_HW: Image, sizes: dict[int, Pair], line: Pair, visible: tuple[Pair, Pair]
    ) -> list[PlacedName]:
        """Place as many names as have room.

        Args:
            labels_HW: the mask.
            sizes: height and width of each label's text, as a share of the mask's sides.
            line: height of a line of text, as a share of the mask's height and of its width.
            visible: the first and the last row and column that can be seen, as such shares.
        """
        regions = largest_regions(labels_HW, list(sizes))
        room = _Room(labels_HW, line, visible)
        placed = []
        for label in sorted(regions, key=lambda one: regions[one].area):  # the smallest have least
            region, size = regions[label], sizes[label]
            centre = self._glide(label, region.centre)
            offset = self._offset(label, region, centre, size, line, room)
            if offset is None:
                self._offsets.pop(label, None)
                continue
            self._offsets[label] = offset
            at = offset.at(centre, line)
            room.take(at, size)
            placed.append(PlacedName(label, at, region.nearest(at)))
        for gone in set(self._offsets) - set(regions):
            del self._offsets[gone]
            self._centres.pop(gone, None)
        return placed

    def _glide(self, label: int, centre: Pair) -> Pair:
        """Follow a region's centre without its jitter."""
        before = self._centres.get(label, centre)
        after = tuple(b + _GLIDE * (c - b) for b, c in zip(before, centre, strict=True))
        self._centres[label] = (after[0], after[1])
        return self._centres[label]

    def _offset(  # noqa: PLR0917
        self, label: int, region: "_Region", centre: Pair, size: Pair, line: Pair, room: "_Room"
    ) -> "_Offset | None":
        """Return the present offset while it is free and close, otherwise the closest free one."""
        kept = self._offsets.get(label)
        if kept is not None and not room.is_free(kept.at(centre, line), size):
            kept = None
        # The region may have shrunk since.
        away = None if kept is None else kept.gap(region, size, line)
        if away is not None and away <= _CLOSE:
            return kept
        found = _closest(label, region, centre, size, line, room)
        if away is None or found is None:
            return found
        is_closer = found.gap(region, size, line) < away
        self._closer[label] = self._closer.get(label, 0) + 1 if is_closer else 0
        return found if self._closer[label] > _PATIENCE else kept


@dataclass(frozen=True, slots=True)
class _Offset:
    """A name's place relative to its region's centre, in lines of text."""

    down: float
    right: float

    def at(self, centre: Pair, line: Pair) -> Pair:
        """Return the place."""
        return centre[0] + self.down * line[0], centre[1] + self.right * line[1]

    def gap(self, region: "_Region", size: Pair, line: Pair) -> float:
        """Return how far a name is from its region, in lines of text."""
        reach = [(region.half[axis] + size[axis] / 2) / line[axis] for axis in (0, 1)]
        return max(abs(self.down) - reach[0], abs(self.right) - reach[1])


def _closest(  # noqa: PLR0917
    label: int, region: "_Region", centre: Pair, size: Pair, line: Pair, room: "_Room"
) -> "_Offset | None":
    """Return the closest free place whose leader line crosses no other structure, if it can be."""
    best: tuple[float, _Offset] | None = None
    for further in _STEPS:
        if best is not None and best[0] <= further:
            break
        reach = [
            (region.half[axis] + size[axis] / 2) / line[axis] + _GAP + further for axis in (0, 1)
        ]
        for down, right in _DIRECTIONS:
            offset = _Offset(down * reach[0], right * reach[1])
            at = offset.at(centre, line)
            if not room.is_free(at, size):
                continue
            cost = further + (_CROSSED if room.is_crossed(at, centre, label) else 0.0)
            if best is None or cost < best[0]:
                best = (cost, offset)
    return best[1] if best is not None else None


@dataclass(frozen=True, slots=True, eq=False)
class _Region:
    """A structure's largest region; rows and columns as a share of the mask's sides."""

    area: int
    centre: Pair
    half: Pair
    points_N2: NDArray[np.float64]

    def nearest(self, at: Pair) -> Pair:
        """Return the point of the region that is closest to a place."""
        distances = np.abs(self.points_N2 - at).sum(1)
        row, column = self.points_N2[distances.argmin()]
        return float(row), float(column)


def largest_regions(labels_HW: Image, labels: list[int]) -> dict[int, _Region]:
    """Return the largest region of each structure that is large enough to be named."""
    height, width = labels_HW.shape
    least = max(4.0, labels_HW.size * _LEAST_AREA)
    found = {}
    for label, box in enumerate(ndimage.find_objects(labels_HW), start=1):
        if box is None or label not in labels:
            continue
        inside_HW = (labels_HW[box] == label).astype(np.uint8)
        if inside_HW.sum() < least:
            continue
        _, regions_HW, facts, centroids = cv2.connectedComponentsWithStats(inside_HW)
        largest = 1 + int(facts[1:, cv2.CC_STAT_AREA].argmax())
        area = int(facts[largest, cv2.CC_STAT_AREA])
        if area < least:
            continue
        first = np.array([box[0].start, box[1].start])
        columns, rows = facts[largest, 2:4].tolist()
        points_N2 = (np.argwhere(regions_HW == largest) + first + 0.5) / (height, width)
        column, row = centroids[largest]
        found[label] = _Region(
            area,
            ((first[0] + row + 0.5) / height, (first[1] + column + 0.5) / width),
            (rows / height / 2, columns / width / 2),
            points_N2,
        )
    return found


class _Room:
    """What of a picture is free: inside it, off every structure, off the names placed so far."""

    def __init__(self, labels_HW: Image, line: Pair, visible: tuple[Pair, Pair]) -> None:
        self._labels_HW = labels_HW
        self._shape_HW = labels_HW.shape
        self._sums_HW = cv2.integral((labels_HW > 0).astype(np.uint8))
        self._margin = (_CLEARANCE * line[0], _CLEARANCE * line[1])
        self._visible = visible
        self._taken: list[tuple[Pair, Pair]] = []

    def take(self, at: Pair, size: Pair) -> None:
        """Keep others off a name."""
        self._taken.append((at, size))

    def is_crossed(self, at: Pair, centre: Pair, label: int) -> bool:
        """Whether a line from a place to a structure's centre crosses another structure."""
        rows, columns = self._shape_HW
        shares = np.linspace(0.0, 1.0, _SAMPLES)
        row_N = ((at[0] + (centre[0] - at[0]) * shares) * rows).astype(int).clip(0, rows - 1)
        column_N = ((at[1] + (centre[1] - at[1]) * shares) * columns).astype(int)
        found_N = self._labels_HW[row_N, column_N.clip(0, columns - 1)]
        return bool(((found_N > 0) & (found_N != label)).any())

    def is_free(self, at: Pair, size: Pair) -> bool:
        """Whether a text of a size has room at a place."""
        low = [at[axis] - size[axis] / 2 - self._margin[axis] for axis in (0, 1)]
        high = [at[axis] + size[axis] / 2 + self._margin[axis] for axis in (0, 1)]
        first, last = self._visible
        if any(low[axis] < first[axis] or high[axis] > last[axis] for axis in (0, 1)):
            return False
        for other, its_size in self._taken:
            if all(
                abs(at[axis] - other[axis]) < (size[axis] + its_size[axis]) / 2 + self._margin[axis]
                for axis in (0, 1)
            ):
                return False
        rows, columns = self._shape_HW
        top, bottom = (min(rows, max(0, int(edge * rows))) for edge in (low[0], high[0] + 1 / rows))
        left, right = (
            min(columns, max(0, int(edge * columns))) for edge in (low[1], high[1] + 1 / columns)
        )
        sums = self._sums_HW
        inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return int(inside) == 0
