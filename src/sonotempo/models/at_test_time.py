"""How an arm's network is run at test time: as it is, smoothed over time, or without its past.

Each wrapper has the signature of the network inside, so whatever runs a model runs these too.
"""

import torch
from einops import rearrange
from torch import Tensor, nn

from sonotempo.arms import arm_named
from sonotempo.config import ControlsConfig
from sonotempo.models.segmenter import Segmenter, State


class SmoothedLogits(nn.Module):
    """An exponential moving average (EMA) of logits over frames.

    The average starts at zero and is divided by the weight it has gathered (the bias correction of
    Adam: Kingma & Ba 2015, section 3), so the first frame is shown as it is. The state is the
    running sum and its weight.
    """

    def __init__(self, model: Segmenter, decay: float) -> None:
        super().__init__()
        self.model = model
        self.decay = decay

    def initial_state(self, batch: int, height: int, width: int) -> State:
        """Return the state before the first frame: the inner one, an empty sum, no weight."""
        weight = self.model.head.weight
        return (
            *self.model.initial_state(batch, height, width),
            weight.new_zeros(batch, self.model.classes, height, width),
            weight.new_zeros(batch, 1, 1, 1),
        )

    def forward(self, x_BTCHW: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return smoothed logits BTKHW and the state after the last frame."""
        batch, _, _, height, width = x_BTCHW.shape
        *inner, total_BKHW, weight_B111 = state or self.initial_state(batch, height, width)
        logits_BTKHW, inner_state = self.model(x_BTCHW, tuple(inner))
        smoothed = []
        for logits_BKHW in logits_BTKHW.unbind(1):
            total_BKHW = self.decay * total_BKHW + (1 - self.decay) * logits_BKHW
            weight_B111 = self.decay * weight_B111 + (1 - self.decay)
            smoothed.append(total_BKHW / weight_B111)
        return torch.stack(smoothed, dim=1), (*inner_state, total_BKHW, weight_B111)


class ResetEveryFrame(nn.Module):
    """A network that begins anew with every frame; its state is empty."""

    def __init__(self, model: Segmenter) -> None:
        super().__init__()
        self.model = model

    def initial_state(self, batch: int, height: int, width: int) -> State:
        """Return the empty state."""
        return ()

    def forward(self, x_BTCHW: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return the logits BTKHW of every frame by itself."""
        frames_N1CHW = rearrange(x_BTCHW, "b t c h w -> (b t) 1 c h w")
        logits_N1KHW, _ = self.model(frames_N1CHW)
        return rearrange(logits_N1KHW, "(b t) 1 k h w -> b t k h w", b=len(x_BTCHW)), ()


#: Whatever maps a clip and a state to logits and a state.
Network = Segmenter | SmoothedLogits | ResetEveryFrame


def as_run(arm: str, model: Segmenter, controls: ControlsConfig) -> Network:
    """Return a trained network as this arm runs it.

    Raises:
        ConfigError: no such arm.
    """
    inference = arm_named(arm).inference
    if inference == "smoothed":
        return SmoothedLogits(model, controls.ema_decay)
    if inference == "reset":
        return ResetEveryFrame(model)
    return model
