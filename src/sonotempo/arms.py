"""The arms of a comparison: the two models, and the controls that say what a difference means."""

from dataclasses import dataclass
from typing import Literal

from sonotempo.errors import ConfigError, unknown_option

Added = Literal["none", "convolution", "convlstm"]
Inference = Literal["carried", "reset", "smoothed"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One model in a comparison: what its network is, how it is trained and how it is run.

    Attributes:
        name: in configs, folders and tables.
        added: what stands in the decoder besides the frame model: nothing, convolutions with as
            many parameters as the memory, or the ConvLSTM.
        starts_from: the arm whose weights of the same fold its own training begins with.
        weights_of: the arm whose weights it is run with; itself if it has a training of its own.
        inference: how frames follow each other at test time: the state is carried, it is reset on
            every frame, or logits are smoothed over time.
    """

    name: str
    added: Added
    starts_from: str | None
    weights_of: str
    inference: Inference

    @property
    def is_trained(self) -> bool:
        """Whether it has a training of its own."""
        return self.weights_of == self.name

    @property
    def needs(self) -> str | None:
        """The arm without which this one cannot be."""
        return self.starts_from if self.is_trained else self.weights_of


#: Every arm, each after those that it needs.
ARMS = (
    Arm("frame", "none", None, "frame", "carried"),
    # Trained on, with convolutions in place of the memory; and just trained on as `sequence` is.
    Arm("frame_extra", "convolution", "frame", "frame_extra", "carried"),
    Arm("frame_continued", "none", "frame", "frame_continued", "carried"),
    Arm("frame_ema", "none", None, "frame", "smoothed"),
    Arm("sequence", "convlstm", "frame", "sequence", "carried"),
    Arm("sequence_reset", "convlstm", None, "sequence", "reset"),
)


def arm_named(name: str) -> Arm:
    """Return an arm by its name.

    >>> arm_named("sequence_reset").weights_of
    'sequence'

    Raises:
        ConfigError: no such arm.
    """
    arms = {arm.name: arm for arm in ARMS}
    if name not in arms:
        raise ConfigError(unknown_option("arm", name, arms))
    return arms[name]
