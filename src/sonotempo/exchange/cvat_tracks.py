"""Tracks of CVAT: a structure's shape in every frame, from those in a few.

Between two shapes, polygons with as many corners are interpolated linearly, and everything else is
held. CVAT writes out most of the frames between itself, which are taken as they are.
"""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import RecordingError
from sonotempo.exchange.filled import filled
from sonotempo.exchange.incoming import label_values
from sonotempo.exchange.run_lengths import Binary, from_run_lengths
from sonotempo.structures import StructureSet

_AREAS = ("polygon", "mask")
_OTHERS = ("box", "polyline", "points", "cuboid", "skeleton", "ellipse")


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A shape in one frame: a polygon, or a mask in its box.

    Attributes:
        frame: where it was drawn.
        is_outside: whether the structure is out of view from here on.
        z_order: shapes of higher ones cover others.
        points: x and y of a polygon's corners by turns; empty for a mask.
        run_lengths: of a mask, along the rows of its box.
        box: left, top, width and height of a mask.
    """

    frame: int
    is_outside: bool
    z_order: int
    points: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    run_lengths: tuple[int, ...] = ()
    box: tuple[int, int, int, int] = (0, 0, 0, 0)

    def drawn(self, shape_HW: tuple[int, int], where: str) -> Binary:
        """Return the pixels that it covers.

        Raises:
            RecordingError: it cannot be drawn, or not on an image of that size.
        """
        if not self.run_lengths:
            return filled([self.points.tolist()], shape_HW, where)
        left, top, width, height = self.box
        if min(self.box) < 0 or left + width > shape_HW[1] or top + height > shape_HW[0]:
            raise RecordingError(
                f"{where} holds a mask that reaches beyond the image of {shape_HW[0]}x{shape_HW[1]}"
                " pixels (rows x columns); give the video of this task"
            )
        found_HW = np.zeros(shape_HW, bool)
        pixels = from_run_lengths(self.run_lengths, width * height, where)
        found_HW[top : top + height, left : left + width] = pixels.reshape(height, width)
        return found_HW


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One structure over time: its label value, and its shapes in the order of their frames."""

    value: int
    shapes: tuple[Shape, ...]

    @property
    def first(self) -> int:
        """The frame of the first shape."""
        return self.shapes[0].frame

    def at(self, frame: int) -> Shape | None:
        """Return the shape in a frame; None where the structure is out of view."""
        place = bisect_right([shape.frame for shape in self.shapes], frame) - 1
        if place < 0 or self.shapes[place].is_outside:
            return None
        before = self.shapes[place]
        after = self.shapes[place + 1] if place + 1 < len(self.shapes) else before
        if before.frame == frame or len(before.points) != len(after.points):
            return before
        if before.run_lengths or after.frame == before.frame:
            return before
        share = (frame - before.frame) / (after.frame - before.frame)
        points = before.points + share * (after.points - before.points)
        return Shape(frame, False, before.z_order, points)


def read_tracks(root: Any, structures: StructureSet, path: Path) -> tuple[Track, ...]:
    """Read the tracks of an XML file.

    Args:
        root: the element ``annotations``.
        structures: whose names the labels are.
        path: of the file, for messages.

    Raises:
        RecordingError: boxes and other shapes that are no masks, or unknown labels.
        KeyError, ValueError: attributes are missing, or are no numbers.
    """
    others = Counter(
        shape.tag for track in root.iter("track") for shape in track if shape.tag in _OTHERS
    )
    if others:
        kind, count = others.most_common(1)[0]
        raise RecordingError(
            f"{path} holds {count} shapes of the kind {kind!r}, which are no masks; draw polygons "
            "or masks"
        )
    raw = [
        (track.attrib["label"], [_shape(one) for one in track if one.tag in _AREAS])
        for track in root.iter("track")
    ]
    drawn = [(label, shapes) for label, shapes in raw if shapes]
    values = label_values(list(dict.fromkeys(label for label, _ in drawn)), structures, path)
    return tuple(
        Track(values[label], tuple(sorted(shapes, key=lambda shape: shape.frame)))
        for label, shapes in drawn
    )


def _shape(element: Any) -> Shape:
    known = element.attrib
    frame, z_order = int(known["frame"]), int(known.get("z_order", 0))
    is_outside = known.get("outside", "0") == "1"
    if element.tag == "mask":
        lengths = tuple(int(number) for number in known["rle"].split(","))
        left, top, width, height = (int(known[k]) for k in ("left", "top", "width", "height"))
        return Shape(
            frame, is_outside, z_order, run_lengths=lengths, box=(left, top, width, height)
        )
    pairs = [corner.split(",") for corner in known["points"].split(";")]
    points = np.array([[float(x), float(y)] for x, y in pairs]).ravel()
    return Shape(frame, is_outside, z_order, points)
