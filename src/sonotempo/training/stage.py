"""How one arm is trained: its epochs, batches, clips and rates."""

from dataclasses import dataclass

from sonotempo.arms import arm_named
from sonotempo.config import Experiment


@dataclass(frozen=True, slots=True)
class Stage:
    """How one arm is trained.

    Attributes:
        epochs: passes over the labelled frames.
        batch_size: clips per step.
        clip_frames: T.
        chunk_frames: how many frames gradients flow through.
        learning_rate: of all weights but the memory's.
        memory_learning_rate: of the weights of the memory, or of its control.
        faults: whether frames are darkened or hidden.
        shuffled_frames: single frames that join every step.
    """

    epochs: int
    batch_size: int
    clip_frames: int
    chunk_frames: int
    learning_rate: float
    memory_learning_rate: float
    faults: bool
    shuffled_frames: int = 0


def stage_of(arm: str, experiment: Experiment) -> Stage:
    """Return how an arm is trained: from random weights, or from those of the frame arm.

    All arms that start from the frame arm are trained alike: they differ only in what was added.
    """
    train, sequence = experiment.train, experiment.sequence
    if arm_named(arm).starts_from is None:
        return Stage(
            train.epochs, train.batch_size, 1, 1, train.learning_rate, train.learning_rate, False
        )
    return Stage(
        sequence.epochs,
        sequence.batch_size,
        sequence.clip_frames,
        sequence.backpropagation_frames,
        sequence.learning_rate,
        sequence.memory_learning_rate,
        True,
        sequence.shuffled_frames,
    )
