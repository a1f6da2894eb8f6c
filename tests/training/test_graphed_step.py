import pytest
import torch
from torch import nn

from sonotempo.config import ModelConfig
from sonotempo.models import build_model
from sonotempo.training.graphed_step import GraphedSteps
from sonotempo.training.losses import SegmentationLoss

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


def steps_of(model, *, enabled, clip_norm=1.0):
    """The step as the task takes it, and an optimiser for its gradients."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    loss_of = SegmentationLoss("dice")

    def learn(x_BTCHW, masks_BTHW, state):
        logits_BTKHW, state = model(x_BTCHW, state)
        loss = loss_of(logits_BTKHW.flatten(0, 1), masks_BTHW.flatten(0, 1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, clip_norm)
        return loss.detach(), tuple(part.detach() for part in state)

    return GraphedSteps(learn, weights, enabled=enabled), torch.optim.Adam(weights, lr=1e-3)


def trained(arm, device, *, enabled, shapes=(2,) * 7, autocast=False):
    torch.manual_seed(0)
    model = build_model(arm, ModelConfig(channels=(4, 8, 8), memory_strides=(2,)), 3)
    model = model.to(device).train()
    steps, optimizer = steps_of(model, enabled=enabled)
    generator = torch.Generator().manual_seed(1)
    losses = []
    for clips in shapes:
        x = torch.rand(clips, 3, 1, 32, 32, generator=generator).to(device)
        masks = (x[:, :, 0] * 3).to(torch.uint8)
        with torch.autocast(device, torch.bfloat16, enabled=autocast):
            loss, _ = steps(x, masks, model.initial_state(clips, 32, 32))
        optimizer.step()
        losses.append(float(loss))
    return losses, [weight.detach().cpu() for weight in model.parameters()]


def test_gradients_are_those_of_one_step_alone():
    model = nn.Module()
    model.weight = nn.Parameter(torch.ones(1))

    def learn(x, masks, state):
        (model.weight * x.sum()).backward()
        return model.weight.detach(), state

    steps = GraphedSteps(learn, model.parameters(), enabled=False)
    for value in (1.0, 5.0):
        steps(torch.tensor([value]), torch.zeros(1), ())
        assert model.weight.grad.item() == value


@on_gpu
@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("arm", ["frame", "sequence"])
def test_replayed_steps_train_like_steps_one_by_one(arm, autocast):
    # Also with a smaller last batch between them, which runs as it is.
    shapes = (2, 2, 2, 2, 2, 1, 2, 2, 2)
    mine, weights = trained(arm, "cuda", enabled=True, shapes=shapes, autocast=autocast)
    theirs, wanted = trained(arm, "cuda", enabled=False, shapes=shapes, autocast=autocast)
    tolerance = 2e-2 if autocast else 1e-4
    assert mine == pytest.approx(theirs, abs=tolerance)
    for a, b in zip(weights, wanted, strict=True):
        assert (a - b).abs().max() < (1e-2 if autocast else 1e-3)


@on_gpu
def test_what_cannot_be_captured_runs_step_by_step(caplog):
    weight = nn.Parameter(torch.ones(1, device="cuda"))

    def learn(x, masks, state):
        (weight * x.sum().item()).backward()  # waits for the GPU
        return weight.detach(), state

    steps = GraphedSteps(learn, [weight], enabled=True)
    for value in range(6):
        steps(torch.full((1,), float(value), device="cuda"), torch.zeros(1, device="cuda"), ())
        assert weight.grad.item() == value
    assert "cannot be captured" in caplog.text
