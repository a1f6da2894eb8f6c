import pytest
import torch

from sonotempo.config import ModelConfig
from sonotempo.models import build_model
from sonotempo.models.summary import PARTS, cost_of

TINY = ModelConfig(channels=(4, 8, 8, 8, 8, 8), memory_channels=6)


@pytest.mark.parametrize("arm", ["frame", "sequence"])
@pytest.mark.parametrize("encoder", ["plain", "mobilenetv3_small_100"])
def test_the_parts_add_up_to_the_whole(arm, encoder):
    config = TINY.model_copy(update={"encoder": encoder})
    cost = cost_of(arm, config, classes=3, input_size=32)
    assert set(cost) == {*PARTS, "whole"}
    assert sum(cost[part].parameters for part in PARTS) == cost["whole"].parameters
    assert sum(cost[part].multiply_adds for part in PARTS) == cost["whole"].multiply_adds
    weights = build_model(arm, config, 3).parameters()
    assert cost["whole"].parameters == sum(weight.numel() for weight in weights)


def test_the_head_costs_what_a_1x1_convolution_costs():
    cost = cost_of("frame", TINY, classes=3, input_size=32)["head"]
    assert cost.parameters == 4 * 3 + 3
    assert cost.multiply_adds == 32 * 32 * 4 * 3


def test_only_the_sequence_arm_pays_for_memory_and_nothing_else():
    frame = cost_of("frame", TINY, classes=3, input_size=32)
    sequence = cost_of("sequence", TINY, classes=3, input_size=32)
    for part in ("encoder", "decoder", "head"):
        assert frame[part] == sequence[part]
    assert frame["memories"].parameters == frame["memories"].multiply_adds == 0
    assert sequence["memories"].multiply_adds > 0


def test_nothing_is_downloaded_to_count():
    pretrained = TINY.model_copy(update={"encoder": "mobilenetv3_small_100", "pretrained": True})
    assert cost_of("frame", pretrained, classes=3, input_size=32)["whole"].parameters > 0
    assert torch.is_grad_enabled()
