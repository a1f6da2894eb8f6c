import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonotempo.config import FaultsConfig
from sonotempo.data.faults import Faults

KINDS = ("dark", "contact_loss", "noise", "occlusion")


def only(kind: str, **settings: object) -> Faults:
    off = {f"{name}_probability": 0.0 for name in KINDS}
    return Faults(FaultsConfig.model_validate({**off, f"{kind}_probability": 1.0, **settings}))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def masks_of(x: torch.Tensor) -> torch.Tensor:
    """A nerve (1) that moves to the right, and no vessel."""
    masks = torch.zeros(x.shape[0], x.shape[1], *x.shape[3:], dtype=torch.uint8)
    for t in range(x.shape[1]):
        masks[:, t, 2:5, 1 + t : 4 + t] = 1
    return masks


def clips(batch: int = 4, frames: int = 8, size: int = 32) -> torch.Tensor:
    return 0.2 + 0.7 * torch.rand(batch, frames, 1, size, size, generator=seeded(9))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    kind=st.sampled_from(KINDS),
    frames=st.integers(2, 9),
    longest=st.integers(1, 12),
)
def test_one_run_of_limited_length_after_the_first_frame(
    seed: int, kind: str, frames: int, longest: int
) -> None:
    x = clips(frames=frames)
    before = x.clone()
    faulty = only(kind, max_run_frames=longest)(x, masks_of(x), seeded(seed))
    assert torch.equal(x, before)
    assert 0 <= float(faulty.min()) <= float(faulty.max()) <= 1
    changed_BT = (faulty != x).flatten(2).any(2)
    assert not changed_BT[:, 0].any()
    for changed_T in changed_BT:
        hit = torch.nonzero(changed_T).flatten()
        assert 1 <= len(hit) <= longest
        assert hit[-1] - hit[0] + 1 == len(hit)


def test_every_frame_but_the_first_is_hit_at_times() -> None:
    x = clips(batch=200, frames=5, size=8)
    hit_T = (only("dark")(x, masks_of(x), seeded()) != x).flatten(2).any(2).sum(0)
    assert hit_T[0] == 0
    assert (hit_T[1:] > 20).all()


def test_dark_frames_keep_almost_nothing() -> None:
    x = clips()
    dark = only("dark")(x, masks_of(x), seeded())
    assert (dark[dark != x] <= 0.1 * 0.9).all()


def test_lost_contact_covers_half_the_width_or_more() -> None:
    x = clips(size=64)
    lost = only("contact_loss")(x, masks_of(x), seeded())
    for clip, original in zip(lost, x, strict=True):
        hit = next(t for t in range(8) if not torch.equal(clip[t], original[t]))
        kept_W = (clip[hit, 0] / original[hit, 0]).mean(0)
        assert (kept_W < 0.5).float().mean() >= 0.45
        assert kept_W.min() < 0.1


def test_noise_replaces_the_frame() -> None:
    x = clips()
    noisy = only("noise")(x, masks_of(x), seeded())
    for clip, original in zip(noisy, x, strict=True):
        hit = next(t for t in range(8) if not torch.equal(clip[t], original[t]))
        correlation = torch.corrcoef(torch.stack((clip[hit].flatten(), original[hit].flatten())))
        assert correlation[0, 1].abs() < 0.15


@pytest.mark.parametrize(("probability", "frames"), [(0.0, 8), (1.0, 1)])
def test_nothing_happens_without_probability_or_a_second_frame(
    probability: float, frames: int
) -> None:
    x = clips(frames=frames)
    faults = Faults(
        FaultsConfig(
            dark_probability=probability,
            contact_loss_probability=probability,
            noise_probability=probability,
            occlusion_probability=probability,
        )
    )
    assert torch.equal(faults(x, masks_of(x), seeded()), x)


def test_the_generator_decides_everything() -> None:
    x = clips()
    faults = Faults(
        FaultsConfig(dark_probability=0.5, contact_loss_probability=0.5, noise_probability=0.5)
    )
    assert torch.equal(faults(x, masks_of(x), seeded(1)), faults(x, masks_of(x), seeded(1)))
    assert not torch.equal(faults(x, masks_of(x), seeded(1)), faults(x, masks_of(x), seeded(2)))


def test_each_kind_keeps_its_probability() -> None:
    dark, lost, noise, occluded = Faults(
        FaultsConfig(
            dark_probability=0.25,
            contact_loss_probability=0.5,
            noise_probability=0.05,
            occlusion_probability=0.75,
        )
    ).draw(1000, 8, seeded())
    assert len(dark) == pytest.approx(250, abs=50)
    assert len(lost) == pytest.approx(500, abs=60)
    assert len(noise) == pytest.approx(50, abs=30)
    assert len(occluded) == pytest.approx(750, abs=60)


def test_lengths_are_log_uniform() -> None:
    dark, *_ = Faults(
        FaultsConfig(dark_probability=1, contact_loss_probability=0, max_run_frames=16)
    ).draw(2000, 40, seeded())
    lengths = torch.tensor([run.stop - run.start for run in dark]).float()
    assert lengths.min() == 1
    assert lengths.max() == 16
    # As many runs of up to 4 frames, the geometric middle, as of more.
    assert (lengths <= 4).float().mean() == pytest.approx(0.56, abs=0.08)


def test_an_occlusion_covers_the_structure_and_as_large_patches_elsewhere() -> None:
    x = torch.ones(40, 6, 1, 48, 48)
    masks = torch.zeros(40, 6, 48, 48, dtype=torch.uint8)
    masks[:, :, 20:26, 20:26] = 1
    faulty = only("occlusion", max_run_frames=5)(x, masks, seeded())
    covered = faulty[:, :, 0] < 1
    assert not covered[:, 0].any()
    hit = covered.flatten(2).any(2)
    assert (hit.sum(1) >= 1).all()
    inside = (covered & (masks == 1)).flatten(2).sum(2)
    assert (inside[hit] == 36).all()
    area = covered.flatten(2).sum(2)[hit].float()
    patch = (6 + 2 * 2) ** 2
    assert area.mean() > 2.5 * patch, "decoys cover other places"
    outside = (covered & (masks == 0)).float()[hit].mean(0)
    assert outside[:8].sum() > 0, "decoys know nothing of where the structure is"
    assert outside[40:].sum() > 0


def test_an_occlusion_of_nothing_changes_nothing() -> None:
    x = clips()
    masks = torch.zeros(4, 8, 32, 32, dtype=torch.uint8)
    assert torch.equal(only("occlusion")(x, masks, seeded()), x)
