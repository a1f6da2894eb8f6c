"""One suite for every memory cell."""

import pytest
import torch

from sonotempo.config import ModelConfig
from sonotempo.models import build_model
from sonotempo.models.memory import CELLS, ResidualMemory


@pytest.fixture(params=sorted(CELLS))
def cell(request):
    torch.manual_seed(0)
    return CELLS[request.param](6, 4)


def states(cell, batch=2, size=8):
    return tuple(torch.zeros(batch, channels, size, size) for channels in cell.state_channels)


def test_state_goes_in_and_comes_out_with_its_shape(cell):
    x = cell.prepare(torch.rand(2, 6, 8, 8))
    hidden, after = cell(x, states(cell))
    assert hidden.shape == (2, 4, 8, 8)
    assert [part.shape for part in after] == [part.shape for part in states(cell)]
    again, _ = cell(x, after)
    assert not torch.allclose(again, hidden), "the state matters"


def test_the_state_stays_bounded_over_600_frames(cell):
    with torch.inference_mode():
        state = states(cell, 1)
        for _ in range(600):
            _, state = cell(cell.prepare(5 * torch.randn(1, 6, 8, 8)), state)
    assert all(part.isfinite().all() and part.abs().max() < 600 for part in state)


def test_its_control_has_no_state_and_about_as_many_parameters(cell):
    kind = type(cell)
    mine, control = kind(32, 32), kind.control(32, 32)
    counts = [sum(w.numel() for w in one.parameters()) for one in (mine, control)]
    assert control.state_channels == ()
    assert counts[1] == pytest.approx(counts[0], rel=0.1)


def test_at_first_nothing_is_added(cell):
    memory = ResidualMemory(cell, 6, 4)
    x = torch.rand(3, 6, 8, 8)
    out, _ = memory(x, states(cell, 1), 3)
    assert torch.equal(out, x)


def test_half_of_the_channels_are_left_alone(cell):
    memory = ResidualMemory(cell, 6, 4)
    torch.nn.init.ones_(memory.projection.weight)
    x = torch.rand(2, 10, 8, 8)
    out, _ = memory(x, states(cell, 1), 2)
    assert torch.equal(out[:, :4], x[:, :4])
    assert not torch.allclose(out[:, 4:], x[:, 4:])


@pytest.mark.parametrize("channels", [8, "half"])
@pytest.mark.parametrize("arm", ["sequence", "sequence_aligned", "frame_extra"])
@pytest.mark.parametrize("name", sorted(CELLS))
def test_every_arm_can_be_built_with_it(name, arm, channels):
    config = ModelConfig(
        channels=(4, 8, 8, 8), memory=name, memory_strides=(2, 4), memory_channels=channels
    )
    model = build_model(arm, config, 3).eval()
    x = torch.rand(1, 4, 1, 32, 32)
    with torch.inference_mode():
        whole, _ = model(x)
        first, state = model(x[:, :2])
        second, _ = model(x[:, 2:], state)
    assert torch.allclose(torch.cat((first, second), 1), whole, atol=1e-5)
