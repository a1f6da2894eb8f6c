"""One suite for every model: the same signature, the same promises."""

import pytest
import torch
from torch import nn

from sonotempo.config import ModelConfig
from sonotempo.errors import ConfigError
from sonotempo.models import build_model, in_channels_last

CLASSES = 3
SIZE = 32
PLAIN = ModelConfig(channels=(8, 8, 8, 8, 8, 8), memory_channels=6)
NETWORKS = {
    "plain, batch": PLAIN,
    "plain, group": PLAIN.model_copy(
        update={"normalization": "group", "channels": (4, 8, 16, 20)}
    ).model_copy(update={"memory_strides": (4,)}),
    "plain, none": PLAIN.model_copy(update={"normalization": "none"}),
    "plain, two memories": PLAIN.model_copy(update={"memory_strides": (8, 16)}),
    "timm": PLAIN.model_copy(update={"encoder": "mobilenetv3_small_100"}),
}


def build(arm, config=PLAIN, *, nudged=True):
    """A model in evaluation mode whose memory says something."""
    torch.manual_seed(0)
    model = build_model(arm, config, CLASSES).eval()
    if nudged:
        nudge(model)
    return model


def nudge(model):
    """Let the memory speak, and take running statistics from images, as a training would."""
    with torch.no_grad():
        for memory in model.memories.values():
            nn.init.normal_(memory.projection.weight)
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = 1.0
        model.train()(clip(4, 4, size=64, seed=7))
        model.eval()
        for norm in norms:
            norm.momentum = 0.1


def clip(batch=2, frames=4, size=SIZE, seed=0):
    return torch.rand(batch, frames, 1, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=["frame", "frame_extra", "sequence"])
def arm(request):
    return request.param


@pytest.fixture(params=list(NETWORKS))
def config(request):
    return NETWORKS[request.param]


@pytest.fixture
def model(arm, config):
    return build(arm, config)


def test_a_clip_gives_logits_of_its_shape_and_a_state_like_the_one_given(model):
    with torch.no_grad():
        logits, state = model(clip(2, 3))
    assert logits.shape == (2, 3, CLASSES, SIZE, SIZE)
    initial = model.initial_state(2, SIZE, SIZE)
    assert [part.shape for part in state] == [part.shape for part in initial]
    assert len(state) == sum(len(memory.cell.state_channels) for memory in model.memories.values())
    assert torch.isfinite(logits).all()


def test_a_grid_need_not_be_square(model):
    with torch.no_grad():
        logits, state = model(torch.rand(1, 2, 1, 32, 64))
        again, _ = model(torch.rand(1, 1, 1, 32, 64), state)
    assert logits.shape[-2:] == again.shape[-2:] == (32, 64)


def test_streaming_frame_by_frame_equals_the_whole_clip(model):
    x = clip(2, 6)
    with torch.no_grad():
        whole, last = model(x)
        state, streamed = None, []
        for t in range(6):
            logits, state = model(x[:, t : t + 1], state)
            streamed.append(logits)
    torch.testing.assert_close(torch.cat(streamed, 1), whole, atol=1e-5, rtol=1e-5)
    for mine, given in zip(state, last, strict=True):
        torch.testing.assert_close(mine, given, atol=1e-5, rtol=1e-5)


def test_no_state_is_the_initial_state(model):
    x = clip()
    with torch.no_grad():
        given, _ = model(x, model.initial_state(2, SIZE, SIZE))
        assert torch.equal(model(x)[0], given)


def test_a_model_keeps_nothing_from_one_call_to_the_next(model):
    x = clip()
    with torch.no_grad():
        before, _ = model(x)
        model(clip(seed=1))
        assert torch.equal(model(x)[0], before)


def test_a_call_changes_neither_its_clip_nor_its_state(model):
    x = clip()
    with torch.no_grad():
        _, state = model(x)
        kept = [part.clone() for part in (x, *state)]
        model(x, state)
    for mine, given in zip((x, *state), kept, strict=True):
        assert torch.equal(mine, given)


def test_clips_of_a_batch_do_not_touch_each_other(model):
    x = clip(3)
    with torch.no_grad():
        together, state = model(x)
        alone, own = model(x[1:2])
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-5)
    for mine, given in zip(own, state, strict=True):
        torch.testing.assert_close(mine, given[1:2], atol=1e-5, rtol=1e-5)


def test_only_a_memory_lets_earlier_frames_matter(model, arm):
    x = clip(1)
    changed = x.clone()
    changed[:, 0] = 1 - changed[:, 0]
    with torch.no_grad():
        difference = (model(x)[0] - model(changed)[0]).abs().amax((0, 2, 3, 4))
    assert difference[0] > 0
    assert bool(difference[-1] > 0) == (arm == "sequence")


def test_a_gradient_reaches_every_weight(model):
    model.train()
    logits, _ = model(clip(2, 3, size=64))
    logits.square().mean().backward()
    without = [name for name, w in model.named_parameters() if w.grad is None]
    assert without == []
    assert all(torch.isfinite(w.grad).all() for w in model.parameters())
    flat = [name for name, w in model.named_parameters() if not w.grad.any()]
    # What precedes a normalisation of a single group or a dead ReLU may have none by chance.
    assert len(flat) <= 0.1 * len(list(model.parameters())), flat


def test_a_grid_that_does_not_divide_is_refused_with_one_that_does(model):
    coarsest = model.encoder.strides[-1]
    with pytest.raises(
        ConfigError, match=f"multiples of {coarsest}, for example {2 * coarsest}x{coarsest}"
    ):
        model(torch.zeros(1, 1, 1, coarsest + 4, coarsest))


def test_channels_last_changes_the_layout_and_not_the_numbers(arm):
    plain = build(arm)
    x = clip(1, 2)
    with torch.no_grad():
        before, _ = plain(x)
        after, _ = in_channels_last(plain)(x)
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", list(NETWORKS))
@pytest.mark.parametrize("arm", ["frame_extra", "frame_continued", "sequence"])
def test_a_model_that_starts_from_a_frame_model_predicts_exactly_the_same(arm, name):
    config = NETWORKS[name]
    frame = build("frame", config)
    torch.manual_seed(1)
    sequence = build_model(arm, config, CLASSES).eval()
    sequence.start_from(frame)
    x = clip(2, 5)
    with torch.no_grad():
        expected, _ = frame(x)
        state = None
        for t in range(5):
            logits, state = sequence(x[:, t : t + 1], state)
            alone, _ = frame(x[:, t : t + 1])
            assert torch.equal(logits, alone), f"frame {t}"
        assert torch.equal(sequence(x)[0], expected)
    if arm == "sequence":
        assert any(part.any() for part in state), "the memory fills although it adds nothing"


@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_convolutions_in_place_of_a_memory_have_as_many_parameters(name):
    counts = [
        sum(w.numel() for w in build_model(arm, NETWORKS[name], CLASSES).parameters())
        for arm in ("frame_extra", "sequence")
    ]
    assert counts[0] == counts[1]


def test_a_frame_model_of_another_network_cannot_be_the_start():
    other = build("frame", PLAIN.model_copy(update={"channels": (4, 8, 8, 8, 8)}))
    with pytest.raises((ValueError, RuntimeError)):
        build("sequence").start_from(other)


def norm_statistics(model):
    return {name: value.clone() for name, value in model.named_buffers() if "running_" in name}


@pytest.mark.parametrize("encoder", ["plain", "mobilenetv3_small_100"])
def test_what_is_frozen_stays_through_switches_of_mode(encoder):
    model = build("sequence", PLAIN.model_copy(update={"encoder": encoder}))
    model.freeze(encoder=True, normalization=True)
    model.eval().train()
    before = norm_statistics(model)
    weights = {name: w.clone() for name, w in model.encoder.state_dict().items()}
    optimizer = torch.optim.SGD([w for w in model.parameters() if w.requires_grad], lr=1.0)
    model(clip(2, 3))[0].square().mean().backward()
    optimizer.step()
    assert before
    for name, value in norm_statistics(model).items():
        assert torch.equal(value, before[name]), name
    for name, value in model.encoder.state_dict().items():
        assert torch.equal(value, weights[name]), name
    assert not any(w.requires_grad for w in model.encoder.parameters())
    assert all(w.requires_grad for w in model.decoder.parameters())
    assert model.head.training


def test_what_is_not_frozen_moves():
    model = build("sequence").train()
    model.freeze(encoder=False, normalization=False)
    before = norm_statistics(model)
    model(clip(2, 3))
    assert not any(
        torch.equal(value, before[name]) for name, value in norm_statistics(model).items()
    )


def test_an_unknown_arm_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="unknown arm 'sequnce'; did you mean 'sequence'"):
        build_model("sequnce", PLAIN, CLASSES)


def test_a_memory_where_the_decoder_has_no_stride_is_refused_with_the_strides():
    wrong = PLAIN.model_copy(update={"memory_strides": (32,)})
    with pytest.raises(ConfigError, match=r"memory_strides holds 32.*\[1, 2, 4, 8, 16\]"):
        build_model("sequence", wrong, CLASSES)
    build_model("frame", wrong, CLASSES)  # which has no memory to place


def test_a_sequence_model_without_memory_is_refused():
    with pytest.raises(ConfigError, match="memory_strides is empty"):
        build_model("sequence", PLAIN.model_copy(update={"memory_strides": ()}), CLASSES)


def test_the_memory_begins_by_remembering():
    (memory,) = build_model("sequence", PLAIN, CLASSES).memories.values()
    enter, keep, leave, candidate = memory.cell.normalization.bias.chunk(4)
    assert (keep == 1).all()
    for other in (enter, leave, candidate):
        assert (other == 0).all()


def test_the_memory_s_cell_is_that_of_its_paper_with_normalised_gates():
    """One step of Shi et al. 2015 without peepholes, written out."""
    from sonotempo.models.memory import ConvLSTM

    torch.manual_seed(0)
    cell = ConvLSTM(2, 3)
    x, hidden, memory = torch.randn(1, 2, 4, 4), torch.randn(1, 3, 4, 4), torch.randn(1, 3, 4, 4)
    with torch.no_grad():
        output, (last_hidden, last_cell) = cell(cell.prepare(x), (hidden, memory))
        sums = cell.from_input(x) + cell.from_hidden(hidden)
        gates = [
            (gate - gate.mean()) / (gate.var(correction=0) + 1e-5).sqrt()
            for gate in (sums[:, :3], sums[:, 3:6], sums[:, 6:9], sums[:, 9:])
        ]
        enter, keep, leave, candidate = gates
        expected = (keep + 1).sigmoid() * memory + enter.sigmoid() * candidate.tanh()
    torch.testing.assert_close(last_cell, expected)
    torch.testing.assert_close(last_hidden, leave.sigmoid() * expected.tanh())
    assert torch.equal(output, last_hidden)


def test_weights_that_all_drift_one_way_do_not_shut_the_memory():
    """Features after a ReLU are positive, so a high learning rate moves every gate together."""
    from sonotempo.models.memory import ConvLSTM

    torch.manual_seed(0)
    cell = ConvLSTM(8, 8)
    features = torch.rand(4, 8, 8, 8)
    state = (torch.zeros(1, 8, 8, 8), torch.zeros(1, 8, 8, 8))
    with torch.no_grad():
        cell.from_input.weight -= 1.0  # without normalisation every gate would be near -36
        for frame in cell.prepare(features).split(1):
            hidden, state = cell(frame, state)
            assert hidden.abs().mean() > 0.05
