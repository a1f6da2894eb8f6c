"""From an image to features at several strides: the paper's plain encoder, or any timm backbone."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sonotempo.config import ModelConfig
from sonotempo.errors import ConfigError
from sonotempo.models.blocks import Normalization, double_conv


class PlainEncoder(nn.Module):
    """Two 3x3 convolutions a level and 2x2 max pooling between levels (Smistad et al. 2021, II-B).

    >>> encoder = PlainEncoder((8, 16, 32), "batch")
    >>> for features in encoder(torch.zeros(1, 1, 64, 64)):
    ...     print(tuple(features.shape))
    (1, 8, 64, 64)
    (1, 16, 32, 32)
    (1, 32, 16, 16)
    """

    def __init__(self, channels: Sequence[int], normalization: Normalization) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.strides = tuple(2**level for level in range(len(self.channels)))
        inputs = (1, *self.channels[:-1])
        self.levels = nn.ModuleList(
            double_conv(before, after, normalization)
            for before, after in zip(inputs, self.channels, strict=True)
        )
        self.pool = nn.MaxPool2d(2)

    def forward(self, x_N1HW: Tensor) -> list[Tensor]:
        """Return features NCHW at strides 1, 2, 4…"""
        features: list[Tensor] = []
        x = x_N1HW
        for level in self.levels:
            x = level(self.pool(x) if features else x)
            features.append(x)
        return features


class TimmEncoder(nn.Module):
    """A timm backbone as encoder, with one grey input channel.

    It standardises its input with the grey mean of the backbone's colour statistics, so that every
    encoder takes images in 0 to 1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, pretrained: bool) -> None:
        super().__init__()
        from sonotempo._torchvision import ensure_torchvision  # noqa: PLC0415

        ensure_torchvision()
        import timm  # noqa: PLC0415  (costs seconds; the plain encoder does not need it)

        if not timm.is_model(name):
            near = timm.list_models(f"*{name}*")[:5]
            hint = f"; timm has {', '.join(near)}" if near else ""
            raise ConfigError(
                f"model.encoder {name!r} is neither 'plain' nor a timm backbone{hint}; "
                "see timm.list_models()"
            )
        try:
            self.backbone = timm.create_model(
                name, pretrained=pretrained, features_only=True, in_chans=1
            )
        # timm and its hub raise many kinds of errors here, which mean the same to the user.
        except Exception as error:
            if not pretrained:
                raise ConfigError(_unfit(name, error)) from error
            raise ConfigError(
                f"the pretrained weights of {name!r} could not be downloaded "
                f"({type(error).__name__}: {error}); connect to the internet once, put them into "
                "the Hugging Face cache, or set model.pretrained=false"
            ) from error
        self.channels = tuple(self.backbone.feature_info.channels())
        self.strides = tuple(self.backbone.feature_info.reduction())
        try:  # some take one size only, have a single stride, or put channels last
            self._require_features()
        except Exception as error:
            raise ConfigError(_unfit(name, error)) from error
        statistics = self.backbone.default_cfg
        mean = sum(statistics["mean"]) / len(statistics["mean"])
        std = sum(statistics["std"]) / len(statistics["std"])
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    @torch.no_grad()
    def _require_features(self) -> None:
        """Raise ValueError unless the backbone's features have the promised shapes."""
        side = 64
        wanted = [
            (1, channels, side // stride, side // stride)
            for channels, stride in zip(self.channels, self.strides, strict=True)
        ]
        given = [tuple(f.shape) for f in self.backbone.eval()(torch.zeros(1, 1, side, side))]
        self.backbone.train()
        if given != wanted or len(set(self.strides)) < len(self.strides):
            raise ValueError(f"it gives {given} for {side}x{side} pixels")

    def forward(self, x_N1HW: Tensor) -> list[Tensor]:
        """Return the backbone's features NCHW, the finest first."""
        features: list[Tensor] = self.backbone((x_N1HW - self.mean) / self.std)
        return features


def _unfit(name: str, error: Exception) -> str:
    return (
        f"timm backbone {name!r} does not give features at several strides ({error}); choose "
        "another model.encoder, for example resnet18"
    )


def build_encoder(config: ModelConfig) -> PlainEncoder | TimmEncoder:
    """Return the encoder that ``model.encoder`` names.

    Raises:
        ConfigError: timm does not know the name, or its weights could not be downloaded.
    """
    if config.encoder == "plain":
        return PlainEncoder(config.channels, config.normalization)
    return TimmEncoder(config.encoder, config.pretrained)
