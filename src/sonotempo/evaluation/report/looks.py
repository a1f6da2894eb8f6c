"""How arms look in figures: as many as there are, no two alike, in colour and without it."""

from dataclasses import dataclass
from typing import Any

#: How many colours the report page defines for arms.
COLORS = 6

_HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++++")
_LINES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
_MARKERS = "osD^vP"


@dataclass(frozen=True, slots=True)
class LineLook:
    """A line: its colour by number, its dashes and its marker."""

    color: int
    style: Any
    marker: str


def hatch_of(place: int) -> str:
    """Return the hatch of an arm's bars, from its place among the arms.

    >>> len({hatch_of(place) for place in range(100)})
    100
    """
    return _HATCHES[place % len(_HATCHES)] + "oo" * (place // len(_HATCHES))


def line_of(place: int) -> LineLook:
    """Return how an arm's lines look; from the 37th arm on, the marker is the arm's number.

    >>> len({line_of(place) for place in range(100)})
    100
    """
    around = place // COLORS
    return LineLook(
        color=place % COLORS,
        # Moved by one with each round of colours, so that no colour meets a style again.
        style=_LINES[(place + around) % len(_LINES)],
        marker=_MARKERS[place % len(_MARKERS)] if around < len(_LINES) else f"${place + 1}$",
    )
