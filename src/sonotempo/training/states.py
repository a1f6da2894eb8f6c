"""What a state may look like when a chunk of training frames begins: its own, or a wrong one.

In use a state can be that of another scene, one that motion has not followed, or gone. A network
that has only seen clean states trusts them blindly.
"""

import torch
from torch import Tensor

from sonotempo.models import State

_FARTHEST_SHIFT = 0.25


def exchanged(state: State, probability: float, generator: torch.Generator) -> State:
    """Give some clips the state that another clip of the batch has left.

    Args:
        state: parts BCHW.
        probability: per clip.
        generator: the only source of randomness.
    """
    if not state or probability == 0:
        return state
    batch = len(state[0])
    foreign_B = _draws(batch, generator, state[0]) < probability
    order = torch.roll(torch.arange(batch, device=state[0].device), 1)
    return tuple(torch.where(foreign_B[:, None, None, None], part[order], part) for part in state)


def corrupted(state: State, older: State, probability: float, generator: torch.Generator) -> State:
    """Drop, shift or age the state of some clips.

    Args:
        state: parts BCHW.
        older: the state a chunk earlier.
        probability: per clip; each of the three is equally likely.
        generator: the only source of randomness.
    """
    if not state or probability == 0:
        return state
    batch = len(state[0])
    chance_B = _draws(batch, generator, state[0])
    kind_B = (_draws(batch, generator, state[0]) * 3).long()
    shift_xy = (torch.rand(2, generator=generator, device=generator.device) * 2 - 1).tolist()
    found = []
    for part, old in zip(state, older, strict=True):
        height, width = part.shape[-2:]
        moved = torch.roll(
            part,
            (
                round(shift_xy[1] * _FARTHEST_SHIFT * height),
                round(shift_xy[0] * _FARTHEST_SHIFT * width),
            ),
            dims=(2, 3),
        )
        wrong = torch.stack((torch.zeros_like(part), moved, old))[
            kind_B, torch.arange(batch, device=part.device)
        ]
        found.append(torch.where((chance_B < probability)[:, None, None, None], wrong, part))
    return tuple(found)


def _draws(count: int, generator: torch.Generator, like: Tensor) -> Tensor:
    return torch.rand(count, generator=generator, device=generator.device).to(like.device)
