"""The models of the comparison: FrameUNet, and SequenceUNet = FrameUNet plus memory.

ExtraUNet is the control: FrameUNet plus convolutions in place of that memory. Streaming is one
line: ``logits, state = model(frame_BTCHW, state)`` with T = 1.
"""

from typing import TypeVar

import torch
from einops import rearrange
from torch import Tensor, nn

from sonotempo.arms import Added, arm_named
from sonotempo.config import ModelConfig
from sonotempo.errors import ConfigError
from sonotempo.models.decoder import Decoder
from sonotempo.models.encoder import build_encoder
from sonotempo.models.memory import ResidualMemory

#: Hidden and cell state of each memory in turn; empty for a model without memory.
State = tuple[Tensor, ...]

AnyModule = TypeVar("AnyModule", bound=nn.Module)


class Segmenter(nn.Module):
    """Encoder, decoder with memory after the blocks of ``memory_strides``, and a 1x1 head.

    Args:
        config: the network's settings, the same for both models.
        classes: K, the background included.
        memory_strides: after which decoder blocks a memory stands; none for the frame model.
        remembers: whether these are memories, or convolutions in their place.
    """

    def __init__(
        self,
        config: ModelConfig,
        classes: int,
        memory_strides: tuple[int, ...],
        *,
        remembers: bool = True,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.encoder = build_encoder(config)
        self.decoder = Decoder(
            self.encoder.channels, self.encoder.strides, config.channels, config.normalization
        )
        for stride in memory_strides:
            if stride not in self.decoder.strides:
                options = sorted(self.decoder.strides)
                raise ConfigError(
                    f"model.memory_strides holds {stride}, but the decoder of encoder "
                    f"{config.encoder!r} has strides {options}; choose from these"
                )
        self.memories = nn.ModuleDict(
            {
                str(stride): ResidualMemory(channels, config.memory_channels, remembers=remembers)
                for stride, channels in zip(
                    self.decoder.strides, self.decoder.channels, strict=True
                )
                if stride in memory_strides
            }
        )
        self.head = nn.Conv2d(self.decoder.channels[-1], classes, 1)
        self._encoder_frozen = False
        self._norm_frozen = False

    def initial_state(self, batch: int, height: int, width: int) -> State:
        """Return the state of a model that has seen nothing: zeros, on the model's device."""
        weight = self.head.weight
        return tuple(
            weight.new_zeros(batch, channels, height // int(stride), width // int(stride))
            for stride in self.memories
            for channels in self._memory_at(stride).state_channels
        )

    def forward(self, x_BTCHW: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Segment a clip.

        Args:
            x_BTCHW: images in 0 to 1, C = 1, H and W multiples of the coarsest stride.
            state: what an earlier call returned; None begins anew.

        Returns:
            Logits BTKHW and the state after the last frame.

        Raises:
            ConfigError: the images do not divide by the coarsest stride.
        """
        batch, _, _, height, width = x_BTCHW.shape
        coarsest = self.encoder.strides[-1]
        if height % coarsest or width % coarsest:
            up = tuple(-(-side // coarsest) * coarsest for side in (height, width))
            raise ConfigError(
                f"input of {height}x{width} pixels; this network needs multiples of {coarsest}, "
                f"for example {up[0]}x{up[1]}"
            )
        before = self.initial_state(batch, height, width) if state is None else state
        after: list[Tensor] = []
        features = self.encoder(rearrange(x_BTCHW, "b t c h w -> (b t) c h w"))
        skips = dict(zip(self.encoder.strides, features, strict=True))
        x = features[-1]
        for stride, block in zip(self.decoder.strides, self.decoder.blocks, strict=True):
            x = block(x, skips.get(stride))
            if str(stride) in self.memories:
                memory = self._memory_at(str(stride))
                own_state = before[len(after) : len(after) + len(memory.state_channels)]
                x_clip, new_state = memory(
                    rearrange(x, "(b t) c h w -> b t c h w", b=batch), own_state
                )
                x = rearrange(x_clip, "b t c h w -> (b t) c h w")
                after += new_state
        logits_BTKHW = rearrange(self.head(x), "(b t) k h w -> b t k h w", b=batch)
        return logits_BTKHW, tuple(after)

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

    def start_from(self, frame_model: "FrameUNet") -> None:
        """Take over a frame model's weights; what it does not have keeps its own."""
        missing, unexpected = self.load_state_dict(frame_model.state_dict(), strict=False)
        wrong = [name for name in missing if not name.startswith("memories.")] + unexpected
        if wrong:
            raise ValueError(f"the frame model has another network; these weights differ: {wrong}")

    def train(self, mode: bool = True) -> "Segmenter":
        """Switch to training or back, leaving alone what is frozen."""
        super().train(mode)
        if self._encoder_frozen:
            self.encoder.eval()
        if self._norm_frozen:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self


class FrameUNet(Segmenter):
    """The seed paper's U-net: every frame by itself; its state is empty.

    >>> import torch
    >>> model = FrameUNet(ModelConfig(), classes=3)
    >>> logits, state = model(torch.zeros(1, 2, 1, 64, 64))
    >>> tuple(logits.shape), state
    ((1, 2, 3, 64, 64), ())
    """

    def __init__(self, config: ModelConfig, classes: int) -> None:
        super().__init__(config, classes, memory_strides=())


class SequenceUNet(Segmenter):
    """The same U-net with ConvLSTM memory in its decoder.

    >>> import torch
    >>> model = SequenceUNet(ModelConfig(), classes=3)
    >>> frame = torch.zeros(1, 1, 1, 64, 64)
    >>> logits, state = model(frame)
    >>> logits, state = model(frame, state)  # streaming
    >>> [tuple(s.shape) for s in state]
    [(1, 128, 4, 4), (1, 128, 4, 4)]
    """

    def __init__(self, config: ModelConfig, classes: int) -> None:
        super().__init__(config, classes, _required(config.memory_strides))


class ExtraUNet(Segmenter):
    """The same U-net with as many more convolutions as the memory has parameters; no state.

    >>> def count(model):
    ...     return sum(weight.numel() for weight in model.parameters())
    >>> count(ExtraUNet(ModelConfig(), 3)) == count(SequenceUNet(ModelConfig(), 3))
    True
    """

    def __init__(self, config: ModelConfig, classes: int) -> None:
        super().__init__(config, classes, _required(config.memory_strides), remembers=False)


def _required(memory_strides: tuple[int, ...]) -> tuple[int, ...]:
    if not memory_strides:
        raise ConfigError(
            "model.memory_strides is empty; a sequence model and its control need at least one"
        )
    return memory_strides


def build_model(arm: str, config: ModelConfig, classes: int) -> Segmenter:
    """Return the untrained network of an arm.

    Raises:
        ConfigError: no such arm.
    """
    networks: dict[Added, type[FrameUNet | ExtraUNet | SequenceUNet]] = {
        "none": FrameUNet,
        "convolution": ExtraUNet,
        "convlstm": SequenceUNet,
    }
    return networks[arm_named(arm).added](config, classes)


def in_channels_last(model: AnyModule) -> AnyModule:
    """Lay the weights out channels last: faster convolutions, the same numbers."""
    # torch's annotations of Module.to leave memory_format out; its documentation has it.
    moved: AnyModule = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved
