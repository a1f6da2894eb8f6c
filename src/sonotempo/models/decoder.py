"""From features at several strides back to full resolution: 2x nearest upsampling with skips."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from sonotempo.models.blocks import Normalization, double_conv


class DecoderBlock(nn.Module):
    """Upsample 2x by repetition, join the encoder's features, two 3x3 convolutions."""

    def __init__(
        self, in_channels: int, skip_channels: int, out_channels: int, normalization: Normalization
    ) -> None:
        super().__init__()
        self.convolutions = double_conv(in_channels + skip_channels, out_channels, normalization)

    def forward(self, x_NCHW: Tensor, skip_NCHW: Tensor | None) -> Tensor:
        """Return features NCHW at twice the input's height and width."""
        x = interpolate(x_NCHW, scale_factor=2, mode="nearest")
        if skip_NCHW is not None:
            x = torch.cat((x, skip_NCHW), dim=1)
        out: Tensor = self.convolutions(x)
        return out


class Decoder(nn.Module):
    """One block per stride, from half of the coarsest stride down to 1.

    Where the encoder has features at a stride they join there (timm backbones begin at 2 or 4);
    ``strides`` and ``channels`` describe the output of each block.

    Args:
        encoder_channels: the encoder's channels, the finest first.
        encoder_strides: its strides, powers of two.
        widths: output channels of a block, by the level log2(stride).
        normalization: the layer after each convolution.
    """

    def __init__(
        self,
        encoder_channels: Sequence[int],
        encoder_strides: Sequence[int],
        widths: Sequence[int],
        normalization: Normalization,
    ) -> None:
        super().__init__()
        skips = dict(zip(encoder_strides, encoder_channels, strict=True))
        coarsest = encoder_strides[-1]
        levels = coarsest.bit_length() - 1
        self.strides = tuple(2**level for level in reversed(range(levels)))
        self.channels = tuple(
            widths[min(level, len(widths) - 1)] for level in reversed(range(levels))
        )
        inputs = (encoder_channels[-1], *self.channels[:-1])
        self.blocks = nn.ModuleList(
            DecoderBlock(before, skips.get(stride, 0), after, normalization)
            for before, after, stride in zip(inputs, self.channels, self.strides, strict=True)
        )
