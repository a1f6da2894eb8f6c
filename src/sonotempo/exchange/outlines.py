"""Masks of one structure as polygons along the edges of pixels, exact to the pixel."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sonotempo.exchange.run_lengths import Binary

#: Corners of pixels as (x, y): pixel (row 0, column 0) lies between (0, 0) and (1, 1).
Corner = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Outlines:
    """The outlines of a mask.

    Attributes:
        outer: a closed polygon around every connected part.
        has_holes: whether a part encloses background, which polygons cannot say.
    """

    outer: tuple[tuple[Corner, ...], ...]
    has_holes: bool


def outlines(mask_HW: Binary) -> Outlines:
    """Follow the edges between structure and background.

    Pixels that touch at a corner only are separate parts. Filled with pycocotools, the polygons
    of a mask without holes are that mask.

    >>> outlines(np.array([[True, True], [False, True]])).outer
    (((0, 0), (2, 0), (2, 2), (1, 2), (1, 1), (0, 1)),)
    """
    loops = _loops(mask_HW)
    outer = tuple(loop for loop in loops if _area(loop) > 0)
    return Outlines(outer, len(outer) < len(loops))


def _loops(mask_HW: Binary) -> list[tuple[Corner, ...]]:
    """Chain the edges of pixels into closed loops with the structure on the right."""
    ends: dict[Corner, list[Corner]] = defaultdict(list)
    padded = np.pad(mask_HW, 1)
    inside = padded[1:-1, 1:-1]
    for neighbour, begin, end in (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),  # above: to the right along the upper edge
        (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)),
        (padded[1:-1, :-2], (0, 1), (0, 0)),
    ):
        for row, column in np.argwhere(inside & ~neighbour).tolist():
            ends[column + begin[0], row + begin[1]].append((column + end[0], row + end[1]))
    loops = []
    while ends:
        start = next(iter(ends))
        loop = [start]
        while True:
            here = loop[-1]
            loop.append(_turn(ends, loop[-2] if len(loop) > 1 else here, here))
            if loop[-1] == start and not _passes_on(ends, loop):
                break
        loops.append(_corners(loop[:-1]))
    return loops


def _turn(ends: dict[Corner, list[Corner]], before: Corner, here: Corner) -> Corner:
    """Take the next edge; where two begin, the one to the right, which stays on its pixel."""
    choices = ends[here]
    step = here[0] - before[0], here[1] - before[1]
    right = here[0] - step[1], here[1] + step[0]
    chosen = choices.pop(choices.index(right) if right in choices else 0)
    if not choices:
        del ends[here]
    return chosen


def _passes_on(ends: dict[Corner, list[Corner]], loop: list[Corner]) -> bool:
    """Whether a loop that is back at its first corner turns right there instead of closing."""
    (x, y), (before_x, before_y) = loop[-1], loop[-2]
    right = x - (y - before_y), y + (x - before_x)
    return right != loop[1] and right in ends.get((x, y), ())


def _corners(loop: list[Corner]) -> tuple[Corner, ...]:
    """Leave out the corners on straight lines."""
    around = [loop[-1], *loop, loop[0]]
    return tuple(
        here
        for before, here, after in zip(around, around[1:], around[2:], strict=False)
        if (here[0] - before[0], here[1] - before[1]) != (after[0] - here[0], after[1] - here[1])
    )


def _area(loop: tuple[Corner, ...]) -> float:
    """Twice the area: above 0 around a part, below around a hole."""
    return sum(x * y_next - x_next * y for (x, y), (x_next, y_next) in pairwise([*loop, loop[0]]))
