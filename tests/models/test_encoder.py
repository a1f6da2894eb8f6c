import os

import pytest
import torch

from sonotempo.config import ModelConfig
from sonotempo.errors import ConfigError
from sonotempo.models.blocks import normalization_layer
from sonotempo.models.decoder import Decoder
from sonotempo.models.encoder import TimmEncoder, build_encoder


@pytest.mark.parametrize("name", ["plain", "mobilenetv3_small_100", "convnext_atto"])
def test_an_encoder_delivers_what_it_announces(name):
    encoder = build_encoder(ModelConfig(encoder=name, channels=(4, 8, 8))).eval()
    with torch.no_grad():
        features = encoder(torch.rand(2, 1, 64, 96))
    shapes = [tuple(feature.shape) for feature in features]
    assert shapes == [
        (2, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(encoder.channels, encoder.strides, strict=True)
    ]


def test_a_timm_encoder_standardises_by_itself_and_takes_images_in_0_to_1():
    encoder = TimmEncoder("mobilenetv3_small_100", pretrained=False).eval()
    grey = float(encoder.mean)
    assert 0.4 < grey < 0.5
    seen = []
    encoder.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        encoder(torch.full((1, 1, 32, 32), grey))
    assert float(seen[0].abs().max()) < 1e-6


def test_an_unknown_backbone_is_refused_with_some_that_exist():
    with pytest.raises(ConfigError, match=r"'resnet1' is neither 'plain' nor .*resnet1"):
        build_encoder(ModelConfig(encoder="resnet1"))


def test_a_name_like_no_backbone_is_refused_all_the_same():
    with pytest.raises(
        ConfigError, match="'no such thing' is neither 'plain' nor a timm backbone;"
    ):
        build_encoder(ModelConfig(encoder="no such thing"))


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_a_backbone_without_features_at_several_strides_is_refused(name):
    with pytest.raises(ConfigError, match="does not give features at several strides"):
        build_encoder(ModelConfig(encoder=name))


def test_pretrained_weights_that_cannot_be_had_are_a_sentence_with_the_remedies(monkeypatch):
    import timm

    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "1")

    def offline(*_, pretrained, **__):
        assert pretrained
        raise OSError("cannot reach the hub")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(ConfigError) as error:
        build_encoder(ModelConfig(encoder="mobilenetv3_small_100", pretrained=True))
    said = str(error.value)
    assert "pretrained weights of 'mobilenetv3_small_100' could not be downloaded" in said
    assert "cannot reach the hub" in said
    assert "model.pretrained=false" in said


@pytest.mark.parametrize("channels", [1, 4, 8, 12, 16, 20, 28, 36, 100])
def test_group_normalisation_takes_any_number_of_channels(channels):
    layer = normalization_layer("group", channels)
    assert layer(torch.rand(1, channels, 4, 4)).shape == (1, channels, 4, 4)
    if channels % 8 == 0:
        assert layer.num_groups == channels // 8


def test_the_decoder_joins_features_where_the_encoder_has_some():
    decoder = Decoder((16, 32), (4, 16), widths=(8, 8, 8, 8), normalization="none")
    assert decoder.strides == (8, 4, 2, 1)
    inputs = [block.convolutions[0].in_channels for block in decoder.blocks]
    assert inputs == [32, 8 + 16, 8, 8]
    assert decoder.channels == (8, 8, 8, 8)
