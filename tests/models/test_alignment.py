import cv2
import numpy as np
import pytest
import torch

from sonotempo.config import ControlsConfig, ModelConfig
from sonotempo.errors import ConfigError
from sonotempo.flow import carried, track
from sonotempo.models import as_run, build_model, no_motion
from sonotempo.models.alignment import aligned, motion_at, trusted, warp
from sonotempo.training.motion import motion_of

SMALL = ModelConfig(channels=(4, 8, 8), memory_strides=(2,), memory_channels=8)
SIZE = 32


@pytest.fixture
def clip_BTCHW():
    random = np.random.default_rng(0)
    scene = np.kron(random.uniform(0.1, 0.9, (16, 16)), np.ones((3, 3)))
    frames = [scene[2 + t : 2 + t + SIZE, 3 : 3 + SIZE] for t in range(6)]
    return torch.from_numpy(np.stack(frames)).float()[None, :, None]


def networks(added="sequence_aligned", config=SMALL):
    torch.manual_seed(1)
    frame, other = build_model("frame", config, 3).eval(), build_model(added, config, 3).eval()
    other.start_from(frame)
    return frame, other


@torch.inference_mode()
def test_untrained_it_gives_exactly_what_the_frame_model_gives_along_the_motion(clip_BTCHW):
    frame, model = networks()
    motion = motion_of(clip_BTCHW)
    wanted, _ = as_run("frame_flow", frame, ControlsConfig())(clip_BTCHW, None, motion)
    given, _ = model(clip_BTCHW, None, motion)
    assert torch.allclose(given, wanted, atol=1e-5)
    by_itself, _ = frame(clip_BTCHW)
    assert not torch.allclose(given.softmax(2), by_itself.softmax(2), atol=1e-3)


@torch.inference_mode()
def test_chunks_that_carry_the_state_equal_the_whole_clip(clip_BTCHW):
    _, model = networks()
    for weight in model.memories.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    motion = motion_of(clip_BTCHW)
    whole, state = model(clip_BTCHW, None, motion)
    steps, carried_state = [], None
    for t in range(6):
        logits, carried_state = model(clip_BTCHW[:, t : t + 1], carried_state, motion[:, t : t + 1])
        steps.append(logits)
    assert torch.allclose(torch.cat(steps, 1), whole, atol=1e-5)
    for mine, theirs in zip(carried_state, state, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)


@torch.inference_mode()
def test_the_torch_wrapper_equals_what_runs_live(clip_BTCHW):
    frame, _ = networks()
    wrapped, _ = as_run("frame_flow", frame, ControlsConfig())(
        clip_BTCHW, None, motion_of(clip_BTCHW)
    )
    alone, _ = frame(clip_BTCHW)
    before = running = None
    for t in range(6):
        image = (clip_BTCHW[0, t, 0].numpy() * 255).round().astype(np.uint8)
        motion, before = track(image, before)
        shown, running = carried(running, alone[0, t].softmax(0).numpy(), motion)
        assert wrapped[0, t].softmax(0).numpy() == pytest.approx(shown, abs=2e-3)


@torch.inference_mode()
def test_without_motion_frames_stand_alone(clip_BTCHW):
    frame, model = networks()
    given, _ = model(clip_BTCHW)
    wanted, _ = frame(clip_BTCHW)
    assert torch.allclose(given.softmax(2), wanted.softmax(2), atol=1e-5)


def test_warping_equals_opencv():
    random = np.random.default_rng(2)
    map_hw = random.random((24, 24)).astype(np.float32)
    flow = cv2.GaussianBlur(random.normal(0, 4, (24, 24, 2)).astype(np.float32), (0, 0), 3)
    y, x = np.mgrid[:24, :24].astype(np.float32)
    wanted = cv2.remap(
        map_hw, np.stack((x, y), 2) + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    motion = torch.cat((torch.from_numpy(flow).permute(2, 0, 1), torch.zeros(1, 24, 24)))[None]
    given = warp(torch.from_numpy(map_hw)[None, None], motion)[0, 0].numpy()
    assert given == pytest.approx(wanted, abs=2e-2)


def test_a_state_is_forgotten_at_a_start_and_held_where_the_frame_is_not_trusted():
    state = (torch.ones(1, 2, 4, 4),)
    motion = torch.zeros(1, 3, 4, 4)
    motion[:, 2] = 0.15
    assert torch.equal(aligned(state, motion)[0], state[0])
    motion[:, 2] = 1
    assert not aligned(state, motion)[0].any()
    motion[:, 2] = 0
    (held,) = trusted((torch.full((1, 2, 4, 4), 5.0),), state, motion)
    assert torch.equal(held, state[0])
    motion[:, 2] = 0.15
    (new,) = trusted((torch.full((1, 2, 4, 4), 5.0),), state, motion)
    assert torch.allclose(new, torch.full((1, 2, 4, 4), 5.0))


def test_motion_scales_with_its_grid():
    motion = torch.zeros(1, 3, 32, 32)
    motion[:, 0], motion[:, 2] = 4, 0.5
    smaller = motion_at(motion, 8)
    assert smaller.shape == (1, 3, 8, 8)
    assert smaller[0, :, 0, 0].tolist() == [1, 0, 0.5]
    with pytest.raises(ConfigError, match="leave the finest strides out"):
        motion_at(motion, 64)


def test_no_motion_starts_every_frame():
    motion = no_motion(torch.zeros(2, 3, 1, 8, 8), 8)
    assert motion.shape == (2, 3, 3, 8, 8)
    assert not motion[:, :, :2].any()
    assert (motion[:, :, 2] == 1).all()
