"""The network of every arm: encoder, decoder, a 1x1 head, and what an arm adds to the decoder.

Streaming is one line: ``logits, state = model(frame_BTCHW, state)`` with T = 1.
"""

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from sonotempo.arms import Added, arm_named
from sonotempo.config import ModelConfig
from sonotempo.errors import ConfigError, unknown_option
from sonotempo.flow import grid_side
from sonotempo.models.alignment import CarriedOutput, State, no_motion
from sonotempo.models.decoder import Decoder
from sonotempo.models.encoder import build_encoder
from sonotempo.models.memory import CELLS, ResidualMemory

AnyModule = TypeVar("AnyModule", bound=nn.Module)


class Segmenter(nn.Module):
    """A U-net, alone (Smistad et al. 2021) or with memories after some of its decoder blocks.

    >>> model = Segmenter(ModelConfig(), classes=3)
    >>> logits, state = model(torch.zeros(1, 2, 1, 64, 64))
    >>> tuple(logits.shape), state
    ((1, 2, 3, 64, 64), ())
    >>> model = Segmenter(ModelConfig(), classes=3, added="memory")
    >>> frame = torch.zeros(1, 1, 1, 64, 64)
    >>> logits, state = model(frame)
    >>> logits, state = model(frame, state)  # streaming
    >>> for part in state:
    ...     print(tuple(part.shape))
    (1, 128, 4, 4)
    (1, 128, 4, 4)

    Args:
        config: the network's settings, the same for every arm.
        classes: K, the background included.
        added: what follows the decoder blocks at ``config.memory_strides``.

    Raises:
        ConfigError: no such encoder or cell, or the strides do not fit the decoder.
    """

    #: Whether it needs the motion of each frame (:mod:`sonotempo.flow`).
    uses_motion: bool

    def __init__(self, config: ModelConfig, classes: int, added: Added = "none") -> None:
        super().__init__()
        self.classes = classes
        self.encoder = build_encoder(config)
        self.decoder = Decoder(
            self.encoder.channels, self.encoder.strides, config.channels, config.normalization
        )
        self.memories = nn.ModuleDict()
        if added != "none":
            _require_strides(config, self.decoder.strides)
            for stride, channels in zip(self.decoder.strides, self.decoder.channels, strict=True):
                if stride in config.memory_strides:
                    self.memories[str(stride)] = _memory(config, channels, added)
        self.head = nn.Conv2d(self.decoder.channels[-1], classes, 1)
        if added == "aligned":
            self.memories["output"] = CarriedOutput(classes, self.decoder.channels[-1])
        self.uses_motion = added == "aligned"
        self._encoder_frozen = False
        self._norm_frozen = False

    def initial_state(self, batch: int, height: int, width: int) -> State:
        """Return the state before the first frame: zeros, on the model's device."""
        weight = self.head.weight
        states = [
            weight.new_zeros(batch, channels, height // int(stride), width // int(stride))
            for stride, memory in self.memories.items()
            if isinstance(memory, ResidualMemory)
            for channels in memory.cell.state_channels
        ]
        if self.uses_motion:
            sides = grid_side(height), grid_side(width)
            states.append(weight.new_zeros(batch, self.classes, *sides))
        return tuple(states)

    def forward(
        self, x_BTCHW: Tensor, state: State | None = None, motion_BT3hw: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Segment a clip.

        Args:
            x_BTCHW: images in 0 to 1, C = 1, H and W multiples of the coarsest stride.
            state: what an earlier call returned; None before the first frame.
            motion_BT3hw: of each frame, for a network that uses it (see :attr:`uses_motion`); None
                for frames that have nothing before them. Other networks leave it out.

        Returns:
            Logits BTKHW and the state after the last frame.

        Raises:
            ConfigError: the images do not divide by the coarsest stride.
        """
        batch, frames, _, height, width = x_BTCHW.shape
        coarsest = self.encoder.strides[-1]
        if height % coarsest or width % coarsest:
            up = tuple(-(-side // coarsest) * coarsest for side in (height, width))
            raise ConfigError(
                f"input of {height}x{width} pixels; this network needs multiples of {coarsest}, "
                f"for example {up[0]}x{up[1]}"
            )
        if state is None:
            state = self.initial_state(batch, height, width)
        if self.uses_motion and motion_BT3hw is None:
            motion_BT3hw = no_motion(x_BTCHW, grid_side(width))
        motion = motion_BT3hw.flatten(0, 1) if self.uses_motion else None  # type: ignore[union-attr]
        features = self.encoder(x_BTCHW.flatten(0, 1))
        logits_NKHW, state = self.decode(features, state, frames, motion)
        return logits_NKHW.reshape(batch, frames, *logits_NKHW.shape[1:]), state

    def decode(
        self,
        features_NCHW: Sequence[Tensor],
        state: State,
        frames: int = 1,
        motion_N3hw: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Segment what the encoder has seen; with one frame a clip nothing has five axes.

        Args:
            features_NCHW: the encoder's, N = B x T, the frames of a clip one after another.
            state: as of :meth:`initial_state`, or what an earlier call returned.
            frames: T.
            motion_N3hw: of each frame, exactly if the network uses it.

        Returns:
            Logits NKHW and the state after each clip's last frame.
        """
        skips = dict(zip(self.encoder.strides, features_NCHW, strict=True))
        x = features_NCHW[-1]
        after: list[Tensor] = []
        for stride, block in zip(self.decoder.strides, self.decoder.blocks, strict=True):
            x = block(x, skips.get(stride))
            if str(stride) in self.memories:
                memory = self._memory_at(str(stride))
                own = state[len(after) : len(after) + len(memory.cell.state_channels)]
                x, new = memory(x, own, frames, motion_N3hw)
                after += new
        logits_NKHW = self.head(x)
        if motion_N3hw is not None:
            logits_NKHW, running = self.memories["output"](
                logits_NKHW, x, state[-1], motion_N3hw, frames
            )
            after.append(running)
        return logits_NKHW, tuple(after)

    def _memory_at(self, stride: str) -> ResidualMemory:
        memory = self.memories[stride]
        assert isinstance(memory, ResidualMemory)
        return memory

    def freeze(self, *, encoder: bool, normalization: bool) -> None:
        """Keep the encoder's weights, or all running statistics, as they are from now on."""
        self._encoder_frozen = encoder
        self._norm_frozen = normalization
        self.encoder.requires_grad_(not encoder)
        self.train(self.training)

    def start_from(self, frame_model: "Segmenter") -> None:
        """Take over a frame model's weights; what was added keeps its own."""
        missing, unexpected = self.load_state_dict(frame_model.state_dict(), strict=False)
        wrong = [name for name in missing if not name.startswith("memories.")] + unexpected
        if wrong:
            raise ValueError(f"the frame model has another network; these weights differ: {wrong}")

    def train(self, mode: bool = True) -> "Segmenter":
        """Switch training mode on or off, except for what is frozen."""
        super().train(mode)
        if self._encoder_frozen:
            self.encoder.eval()
        if self._norm_frozen:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self


def _require_strides(config: ModelConfig, available: Sequence[int]) -> None:
    if not config.memory_strides:
        raise ConfigError(
            "model.memory_strides is empty; a sequence model and its control need at least one"
        )
    for stride in config.memory_strides:
        if stride not in available:
            raise ConfigError(
                f"model.memory_strides holds {stride}, but the decoder of encoder "
                f"{config.encoder!r} has strides {sorted(available)}; choose from these"
            )


def _memory(config: ModelConfig, channels: int, added: Added) -> ResidualMemory:
    if config.memory not in CELLS:
        raise ConfigError(unknown_option("model.memory", config.memory, CELLS))
    cell = CELLS[config.memory]
    make = cell.control if added == "control" else cell
    if config.memory_channels == "half":
        half = max(1, channels // 2)
        return ResidualMemory(make(half, half), half, half)
    return ResidualMemory(make(channels, config.memory_channels), channels, config.memory_channels)


def build_model(arm: str, config: ModelConfig, classes: int) -> Segmenter:
    """Return the untrained network of an arm.

    >>> def count(arm):
    ...     return sum(weight.numel() for weight in build_model(arm, ModelConfig(), 3).parameters())
    >>> count("frame_extra") == count("sequence")
    True

    Raises:
        ConfigError: no such arm, or a network that cannot be built.
    """
    return Segmenter(config, classes, arm_named(arm).added)


def in_channels_last(model: AnyModule) -> AnyModule:
    """Lay the weights out channels last: faster convolutions, the same numbers."""
    # torch's annotations of Module.to leave memory_format out; its documentation has it.
    moved: AnyModule = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved
