"""The size and cost of a network: parameters and multiply-adds per frame, part by part."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sonotempo.config import ModelConfig
from sonotempo.models.segmenter import build_model

PARTS = ("encoder", "decoder", "memories", "head")


@dataclass(frozen=True, slots=True)
class Cost:
    """Parameters, and multiply-adds for one frame.

    Attributes:
        parameters: trained numbers.
        multiply_adds: of convolutions and matrix products, for one frame.
    """

    parameters: int
    multiply_adds: int


def cost_of(arm: str, config: ModelConfig, classes: int, input_size: int) -> dict[str, Cost]:
    """Return the cost of each of :data:`PARTS` and of the ``whole`` network.

    >>> cost = cost_of("frame", ModelConfig(), classes=3, input_size=256)
    >>> round(cost["whole"].parameters / 1e6, 1), cost["memories"].parameters
    (2.0, 0)
    """
    config = config.model_copy(update={"pretrained": False})  # weights do not change the cost
    model = build_model(arm, config, classes).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 1, 1, input_size, input_size))
    # The counter names modules by their path; only leaves count, or parts would count twice.
    counts: dict[str, int] = {
        name: sum(flops.values()) for name, flops in counter.get_flop_counts().items()
    }
    leaves = {
        name: flops
        for name, flops in counts.items()
        if not any(other.startswith(f"{name}.") for other in counts)
    }

    def multiply_adds(part: str) -> int:
        inside = (f"{type(model).__name__}.{part}", f"{type(model).__name__}.{part}.")
        flops = [n for name, n in leaves.items() if name == inside[0] or name.startswith(inside[1])]
        return sum(flops) // 2  # two floating-point operations per multiply-add

    parts = {part: Cost(_parameters(getattr(model, part)), multiply_adds(part)) for part in PARTS}
    return parts | {"whole": Cost(_parameters(model), counter.get_total_flops() // 2)}


def _parameters(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())
