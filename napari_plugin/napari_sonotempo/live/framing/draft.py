"""The box and the ruler's ticks while the user draws them, as plain values.

Places are (row, column) in pixels of the frame.
"""

from dataclasses import dataclass, replace
from typing import Literal

from sonotempo.framing import Framing
from sonotempo.recording import Box
from sonotempo.sector import Sector

Place = tuple[float, float]
#: What a press of the pointer changes.
Tool = Literal["box", "ruler"]
#: What is being dragged: edges of the box, all of it, a new box, or one of the ticks.
Grip = Literal["edges", "box", "new", "tick"]

_LEAST_PX = 8  # a smaller box was a slip of the pointer


@dataclass(frozen=True, slots=True)
class Held:
    """What is being dragged.

    Attributes:
        grip: which part.
        begun: where the drag began.
        box: as it was then.
        rows: which of the edges move: of top and bottom.
        columns: of left and right.
        tick: which of the ticks.
    """

    grip: Grip
    begun: Place
    box: Box
    rows: tuple[bool, bool] = (False, False)
    columns: tuple[bool, bool] = (False, False)
    tick: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """What the user has drawn so far.

    Attributes:
        shape_HW: of the frames.
        box: around the ultrasound image.
        tool: what a press changes.
        ticks: of the ruler: none, one or two.
        held: what is being dragged, or None.
        sector: the shape of the image in the box, where it does not fill it.
    """

    shape_HW: tuple[int, int]
    box: Box
    tool: Tool = "box"
    ticks: tuple[Place, ...] = ()
    held: Held | None = None
    sector: Sector | None = None

    @classmethod
    def of(
        cls, shape_HW: tuple[int, int], area: Box | None, sector: Sector | None = None
    ) -> "Draft":
        """Begin with what holds now."""
        return cls(shape_HW, area or Box(0, 0, *shape_HW), sector=sector)

    @property
    def area(self) -> Box | None:
        """The box, or None if it is the whole frame."""
        return None if self.box == Box(0, 0, *self.shape_HW) else self.box

    def pressed(self, at: Place, reach_px: float) -> "Draft":
        """Take hold of what is under the pointer.

        Args:
            at: the pointer.
            reach_px: how far from an edge or a tick it still counts, in pixels of the frame.
        """
        at = self._inside(at)
        if self.tool == "ruler":
            near = [i for i, tick in enumerate(self.ticks) if _distance(tick, at) <= reach_px]
            ticks = self.ticks
            if not near:
                # A third tick begins another measurement.
                ticks = (at,) if len(ticks) == 2 else (*ticks, at)
                near = [len(ticks) - 1]
            return replace(self, ticks=ticks, held=Held("tick", at, self.box, tick=near[0]))
        box, (row, column) = self.box, at
        is_near = (
            box.top - reach_px <= row <= box.bottom + reach_px
            and box.left - reach_px <= column <= box.right + reach_px
        )
        rows = (abs(row - box.top) <= reach_px, abs(row - box.bottom) <= reach_px)
        columns = (abs(column - box.left) <= reach_px, abs(column - box.right) <= reach_px)
        if is_near and any((*rows, *columns)):
            return replace(self, held=Held("edges", at, box, rows, columns))
        if is_near and box != Box(0, 0, *self.shape_HW):
            return replace(self, held=Held("box", at, box))
        return replace(self, held=Held("new", at, box))

    def dragged(self, to: Place) -> "Draft":
        """Move what is held."""
        held = self.held
        if held is None:
            return self
        if held.grip == "tick":
            ticks = list(self.ticks)
            ticks[held.tick] = self._inside(to)
            return replace(self, ticks=tuple(ticks))
        return replace(self, box=self._moved(held, self._inside(to)))

    def released(self) -> "Draft":
        """Let go."""
        return replace(self, held=None)

    def framing(self, mm_per_px: float | None) -> Framing:
        """Return the box with a scale that is known already, or with none."""
        return Framing(self.shape_HW, self.area, mm_per_px).with_sector(self.sector)

    def _moved(self, held: Held, to: Place) -> Box:
        box, (height, width) = held.box, self.shape_HW
        if held.grip == "new":
            return _spanned(held.begun, to, self.shape_HW) or box
        down, right = round(to[0] - held.begun[0]), round(to[1] - held.begun[1])
        if held.grip == "box":
            down = min(max(down, -box.top), height - box.bottom)
            right = min(max(right, -box.left), width - box.right)
            return Box(box.top + down, box.left + right, box.bottom + down, box.right + right)
        top, bottom = _pulled((box.top, box.bottom), held.rows, down, height)
        left, right_ = _pulled((box.left, box.right), held.columns, right, width)
        return Box(top, left, bottom, right_)

    def _inside(self, at: Place) -> Place:
        height, width = self.shape_HW
        return min(max(at[0], 0.0), float(height)), min(max(at[1], 0.0), float(width))


def _pulled(
    edges: tuple[int, int], moves: tuple[bool, bool], by: int, size: int
) -> tuple[int, int]:
    """Move the edges that are held; they never cross nor leave the frame."""
    low, high = edges
    least = min(_LEAST_PX, size)
    if moves[0] and not moves[1]:
        low = min(max(low + by, 0), high - least)
    elif moves[1]:
        high = max(min(high + by, size), low + least)
    return max(low, 0), min(high, size)


def _spanned(one: Place, other: Place, shape_HW: tuple[int, int]) -> Box | None:
    """Return the box between two corners, or None if it is too small to be meant."""
    top, bottom = sorted((round(one[0]), round(other[0])))
    left, right = sorted((round(one[1]), round(other[1])))
    if bottom - top < _LEAST_PX or right - left < _LEAST_PX:
        return None
    return Box(top, left, min(bottom, shape_HW[0]), min(right, shape_HW[1]))


def _distance(one: Place, other: Place) -> float:
    return float(((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2) ** 0.5)
