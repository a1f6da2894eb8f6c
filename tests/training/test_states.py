import torch

from sonotempo.training.states import corrupted, exchanged


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def state(value=None, batch=6):
    part = torch.arange(batch).float().view(batch, 1, 1, 1).expand(batch, 2, 4, 4)
    return (part.clone() if value is None else torch.full((batch, 2, 4, 4), float(value)),)


def test_without_probability_and_without_a_state_nothing_happens():
    mine = state()
    assert exchanged(mine, 0.0, seeded()) is mine
    assert corrupted(mine, state(9), 0.0, seeded()) is mine
    assert exchanged((), 1.0, seeded()) == ()
    assert corrupted((), (), 1.0, seeded()) == ()


def test_a_foreign_state_is_that_of_another_clip():
    (given,) = exchanged(state(), 1.0, seeded())
    assert given[:, 0, 0, 0].tolist() == [5, 0, 1, 2, 3, 4]
    (some,) = exchanged(state(batch=200), 0.5, seeded())
    changed = (some != state(batch=200)[0]).flatten(1).any(1).float().mean()
    assert 0.35 < changed < 0.65


def test_a_corrupt_state_is_dropped_shifted_or_old():
    mine = (torch.rand(300, 1, 8, 8, generator=seeded(1)) + 1,)
    (given,) = corrupted(
        mine, state(7, batch=300)[0][:, :1, :1, :1].expand(300, 1, 8, 8)[None], 1.0, seeded()
    )
    dropped = (given == 0).flatten(1).all(1)
    old = (given == 7).flatten(1).all(1)
    kept_sum = torch.isclose(given.flatten(1).sum(1), mine[0].flatten(1).sum(1))
    for share in (dropped, old, kept_sum & ~dropped & ~old):
        assert 0.2 < share.float().mean() < 0.5
    assert (dropped | old | kept_sum).all()
