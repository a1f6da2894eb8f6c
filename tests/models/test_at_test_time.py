"""The wrappers of test time keep the models' signature and do what they say."""

import pytest
import torch
from torch import nn

from fakes.experiments import SIZE, TINY
from sonotempo.config import ControlsConfig
from sonotempo.models import as_run, build_model

DECAY = ControlsConfig(ema_decay=0.75)


def built(arm):
    torch.manual_seed(0)
    model = build_model(arm, TINY, 3).eval()
    for memory in model.memories.values():
        nn.init.normal_(memory.projection.weight)
    return model


def clip(batch=2, frames=5):
    return torch.rand(batch, frames, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("arm", ["frame", "frame_ema", "sequence", "sequence_reset"])
def test_streaming_frame_by_frame_equals_the_whole_clip(arm):
    model, x = as_run(arm, built(arm), DECAY), clip()
    with torch.no_grad():
        whole, last = model(x)
        state, streamed = model.initial_state(2, SIZE, SIZE), []
        for t in range(x.shape[1]):
            logits, state = model(x[:, t : t + 1], state)
            streamed.append(logits)
    torch.testing.assert_close(torch.cat(streamed, 1), whole, atol=1e-5, rtol=1e-5)
    assert [part.shape for part in state] == [part.shape for part in last]
    for mine, given in zip(state, last, strict=True):
        torch.testing.assert_close(mine, given, atol=1e-5, rtol=1e-5)


def test_smoothed_logits_are_the_weighted_mean_of_all_frames_so_far():
    frame, x = built("frame"), clip(1, 3)
    with torch.no_grad():
        smoothed, _ = as_run("frame_ema", frame, DECAY)(x)
        plain, _ = frame(x)
    first, second, third = plain[0]
    torch.testing.assert_close(smoothed[0, 0], first)
    torch.testing.assert_close(smoothed[0, 1], (0.75 * first + second) / 1.75)
    expected = (0.75**2 * first + 0.75 * second + third) / (0.75**2 + 0.75 + 1)
    torch.testing.assert_close(smoothed[0, 2], expected)


def test_without_decay_smoothing_changes_nothing():
    frame, x = built("frame"), clip()
    with torch.no_grad():
        smoothed, _ = as_run("frame_ema", frame, ControlsConfig(ema_decay=0))(x)
        assert torch.equal(smoothed, frame(x)[0])


def test_a_model_that_is_reset_on_every_frame_sees_each_as_its_first():
    sequence, x = built("sequence"), clip()
    reset = as_run("sequence_reset", sequence, DECAY)
    with torch.no_grad():
        logits, state = reset(x)
        for t in range(x.shape[1]):
            alone, _ = sequence(x[:, t : t + 1])
            torch.testing.assert_close(logits[:, t : t + 1], alone, atol=1e-5, rtol=1e-5)
        assert not torch.allclose(logits[:, -1], sequence(x)[0][:, -1])
    assert state == reset.initial_state(2, SIZE, SIZE) == ()


@pytest.mark.parametrize(
    ("arm", "trained"),
    [("frame_ema", "frame"), ("sequence_reset", "sequence"), ("frame_continued", "frame")],
)
def test_an_arm_s_network_is_that_of_the_weights_it_runs_with(arm, trained):
    assert list(built(arm).state_dict()) == list(built(trained).state_dict())


def test_an_arm_that_runs_as_it_is_is_not_wrapped():
    sequence = built("sequence")
    assert as_run("sequence", sequence, DECAY) is sequence
