"""How the stream is shown: which view, which structures, filled or as outlines."""

from dataclasses import dataclass
from typing import Literal

#: ``one``: a single picture with the masks of A, B or both; ``side``: the same frame twice, A left
#: and B right, or A above B; ``difference``: where A and B disagree.
View = Literal["one", "side", "difference"]
#: Whose masks the single picture shows; both are always outlines.
Shown = Literal["A", "B", "both"]

VIEWS: tuple[View, ...] = ("one", "side", "difference")
SHOWN: tuple[Shown, ...] = ("A", "B", "both")


@dataclass(frozen=True, slots=True)
class ViewStyle:
    """What the user has chosen.

    Attributes:
        view: which view.
        shown: whose masks the view ``one`` shows.
        opacity: of the masks, 0 to 1.
        outline: whether masks are outlines instead of filled.
        names: whether names are written next to the structures.
        whole_frame: whether what lies outside the ultrasound image is shown too.
        hidden: label values that are not shown.
        unsure_below: structures that a model is less sure of are hatched, 0 to 1; 0 for none.
    """

    view: View = "side"
    shown: Shown = "A"
    opacity: float = 0.5
    outline: bool = False
    names: bool = True
    whole_frame: bool = False
    hidden: frozenset[int] = frozenset()
    unsure_below: float = 0.0
