import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonotempo.config import AugmentConfig, MotionConfig
from sonotempo.data.augment import Augmentation
from sonotempo.data.stills import StillMotion, evaluation_clip

SIZE = 64
NO_DROPS = MotionConfig(drop_probability=0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def farthest_px(config: MotionConfig, size: int) -> float:
    """The largest displacement in x or y that the settings allow, with bicubic overshoot."""
    unit = size / 256
    linear = config.scale + np.radians(config.rotation_degrees) * (1 + config.scale)
    own = config.drift_px + config.breathing_px + 2 * config.elastic_px + config.pulse_px
    return float(own * unit + linear * size / 2)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), frames=st.integers(1, 20), ends_still=st.booleans())
def test_motion_stays_within_its_settings(seed: int, frames: int, ends_still: bool) -> None:
    config = MotionConfig()
    motion = StillMotion(config).displacement(2, frames, SIZE, seeded(seed), ends_still=ends_still)
    assert motion.shape == (2, frames, SIZE, SIZE, 2)
    assert motion.dtype == torch.float32
    assert float(motion.abs().max()) <= farthest_px(config, SIZE)
    if ends_still:
        assert (motion[:, -1] == 0).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_motion_is_smooth_in_time_and_space(seed: int) -> None:
    motion = StillMotion(NO_DROPS).displacement(2, 24, 32, seeded(seed), ends_still=True)
    step = motion.diff(dim=1).norm(dim=-1)
    whole = motion.norm(dim=-1).amax((1, 2, 3))
    assert (step.amax((1, 2, 3)) < 0.35 * whole).all()
    assert (step.mean((1, 2, 3)) < 0.15 * whole).all()
    # Neighbouring pixels move almost alike: the image does not fold.
    assert float(motion.diff(dim=2).abs().max()) < 0.5
    assert float(motion.diff(dim=3).abs().max()) < 0.5


def test_it_moves_as_slowly_as_a_hand() -> None:
    motion = StillMotion(NO_DROPS).displacement(32, 16, 64, seeded(), ends_still=True) * 4
    step_px = motion.diff(dim=1).norm(dim=-1)
    assert float(step_px.max()) < 6
    assert 2 < float(motion[:, 0].norm(dim=-1).mean()) < 12


def test_drops_make_larger_steps() -> None:
    quiet = MotionConfig(drop_probability=0)
    jumpy = MotionConfig(drop_probability=0.5)
    steps = [
        StillMotion(config).displacement(8, 16, 32, seeded(), ends_still=True).diff(dim=1)
        for config in (quiet, jumpy)
    ]
    assert steps[1].abs().mean() > 1.4 * steps[0].abs().mean()


def test_pixels_scale_with_the_grid() -> None:
    small, large = (
        StillMotion(MotionConfig()).displacement(1, 4, size, seeded(), ends_still=True)
        for size in (32, 64)
    )
    blocks = large.unflatten(2, (32, 2)).unflatten(4, (32, 2)).mean((3, 5))
    torch.testing.assert_close(blocks, small * 2, atol=0.2, rtol=0)


def test_a_still_without_settings_does_not_move() -> None:
    still = MotionConfig(
        drift_px=0, rotation_degrees=0, scale=0, elastic_px=0, breathing_px=0, pulse_px=0
    )
    motion = StillMotion(still).displacement(2, 5, SIZE, seeded(), ends_still=False)
    assert float(motion.abs().max()) < 1e-4


@pytest.mark.parametrize(
    "kind", ["drift_px", "rotation_degrees", "scale", "elastic_px", "breathing_px", "pulse_px"]
)
def test_each_setting_moves_by_itself(kind: str) -> None:
    off = dict.fromkeys(
        ["drift_px", "rotation_degrees", "scale", "elastic_px", "breathing_px", "pulse_px"], 0.0
    )
    alone = MotionConfig.model_validate({**off, kind: 0.3 if kind == "scale" else 10.0})
    motion = StillMotion(alone).displacement(4, 16, SIZE, seeded(), ends_still=True)
    assert float(motion.abs().max()) > 0.2


def test_image_and_mask_move_together() -> None:
    rows, columns = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    inside = ((rows - 60) ** 2 + (columns - 70) ** 2 < 20**2).to(torch.uint8)
    masks = inside.expand(2, 8, -1, -1)
    off = {f"{k}_probability": 0.0 for k in ("gamma", "rotation", "shadow", "depth", "jpeg")}
    augmentation = Augmentation(AugmentConfig.model_validate({**off, "elastic_probability": 0}))
    motion = StillMotion(MotionConfig()).displacement(2, 8, 128, seeded(), ends_still=True)
    x, moved = augmentation(masks * 255, masks, seeded(), motion)
    overlap = ((x[:, :, 0] > 0.5) & (moved == 1)).sum((2, 3))
    either = ((x[:, :, 0] > 0.5) | (moved == 1)).sum((2, 3))
    assert (overlap / either > 0.95).all()
    assert torch.equal(moved[:, -1], masks[:, -1])
    assert not torch.equal(moved[:, 0], masks[:, 0])


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), frames=st.integers(1, 12), ends_still=st.booleans())
def test_appearance_stays_in_range(seed: int, frames: int, ends_still: bool) -> None:
    x = torch.rand(3, frames, 1, 16, 16, generator=seeded(1))
    config = MotionConfig(shadow_probability=1, gain=0.5)
    shown = StillMotion(config).appearance(x, seeded(seed), ends_still=ends_still)
    assert shown.shape == x.shape
    assert 0 <= float(shown.min()) <= float(shown.max()) <= 1
    if ends_still:
        assert torch.equal(shown[:, -1], x[:, -1])


def test_appearance_changes_smoothly() -> None:
    x = torch.full((8, 16, 1, 4, 32), 0.5)
    shown = StillMotion(MotionConfig(shadow_probability=1)).appearance(x, seeded(), ends_still=True)
    assert not torch.equal(shown, x)
    assert float(shown.diff(dim=1).abs().max()) < 0.2


def test_shadows_come_with_their_probability() -> None:
    x = torch.full((300, 8, 1, 1, 64), 0.5)
    shown = StillMotion(MotionConfig(gain=0, shadow_probability=0.3)).appearance(
        x, seeded(), ends_still=False
    )
    changed = (shown - x).abs().flatten(1).amax(1) > 1e-3
    assert int(changed.sum()) == pytest.approx(90, abs=30)


def test_an_evaluation_clip_ends_in_the_untouched_still() -> None:
    still = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
    clip = evaluation_clip(still, 16, 7, MotionConfig())
    assert clip.shape == (16, SIZE, SIZE)
    assert clip.dtype == np.uint8
    assert np.array_equal(clip[-1], still)
    assert not np.array_equal(clip[0], still)


def test_an_evaluation_clip_follows_its_seed() -> None:
    still = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
    torch.manual_seed(1)
    first = evaluation_clip(still, 4, 7, MotionConfig())
    torch.manual_seed(2)
    assert np.array_equal(first, evaluation_clip(still, 4, 7, MotionConfig()))
    assert not np.array_equal(first, evaluation_clip(still, 4, 8, MotionConfig()))


def test_a_clip_of_one_frame_is_the_still() -> None:
    still = np.full((SIZE, SIZE), 50, dtype=np.uint8)
    assert np.array_equal(evaluation_clip(still, 1, 0, MotionConfig())[0], still)
