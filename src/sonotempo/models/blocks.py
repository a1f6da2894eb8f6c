"""Two 3x3 convolutions with normalisation and ReLU: the unit of encoder and decoder."""

from typing import Literal

from torch import nn

Normalization = Literal["batch", "group", "none"]


def normalization_layer(kind: Normalization, channels: int) -> nn.Module:
    """Return the layer that follows a convolution; groups have 8 channels if possible."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "group":
        return nn.GroupNorm(channels // 8 if channels % 8 == 0 else 1, channels)
    return nn.Identity()


def double_conv(in_channels: int, out_channels: int, kind: Normalization) -> nn.Sequential:
    """Two 3x3 convolutions at one level of the U-net (Smistad et al. 2021, II-B), NCHW to NCHW."""
    layers: list[nn.Module] = []
    for channels in (in_channels, out_channels):
        layers += [
            nn.Conv2d(channels, out_channels, 3, padding=1, bias=kind == "none"),
            normalization_layer(kind, out_channels),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
