"""Everything that the live picture shows at one moment, as plain values."""

from dataclasses import dataclass, field
from typing import Literal

from napari_sonotempo.live.framing.draft import Draft
from napari_sonotempo.live.gauge import InView
from napari_sonotempo.live.view import ViewStyle
from sonotempo.live.history import StepResult
from sonotempo.structures import StructureSet

#: ``live``: what happens now; ``still``: the user has stopped it; ``warning``: it looks live, but
#: is not.
Level = Literal["live", "still", "warning"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the picture is what happens now.

    Attributes:
        word: "LIVE", "FROZEN −0.53 s", "STALE 1.2 s" and so on.
        level: how to colour it.
        detail: latency, depth and frame rate, in words.
    """

    word: str = ""
    level: Level = "still"
    detail: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What to draw.

    Attributes:
        result: a frame with its predictions, or None before the first.
        names: of the models: none, A, or A and B.
        structures: that the models find, or None without a model.
        style: how to draw it.
        verdict: whether it is live.
        notes: on what the models were trained, and what does not fit.
        recording: how long and how many frames have been recorded; empty if nothing is.
        in_view: for each model and structure, by (side, label).
        waiting: what is being waited for while there is no result.
        draft: the box and the ruler that are being set up, over the whole frame without masks.
    """

    result: StepResult | None = None
    names: tuple[str, ...] = ()
    structures: StructureSet | None = None
    style: ViewStyle = field(default_factory=ViewStyle)
    verdict: Verdict = field(default_factory=Verdict)
    notes: tuple[str, ...] = ()
    recording: str = ""
    in_view: dict[tuple[int, int], InView] = field(default_factory=dict)
    waiting: str = ""
    draft: Draft | None = None

    @property
    def is_whole_frame(self) -> bool:
        """Whether what lies outside the ultrasound image is shown too."""
        return self.style.whole_frame or self.draft is not None

    @property
    def is_pair(self) -> bool:
        """Whether there are two predictions to compare."""
        return len(self.names) == 2 and self.draft is None

    @property
    def is_double(self) -> bool:
        """Whether there are two pictures."""
        return self.is_pair and self.style.view == "side"

    @property
    def is_both(self) -> bool:
        """Whether the masks of both are drawn over one picture."""
        return self.is_pair and self.style.view == "one" and self.style.shown == "both"

    @property
    def is_difference(self) -> bool:
        """Whether the picture shows where the models disagree."""
        return self.is_pair and self.style.view == "difference"

    @property
    def sides(self) -> tuple[int, ...]:
        """Whose masks are drawn: 0 for A, 1 for B."""
        if self.draft is not None:
            return ()
        if self.is_pair and self.style.view == "one" and self.style.shown != "both":
            return ("AB".index(self.style.shown),)
        return tuple(range(len(self.names)))

    def confidence(self, side: int, label: int) -> float | None:
        """Return how sure a model is of a structure, or None where it does not say."""
        seen = self.in_view.get((side, label))
        return None if seen is None else seen.confidence

    def is_unsure(self, side: int, label: int) -> bool:
        """Return whether a model is less sure of a structure than is wanted."""
        confidence = self.confidence(side, label)
        return confidence is not None and confidence < self.style.unsure_below

    def titles(self) -> tuple[str, ...]:
        """Return a title for each picture."""
        if self.draft is not None:
            return ("The whole frame: where is the image, and how large are its pixels?",)
        texts = tuple(f"{side}  {name}" for side, name in zip("AB", self.names, strict=False))
        if self.is_difference:
            return (f"Where A ({self.names[0]}) and B ({self.names[1]}) disagree",)
        if self.is_both:
            return (f"{texts[0]} (broad)   {texts[1]} (thin, light)",)
        if self.is_double or not texts:
            return texts
        return (texts[self.sides[0]],)
