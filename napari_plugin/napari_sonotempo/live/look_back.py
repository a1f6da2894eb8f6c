"""The frozen frames, and which of them is shown."""

from dataclasses import replace

from qtpy.QtCore import QObject, Signal

from sonotempo.live.history import StepResult


class LookBack(QObject):
    """Holds the frames of the last seconds while the picture is frozen."""

    held_changed = Signal(int)  # how many frames there are
    position_changed = Signal(int)  # which of them is shown
    back_changed = Signal(float)  # how many seconds before the last one

    def __init__(self) -> None:
        super().__init__()
        #: Oldest first; empty while nothing is frozen.
        self.held: tuple[StepResult, ...] = ()
        self.position = 0

    def hold(self, held: tuple[StepResult, ...]) -> None:
        """Take frames; the last one is the first to be shown."""
        self.held = held
        self.position = max(0, len(held) - 1)
        self.held_changed.emit(len(held))

    def forget(self) -> None:
        """Free the frames."""
        self.hold(())

    def drop_masks(self) -> None:
        """Keep the frames without their masks."""
        self.held = tuple(replace(one, predictions=()) for one in self.held)

    def move_to(self, position: int) -> tuple[StepResult, float] | None:
        """Return a frame and how many seconds before the last it is; None if nothing is held."""
        if not self.held:
            return None
        self.position = min(max(0, position), len(self.held) - 1)
        result = self.held[self.position]
        back_s = (self.held[-1].captured_ns - result.captured_ns) / 1e9
        self.position_changed.emit(self.position)
        self.back_changed.emit(back_s)
        return result, back_s
