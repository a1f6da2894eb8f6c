"""What the widget has changed in masks, to be undone step by step.

napari's own undo (Ctrl+Z) knows the strokes of its tools only; a change of a whole stretch is not
one of them. So strokes are undone there, and the steps of this widget here. Neither undoes the
other's: a frame that somebody has painted on since a step keeps its paint.
"""

from collections import deque
from dataclasses import dataclass, field

from napari_sonotempo.shared.lazy_masks import FrameState, LazyMasks
from sonotempo.label_origin import Origin
from sonotempo.recording import Image

_REMEMBERED = 100


@dataclass(slots=True, eq=False)
class Step:
    """One change, of one frame or many.

    Attributes:
        name: what was done, in words.
        before: the state of each frame before it.
        after: the state of each frame after it.
    """

    name: str
    before: dict[int, FrameState] = field(default_factory=dict)
    after: dict[int, FrameState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo has done.

    Attributes:
        name: of the step.
        restored: how many frames are as before it.
        kept: how many stay because they have changed since.
    """

    name: str
    restored: int
    kept: int


class Edits:
    """Changes masks, and remembers how they were.

    Args:
        masks: to change.
    """

    def __init__(self, masks: LazyMasks) -> None:
        self.masks = masks
        self._steps: deque[Step] = deque(maxlen=_REMEMBERED)

    @property
    def next_undo(self) -> str:
        """The name of the step that is undone next; empty if there is none."""
        return self._steps[-1].name if self._steps else ""

    def begin(self, name: str) -> Step:
        """Begin a step; nothing has changed yet."""
        return Step(name)

    def give(self, step: Step, position: int, mask_HW: Image | None, origin: Origin | None) -> None:
        """Put a mask in place of a frame's, or remove it."""
        self._remember(step, position)
        self.masks.give(position, mask_HW, origin)
        step.after[position] = self.masks.state(position)

    def set_origin(self, step: Step, position: int, origin: Origin) -> None:
        """Change where a frame's mask comes from."""
        self._remember(step, position)
        self.masks.set_origin(position, origin)
        step.after[position] = self.masks.state(position)

    def undo(self) -> Undone | None:
        """Undo the last step, except in frames that were changed since; None if there is none."""
        if not self._steps:
            return None
        step = self._steps.pop()
        kept = 0
        for position, before in step.before.items():
            if _is_same(self.masks.state(position), step.after[position]):
                self.masks.restore(position, before)
            else:
                kept += 1
        return Undone(step.name, len(step.before) - kept, kept)

    def _remember(self, step: Step, position: int) -> None:
        if step not in self._steps:
            self._steps.append(step)
        step.before.setdefault(position, self.masks.state(position))


def _is_same(one: FrameState, other: FrameState) -> bool:
    """Whether nobody has given, painted or accepted anything in between."""
    return (
        one.given_HW is other.given_HW
        and one.painted_HW is other.painted_HW
        and (one.is_given, one.origin, one.painter) == (other.is_given, other.origin, other.painter)
    )
