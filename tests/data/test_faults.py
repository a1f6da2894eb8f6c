import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonotempo.config import FaultsConfig
from sonotempo.data.faults import Faults


def only(kind: str, **settings: object) -> Faults:
    off = {f"{name}_probability": 0.0 for name in ("dark", "contact_loss", "noise")}
    return Faults(FaultsConfig.model_validate({**off, f"{kind}_probability": 1.0, **settings}))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clips(batch: int = 4, frames: int = 8, size: int = 32) -> torch.Tensor:
    return 0.2 + 0.7 * torch.rand(batch, frames, 1, size, size, generator=seeded(9))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    kind=st.sampled_from(["dark", "contact_loss", "noise"]),
    frames=st.integers(2, 9),
    longest=st.integers(1, 12),
)
def test_one_run_of_limited_length_after_the_first_frame(
    seed: int, kind: str, frames: int, longest: int
) -> None:
    x = clips(frames=frames)
    before = x.clone()
    faulty = only(kind, max_run_frames=longest)(x, seeded(seed))
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
    hit_T = (only("dark")(x, seeded()) != x).flatten(2).any(2).sum(0)
    assert hit_T[0] == 0
    assert (hit_T[1:] > 20).all()


def test_dark_frames_keep_almost_nothing() -> None:
    x = clips()
    dark = only("dark")(x, seeded())
    assert (dark[dark != x] <= 0.1 * 0.9).all()


def test_lost_contact_covers_half_the_width_or_more() -> None:
    x = clips(size=64)
    lost = only("contact_loss")(x, seeded())
    for clip, original in zip(lost, x, strict=True):
        hit = next(t for t in range(8) if not torch.equal(clip[t], original[t]))
        kept_W = (clip[hit, 0] / original[hit, 0]).mean(0)
        assert (kept_W < 0.5).float().mean() >= 0.45
        assert kept_W.min() < 0.1


def test_noise_replaces_the_frame() -> None:
    x = clips()
    noisy = only("noise")(x, seeded())
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
        )
    )
    assert torch.equal(faults(x, seeded()), x)


def test_the_generator_decides_everything() -> None:
    x = clips()
    faults = Faults(
        FaultsConfig(dark_probability=0.5, contact_loss_probability=0.5, noise_probability=0.5)
    )
    assert torch.equal(faults(x, seeded(1)), faults(x, seeded(1)))
    assert not torch.equal(faults(x, seeded(1)), faults(x, seeded(2)))


def test_each_kind_keeps_its_probability() -> None:
    dark, lost, noise = Faults(
        FaultsConfig(dark_probability=0.25, contact_loss_probability=0.5, noise_probability=0.05)
    ).draw(1000, 8, seeded())
    assert len(dark) == pytest.approx(250, abs=50)
    assert len(lost) == pytest.approx(500, abs=60)
    assert len(noise) == pytest.approx(50, abs=30)
