import numpy as np
import pytest
import torch

from sonotempo.training.losses import SegmentationLoss

ALL = torch.ones(2, 3, dtype=torch.bool)


def loss_of(kind, logits_BTKHW, masks_BTHW, labelled_BT):
    """The loss of the labelled frames of clips, as a training step takes it."""
    return SegmentationLoss(kind)(logits_BTKHW[labelled_BT], masks_BTHW[labelled_BT])


def masks(seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 3, (2, 3, 8, 8), np.uint8))


def logits(seed=0):
    return torch.randn(2, 3, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def certain(masks_BTHW):
    onehot = torch.nn.functional.one_hot(masks_BTHW.long(), 3)
    return 50.0 * onehot.movedim(-1, 2)


@pytest.mark.parametrize("kind", ["dice", "dice_ce"])
def test_a_certain_and_right_answer_costs_next_to_nothing(kind):
    assert float(loss_of(kind, certain(masks()), masks(), ALL)) < 1e-3


@pytest.mark.parametrize("kind", ["dice", "dice_ce"])
def test_frames_without_a_label_cost_nothing_and_pull_at_nothing(kind):
    labelled = ALL.clone()
    labelled[0, 1] = labelled[1] = False
    given = logits().requires_grad_()
    loss = loss_of(kind, given, masks(), labelled)
    loss.backward()
    assert given.grad[~labelled].abs().max() == 0
    assert given.grad[labelled].abs().max() > 0
    changed = torch.where(labelled[:, :, None, None, None], given, -given)
    other = masks()
    other[~labelled] = 2
    assert torch.equal(loss_of(kind, changed, other, labelled), loss)


def by_hand(logits_BTKHW, masks_BTHW):
    p = logits_BTKHW.softmax(2).double()
    g = torch.nn.functional.one_hot(masks_BTHW.long(), 3).movedim(-1, 2).double()
    both, sizes = (p * g).sum((0, 1, 3, 4)), (p + g).sum((0, 1, 3, 4))
    return float((1 - (2 * both + 1e-5) / (sizes + 1e-5)).mean())


def test_intersections_are_summed_over_the_batch_before_the_ratio():
    loss = loss_of("dice", logits(), masks(), ALL)
    assert float(loss) == pytest.approx(by_hand(logits(), masks()), abs=1e-5)


def test_a_frame_without_a_structure_is_no_failure_to_find_it():
    empty = masks()
    empty[0] = 0
    assert float(loss_of("dice", certain(empty), empty, ALL)) < 1e-3


def test_cross_entropy_is_added_to_dice():
    both = loss_of("dice_ce", logits(), masks(), ALL)
    entropy = torch.nn.functional.cross_entropy(
        logits().flatten(0, 1), masks().flatten(0, 1).long()
    )
    assert float(both) == pytest.approx(by_hand(logits(), masks()) + float(entropy), abs=1e-5)


def test_half_precision_is_summed_in_full():
    loss = loss_of("dice", logits().bfloat16(), masks(), ALL)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(by_hand(logits().bfloat16().float(), masks()), abs=1e-5)
