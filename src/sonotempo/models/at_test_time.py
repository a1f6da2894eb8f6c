"""How an arm's network is run at test time: smoothed, along the motion, or without its past.

Each wrapper has the signature of the network inside, so whatever runs a model runs these too. To
add one, write it here and add it to :data:`WRAPPERS`.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from sonotempo.arms import arm_named
from sonotempo.config import ControlsConfig
from sonotempo.flow import STEADY, grid_side
from sonotempo.models.alignment import CarriedOutput, State, no_motion
from sonotempo.models.segmenter import Segmenter


class Wrapper(nn.Module, ABC):
    """A trained network that is run in another way."""

    #: Whether it needs the motion of each frame.
    uses_motion = False

    def __init__(self, model: Segmenter, controls: ControlsConfig) -> None:
        super().__init__()
        self.model = model
        self.controls = controls

    @staticmethod
    @abstractmethod
    def described(controls: ControlsConfig) -> str:
        """Return in a few characters how it runs, for the arm's facts."""

    def initial_state(self, batch: int, height: int, width: int) -> State:
        """Return the state before the first frame; empty unless a subclass carries one."""
        return ()

    @abstractmethod
    def forward(
        self, x_BTCHW: Tensor, state: State | None = None, motion_BT3hw: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Return logits BTKHW and the state after the last frame."""


class SmoothedLogits(Wrapper):
    """An exponential moving average (EMA) of logits over frames.

    The average starts at zero and is divided by the weight it has gathered (the bias correction of
    Adam: Kingma & Ba 2015, section 3), so the first frame is shown as it is. The state is the
    running sum and its weight.
    """

    @staticmethod
    def described(controls: ControlsConfig) -> str:
        """Return the weight of the newest frame.

        >>> SmoothedLogits.described(ControlsConfig(ema_decay=0.6))
        'ema 0.4'
        """
        return f"ema {1 - controls.ema_decay:g}"

    def initial_state(self, batch: int, height: int, width: int) -> State:
        """Return the state before the first frame: the inner one, an empty sum, no weight."""
        weight = self.model.head.weight
        return (
            *self.model.initial_state(batch, height, width),
            weight.new_zeros(batch, self.model.classes, height, width),
            weight.new_zeros(batch, 1, 1, 1),
        )

    def forward(
        self, x_BTCHW: Tensor, state: State | None = None, motion_BT3hw: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Return smoothed logits BTKHW and the state after the last frame."""
        batch, _, _, height, width = x_BTCHW.shape
        decay = self.controls.ema_decay
        *inner, total_BKHW, weight_B111 = state or self.initial_state(batch, height, width)
        logits_BTKHW, inner_state = self.model(x_BTCHW, tuple(inner))
        smoothed = []
        for logits_BKHW in logits_BTKHW.unbind(1):
            total_BKHW = decay * total_BKHW + (1 - decay) * logits_BKHW
            weight_B111 = decay * weight_B111 + (1 - decay)
            smoothed.append(total_BKHW / weight_B111)
        return torch.stack(smoothed, dim=1), (*inner_state, total_BKHW, weight_B111)


class ResetEveryFrame(Wrapper):
    """A network whose state is reset before every frame."""

    @staticmethod
    def described(controls: ControlsConfig) -> str:
        """Return the word for it."""
        return "reset"

    def forward(
        self, x_BTCHW: Tensor, state: State | None = None, motion_BT3hw: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Return the logits BTKHW of every frame by itself, and the empty state."""
        logits_N1KHW, _ = self.model(x_BTCHW.flatten(0, 1).unsqueeze(1))
        return logits_N1KHW.squeeze(1).unflatten(0, x_BTCHW.shape[:2]), ()


class AlongMotion(Wrapper):
    """Probabilities carried along the tissue's motion: a memory without any training.

    Works with the output of any frame model; :func:`sonotempo.flow.carried` does the same for
    models that are not torch's.
    """

    uses_motion = True

    def __init__(self, model: Segmenter, controls: ControlsConfig) -> None:
        super().__init__(model, controls)
        self.output = CarriedOutput(model.classes, channels=0)

    @staticmethod
    def described(controls: ControlsConfig) -> str:
        """Return how much a new frame counts.

        >>> AlongMotion.described(ControlsConfig())
        'along motion 0.15'
        """
        return f"along motion {STEADY:g}"

    def initial_state(self, batch: int, height: int, width: int) -> State:
        """Return the state before the first frame: the inner one, and no running probabilities."""
        weight = self.model.head.weight
        sides = grid_side(height), grid_side(width)
        return (
            *self.model.initial_state(batch, height, width),
            weight.new_zeros(batch, self.model.classes, *sides),
        )

    def forward(
        self, x_BTCHW: Tensor, state: State | None = None, motion_BT3hw: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Return the logits BTKHW of the carried probabilities and the state after the clip."""
        batch, frames, _, height, width = x_BTCHW.shape
        *inner, running_BKhw = state or self.initial_state(batch, height, width)
        if motion_BT3hw is None:
            motion_BT3hw = no_motion(x_BTCHW, grid_side(width))
        logits_BTKHW, inner_state = self.model(x_BTCHW, tuple(inner))
        logits_NKHW = logits_BTKHW.flatten(0, 1)
        carried_NKHW, running_BKhw = self.output(
            logits_NKHW, logits_NKHW, running_BKhw, motion_BT3hw.flatten(0, 1), frames
        )
        return carried_NKHW.unflatten(0, (batch, frames)), (*inner_state, running_BKhw)


#: Ways to run a trained network other than carrying its state, as :class:`Arm` names them.
WRAPPERS: dict[str, type[Wrapper]] = {
    "smoothed": SmoothedLogits,
    "along motion": AlongMotion,
    "reset": ResetEveryFrame,
}

#: Whatever maps a clip and a state to logits and a state.
Network = Segmenter | Wrapper


def as_run(arm: str, model: Segmenter, controls: ControlsConfig) -> Network:
    """Return a trained network as this arm runs it.

    Raises:
        ConfigError: no such arm.
    """
    wrapper = WRAPPERS.get(arm_named(arm).inference)
    return model if wrapper is None else wrapper(model, controls)
