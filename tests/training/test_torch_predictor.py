import numpy as np
import pytest
import torch
from torch import nn

from fakes.experiments import SIZE, TINY
from fakes.recordings import Generated
from sonotempo.models import build_model
from sonotempo.preprocess import fit_frame
from sonotempo.recording import Box, Frame
from sonotempo.training.torch_predictor import TorchPredictor


def model(arm):
    torch.manual_seed(3)
    network = build_model(arm, TINY.model_copy(update={"normalization": "group"}), 3)
    for memory in network.memories.values():
        nn.init.normal_(memory.projection.weight)
    nn.init.normal_(network.head.weight)
    return network


def frames(count, shape_HW=(40, 48), spacing_mm=None, area=None):
    images = Generated(count, shape_HW)
    return [Frame(images[i], i, i * 50_000_000, spacing_mm, area) for i in range(count)]


@pytest.mark.parametrize(
    ("shape_HW", "spacing_mm", "area"),
    [
        ((40, 48), None, None),
        ((333, 801), (0.11, 0.07), None),
        ((97, 31), None, Box(3, 5, 90, 29)),
        ((1, 1), None, None),
        ((32, 32), (0.2, 0.2), None),
    ],
)
def test_a_mask_has_the_shape_of_its_frame(shape_HW, spacing_mm, area):
    (frame,) = frames(1, shape_HW, spacing_mm, area)
    (prediction,) = TorchPredictor(model("sequence"), SIZE, "mine").step(frame)
    assert prediction.frame is frame
    assert prediction.mask_HW.shape == shape_HW
    assert prediction.mask_HW.dtype == np.uint8
    assert prediction.confidence_HW.shape == shape_HW
    assert prediction.confidence_HW.dtype == np.float32
    assert prediction.mask_HW.max() <= 2
    assert prediction.model == "mine"
    unseen = ~fit_frame(frame, SIZE).seen()
    assert not prediction.mask_HW[unseen].any()
    assert not prediction.confidence_HW[unseen].any()
    if area is not None:
        assert not prediction.mask_HW[:3].any()
        assert not prediction.mask_HW[:, 29:].any()


@pytest.mark.parametrize("arm", ["frame", "sequence"])
def test_stepping_equals_the_model_run_on_the_whole_clip(arm):
    network, given = model(arm).eval(), frames(6)
    fit = fit_frame(given[0], SIZE)
    pixels = torch.from_numpy(np.stack([fit.image(frame.image_HW) for frame in given]))
    with torch.no_grad():
        logits, _ = network(pixels[None, :, None].float() / 255)
    confidence, labels = logits[0].softmax(1).max(1)
    predictor = TorchPredictor(network, SIZE, arm)
    for frame, mask_SS, sure_SS in zip(given, labels.byte().numpy(), confidence, strict=True):
        (prediction,) = predictor.step(frame)
        np.testing.assert_allclose(
            prediction.confidence_HW, fit.values_back(sure_SS.numpy()), atol=1e-5
        )
        differs = prediction.mask_HW != fit.mask_back(mask_SS)
        assert differs.mean() < 0.001  # a tie may fall to either side


def test_the_state_s_age_counts_frames_since_the_reset():
    predictor = TorchPredictor(model("sequence"), SIZE, "mine")
    given = frames(4)
    ages = [predictor.step(frame)[0].state_age for frame in given[:3]]
    predictor.reset()
    assert [*ages, predictor.step(given[3])[0].state_age] == [1, 2, 3, 1]


def test_a_reset_forgets_everything():
    predictor = TorchPredictor(model("sequence"), SIZE, "mine")
    first, *others = frames(5)
    (fresh,) = predictor.step(first)
    for frame in others:
        predictor.step(frame)
    (warm,) = predictor.step(first)
    predictor.reset()
    (again,) = predictor.step(first)
    np.testing.assert_array_equal(again.confidence_HW, fresh.confidence_HW)
    assert not np.array_equal(warm.confidence_HW, fresh.confidence_HW)


def test_only_a_model_with_memory_is_stateful():
    assert TorchPredictor(model("sequence"), SIZE, "s").stateful
    assert not TorchPredictor(model("frame"), SIZE, "f").stateful


def test_frames_may_change_their_size_on_the_way():
    predictor = TorchPredictor(model("sequence"), SIZE, "mine")
    for shape_HW in ((40, 48), (55, 33)):
        (frame,) = frames(1, shape_HW)
        assert predictor.step(frame)[0].mask_HW.shape == shape_HW


def test_an_area_by_hand_serves_frames_that_name_none():
    box = Box(0, 0, 20, 20)
    named = frames(1, area=box)[0]
    plain = frames(1)[0]
    by_frame = TorchPredictor(model("frame"), SIZE, "f").step(named)[0]
    by_hand = TorchPredictor(model("frame"), SIZE, "f", area=box).step(plain)[0]
    np.testing.assert_array_equal(by_hand.mask_HW, by_frame.mask_HW)


def test_a_model_in_training_mode_is_put_into_evaluation_mode():
    network = model("frame").train()
    TorchPredictor(network, SIZE, "f")
    assert not network.training


def test_a_step_does_not_change_the_frame():
    (frame,) = frames(1)
    before = frame.image_HW.copy()
    TorchPredictor(model("frame"), SIZE, "f").step(frame)
    np.testing.assert_array_equal(frame.image_HW, before)
