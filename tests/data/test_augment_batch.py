"""A batch at once against clip by clip, on the CPU: the same draws must give the same clips."""

import pytest
import torch

from sonotempo.config import AugmentConfig
from sonotempo.data.augment import Augmentation, apply_effects
from sonotempo.data.augment_batch import TOGETHER, apply_together
from sonotempo.data.augmentations import AUGMENTATIONS, Effect
from sonotempo.data.jpeg import jpeg, jpeg_batch

ALL = AugmentConfig(zoom_probability=0.5, mirror_probability=0.5)


def clips(count=12, frames=3, size=64):
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(count, frames, 9, 9, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    frames_BTHW = (smooth * 255).to(torch.uint8)
    return frames_BTHW, (frames_BTHW > 130).to(torch.uint8) + (frames_BTHW > 170).to(torch.uint8)


def both(draws, motion=None):
    frames_BTHW, masks_BTHW = clips(len(draws))
    before = frames_BTHW.clone(), masks_BTHW.clone()
    one_by_one = apply_effects(frames_BTHW, masks_BTHW, draws, motion)
    together = apply_together(frames_BTHW, masks_BTHW, draws, motion)
    assert torch.equal(frames_BTHW, before[0])
    assert torch.equal(masks_BTHW, before[1])
    return one_by_one, together


def assert_same(one_by_one, together):
    for mine, theirs in zip(one_by_one, together, strict=True):
        assert mine.shape == theirs.shape
        assert mine.dtype == theirs.dtype
    (x, masks), (x_too, masks_too) = one_by_one, together
    # Another order of a sum may turn a rounding of the JPEG, or the nearest pixel of a mask.
    assert ((x - x_too).abs() < 1e-5).float().mean() > 0.999
    assert (x - x_too).abs().mean() < 1e-5
    assert (masks == masks_too).float().mean() > 0.9995


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("config", [AugmentConfig(), ALL])
def test_all_augmentations(config, seed):
    draws = Augmentation(config).draw(12, torch.Generator().manual_seed(seed))
    assert_same(*both(draws))


@pytest.mark.parametrize("seed", range(2))
def test_with_the_motion_of_stills_in_some_frames(seed):
    generator = torch.Generator().manual_seed(seed)
    draws = Augmentation(ALL).draw(8, generator)
    motion = torch.randn(8, 3, 64, 64, 2, generator=generator) * 3
    motion[:, 1], motion[4:] = 0, 0
    assert_same(*both(draws, motion))


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_each_alone_leaves_the_other_clips_bit_by_bit(kind):
    names = ("elastic", "rotation", "zoom", "mirror", "shadow", "depth", "gamma", "jpeg")
    config = AugmentConfig(**{f"{name}_probability": 1.0 for name in names})
    values = iter([0.0, *kind.strongest * 60])
    effect = kind.drawn(config, values.__next__)
    draws = [(effect,), (), (effect,), ()]
    one_by_one, together = both(draws)
    assert_same(one_by_one, together)
    for clip in (1, 3):
        assert torch.equal(one_by_one[0][clip], together[0][clip])
        assert torch.equal(one_by_one[1][clip], together[1][clip])


def test_nothing_drawn_is_the_pixels_over_255():
    frames_BTHW, masks_BTHW = clips(2)
    x, masks = apply_together(frames_BTHW, masks_BTHW, [(), ()], None)
    assert torch.equal(x[:, :, 0], frames_BTHW.float() / 255)
    assert torch.equal(masks, masks_BTHW)


def test_an_augmentation_that_is_not_listed_is_applied_clip_by_clip():
    class Negative(Effect):
        def show(self, x_THW, masks_THW):
            x_THW.neg_().add_(1)

        @classmethod
        def drawn(cls, config, number):
            return cls()

    assert Negative not in TOGETHER
    assert_same(*both([(Negative(),), ()]))


def test_every_augmentation_that_changes_grey_values_is_listed():
    assert set(TOGETHER) == {kind for kind in AUGMENTATIONS if not kind.moves}


def test_each_clip_has_its_own_jpeg_quality():
    frames_BTHW, _ = clips(4)
    x_BTHW = frames_BTHW / 255
    qualities = [15, 40, 50, 95]
    wanted = torch.stack([jpeg(x, quality) for x, quality in zip(x_BTHW, qualities, strict=True)])
    found = jpeg_batch(x_BTHW, torch.tensor(qualities))
    assert (wanted - found).abs().mean() < 1e-5
    with pytest.raises(ValueError, match="multiples of 8"):
        jpeg_batch(torch.zeros(1, 1, 9, 9), torch.tensor([50]))
