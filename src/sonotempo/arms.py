"""The arms of a comparison: the two models, and the controls that say what a difference means."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from sonotempo.errors import ConfigError, unknown_option

Added = Literal["none", "control", "memory", "aligned"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One model in a comparison: what its network is, how it is trained and how it is run.

    Attributes:
        name: in configs, folders and tables.
        added: what the network has beyond the frame U-net: nothing, the memory cell that
            ``model.memory`` names, that cell's control, a stateless one with as many parameters,
            or the cell with a state that moves along with the tissue (``aligned``).
        starts_from: the arm whose weights of the same fold its own training begins with.
        weights_of: the arm whose weights it is run with; itself if it is trained.
        inference: how it is run on test frames: ``carried`` (each frame's state goes to the next),
            a key of :data:`sonotempo.models.at_test_time.WRAPPERS`, or an oracle
            (:mod:`sonotempo.training.oracles`).
        trained_with: the arm whose training produces its weights too, over one encoder.
    """

    name: str
    added: Added
    starts_from: str | None
    weights_of: str
    inference: str = "carried"
    trained_with: str | None = None

    @property
    def is_trained(self) -> bool:
        """Whether it has a training, rather than the weights or the training of another arm."""
        return self.weights_of == self.name and not self.is_oracle and not self.trained_with

    @property
    def is_oracle(self) -> bool:
        """Whether it knows the truth of a simulation, so that it bounds what any model can do."""
        return self.inference.startswith("oracle")

    @property
    def needs(self) -> str | None:
        """The arm that has to be trained before this one."""
        if self.is_oracle:
            return None
        if self.trained_with:
            return self.trained_with
        return self.starts_from if self.is_trained else self.weights_of


#: Every arm in the order of tables: controls stand between the two models that they tell apart.
ARMS = (
    Arm("frame", "none", None, "frame"),
    Arm("frame_ema", "none", None, "frame", "smoothed"),
    Arm("frame_flow", "none", None, "frame", "along motion"),
    Arm("frame_continued", "none", "frame", "frame_continued"),
    Arm("frame_continued_flow", "none", None, "frame_continued", "along motion"),
    Arm("frame_extra", "control", "frame", "frame_extra"),
    Arm("frame_joint", "none", None, "frame_joint", trained_with="sequence"),
    Arm("sequence_reset", "memory", None, "sequence", "reset"),
    Arm("sequence", "memory", "frame", "sequence"),
    Arm("sequence_aligned", "aligned", "frame", "sequence_aligned"),
    Arm("oracle_frame", "none", None, "oracle_frame", "oracle without memory"),
    Arm("oracle_memory", "none", None, "oracle_memory", "oracle with memory"),
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


def in_training_order(names: Collection[str]) -> list[str]:
    """Sort arms so that each comes after the one that it needs.

    >>> in_training_order(["sequence_reset", "sequence", "frame"])
    ['frame', 'sequence', 'sequence_reset']
    """

    def needed(arm: Arm) -> int:
        return 0 if arm.needs is None else 1 + needed(arm_named(arm.needs))

    return [arm.name for arm in sorted(ARMS, key=needed) if arm.name in names]
