"""The work on one layer of masks: what the buttons do, and what there is to show. Without Qt."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from napari_sonotempo.label.edits import Edits, Step
from napari_sonotempo.label.propagation import PropagationResult
from napari_sonotempo.label.review import (
    accept,
    accept_up_to,
    confirm_empty,
    next_unreviewed,
    reject,
    signed,
)
from napari_sonotempo.shared.lazy_masks import LazyMasks
from sonotempo.errors import RecordingError
from sonotempo.label_origin import Origin, counted_origins
from sonotempo.labels.propagate import Propagated
from sonotempo.structures import StructureSet

PROPAGATE = "propagation"


@dataclass(slots=True, eq=False)
class Labelling:
    """Masks, what was changed in them, and the propagation that is filling them.

    Attributes:
        masks: that are worked on.
        structures: what their values mean.
        edits: what can be undone.
        filling: the step of the propagation that runs or ran last.
    """

    masks: LazyMasks
    structures: StructureSet
    edits: Edits = field(init=False)
    filling: Step = field(init=False)

    def __post_init__(self) -> None:
        self.edits = Edits(self.masks)
        self.filling = Step(PROPAGATE)

    def act(self, name: str, position: int, reviewer: str) -> str:
        """Do what a button of reviewing says; return a sentence, or nothing if it shows itself.

        Args:
            name: of the action: accept, accept up to here, reject, confirm empty, undo.
            position: of the frame in the viewer.
            reviewer: who does it; empty if that person does not want to be named.

        Raises:
            RecordingError: it cannot be done.
        """
        if name == "accept":
            accept(self.edits, [position], reviewer)
        elif name == "accept up to here":
            count = accept_up_to(self.edits, position, reviewer)
            return f"accepted masks: {count}"
        elif name == "reject":
            reject(self.edits, position)
        elif name == "confirm empty":
            confirm_empty(self.edits, position, reviewer)
        elif name == "undo":
            return self._undo()
        else:
            raise ValueError(f"unknown action {name!r}")
        return ""

    def next_unreviewed(self, position: int) -> int:
        """Return the next frame whose mask nobody has accepted.

        Raises:
            RecordingError: there is none.
        """
        found = next_unreviewed(self.masks, position)
        if found is None:
            raise RecordingError("every mask is reviewed")
        return found

    def sign(self, reviewer: str) -> None:
        """Name the painter of the masks that somebody has painted on, if a name is given."""
        if not reviewer:
            return
        for position in self.masks.painted:
            origin = self.masks.origin(position)
            if origin is not None and not origin.by:
                self.masks.set_origin(position, signed(origin, reviewer))

    def begin_filling(self) -> None:
        """Begin a propagation: all of its frames are undone as one step."""
        self.filling = self.edits.begin(PROPAGATE)

    def fill(self, frames: Sequence[Propagated]) -> None:
        """Take propagated masks; what somebody has reviewed meanwhile stays."""
        for one in frames:
            if one.is_key or one.mask_HW is None:
                continue
            origin = self.masks.origin(one.index)
            if origin is None or not origin.is_truth:
                self.edits.give(self.filling, one.index, one.mask_HW, Origin("propagated"))

    def filled(self, result: PropagationResult) -> tuple[bool, str]:
        """Return whether a propagation is complete, and a sentence about it."""
        count = len(self.filling.before)
        parts = [f"propagated masks: {count} ({result.seconds:.1f} s)"]
        if result.is_cancelled:
            parts = [f"Cancelled. Propagated masks: {count}; Undo removes them"]
        parts += result.problems[:3]
        if len(result.problems) > 3:
            parts.append(f"more such frames: {len(result.problems) - 3}")
        return not (result.problems or result.is_cancelled), "; ".join(parts)

    @property
    def summary(self) -> str:
        """How many masks have which origin, and whether they are saved."""
        origins = self.masks.origins
        counts = counted_origins(Counter(origin.text for origin in origins.values()))
        left = "" if self.masks.is_saved else " · not saved"
        return f"{counts or 'no masks'}{left}"

    def _undo(self) -> str:
        undone = self.edits.undo()
        if undone is None:
            raise RecordingError(
                "there is nothing to undo in this panel; Ctrl+Z undoes strokes of the brush"
            )
        kept = (
            f"; frames that stay, as they were changed since: {undone.kept}" if undone.kept else ""
        )
        return f"undone: {undone.name}{kept}"
