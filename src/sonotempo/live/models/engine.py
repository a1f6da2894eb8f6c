"""What every engine that runs a model does: step it, and hold its state between the steps."""

from abc import ABC, abstractmethod

import numpy as np

from sonotempo.flow import MOTION_CHANNELS, grid_side
from sonotempo.live.models.card import ModelCard
from sonotempo.live.models.labels import FloatArray, Labels, labels_of


class Engine(ABC):
    """Steps one model and holds its state.

    The state stays in two banks of buffers: a step reads one and writes the other.

    Args:
        card: the model's description.

    Attributes:
        description: what really computes, for the user.
    """

    description: str

    def __init__(self, card: ModelCard) -> None:
        self._card = card
        size, channels = card.input_size, card.structures.channels
        self._image_11SS = np.zeros((1, 1, size, size), np.float32)
        side = grid_side(size)
        self._motion_13hh = np.zeros((1, MOTION_CHANNELS, side, side), np.float32)
        self._scores = [np.zeros((1, channels, size, size), np.float32) for _ in card.members]
        self._before = 0  # the bank with the state before the next step

    def step(
        self, image_11SS: FloatArray, motion_3hh: FloatArray | None = None
    ) -> tuple[FloatArray, ...]:
        """Compute the next frame.

        Args:
            image_11SS: the network input in 0 to 1.
            motion_3hh: the motion to this frame, for a model that takes it; left out, nothing
                earlier belongs to this frame.

        Returns:
            For each member of the model its ``probabilities`` output, 1KSS. The next step
            overwrites these arrays: copy them to keep them.
        """
        self._advance(image_11SS, motion_3hh)
        return tuple(self._scores)

    def labels(
        self, image_11SS: FloatArray, motion_3hh: FloatArray | None = None
    ) -> tuple[Labels, ...]:
        """Compute the next frame as :meth:`step` does; return each member's label map."""
        scores = self.step(image_11SS, motion_3hh)
        return tuple(
            labels_of(member, scores_1KSS)
            for member, scores_1KSS in zip(self._card.members, scores, strict=True)
        )

    def _advance(self, image_11SS: FloatArray, motion_3hh: FloatArray | None) -> None:
        """Compute the next frame; its results stay in the engine."""
        self._image_11SS[...] = image_11SS
        self._motion_13hh[:, :2], self._motion_13hh[:, 2:] = 0, 1
        if motion_3hh is not None:
            self._motion_13hh[0] = motion_3hh
        self._infer(self._before, 1 - self._before)
        self._before = 1 - self._before

    @abstractmethod
    def reset(self) -> None:
        """Set every state to zero."""

    @abstractmethod
    def close(self) -> None:
        """Free what the engine holds."""

    @abstractmethod
    def _infer(self, before: int, after: int) -> None:
        """Compute the scores of the image, and the states from one bank to the other."""


def cpu_words(threads: int | None) -> str:
    """Return where a CPU engine computes, for its description."""
    return "CPU" if threads is None else f"CPU ({threads} thread{'s' if threads > 1 else ''})"
