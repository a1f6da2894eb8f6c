"""A frame model that streams along the tissue's motion, and models that take the motion."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fakes.experiments import TINY
from fakes.onnx_models import write_model
from sonotempo.config import ControlsConfig
from sonotempo.errors import ModelError
from sonotempo.export.graph import export_graph
from sonotempo.export.parity import motions_of, require_same_logits
from sonotempo.live.models.card import read_card
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.models import as_run, build_model
from sonotempo.recording import Frame
from sonotempo.structures import NERVE_VESSEL

SIZE = 64


@pytest.fixture(scope="module")
def clip():
    """Speckle that slides to the left, uint8 THW, and goes dark for two frames."""
    random = np.random.default_rng(0)
    scene = np.kron(random.integers(20, 240, (SIZE // 4, SIZE)), np.ones((4, 1)))
    scene = 0.5 * (scene + np.roll(scene, 1, 1))
    frames = np.stack([np.roll(scene, -t, axis=1) for t in range(10)])
    frames[6:8] *= 0.03
    return frames.astype(np.uint8)


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    frame = build_model("frame", TINY, 3).eval()
    torch.nn.init.normal_(frame.head.weight, std=2)
    aligned = build_model("sequence_aligned", TINY, 3).eval()
    aligned.start_from(frame)
    for weight in aligned.memories.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    return {"frame": frame, "sequence_aligned": aligned}


@pytest.fixture(scope="module")
def files(networks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("motion")
    cards = {}
    for name, arms in {
        "frame": ("frame",),
        "aligned": ("sequence_aligned",),
        "pair": ("frame", "sequence_aligned"),
    }.items():
        models = {arm: networks[arm] for arm in arms}
        cards[name] = export_graph(models, NERVE_VESSEL, SIZE, folder / f"{name}.onnx")
    return folder, cards


def frames_of(clip):
    return [Frame(image, t, t * 50_000_000, (0.3, 0.3)) for t, image in enumerate(clip)]


@pytest.mark.parametrize("name", ["aligned", "pair"])
def test_stepped_with_the_motion_it_equals_torch_on_the_clip(files, networks, clip, name):
    folder, cards = files
    card = cards[name]
    assert card.motion == "motion"
    assert read_card(folder / f"{name}.onnx") == card
    models = [networks[arm] for arm in card.arms]
    said = require_same_logits(
        folder / f"{name}.onnx", card, models, clip[:, None, None].astype(np.float32) / 255
    )
    assert "OpenVINO" in said


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_the_predictor_finds_the_motion_itself(files, networks, clip, engine):
    folder, _ = files
    x = torch.from_numpy(clip.astype(np.float32) / 255)
    motion = torch.from_numpy(motions_of(x[:, None, None].numpy()))
    with torch.inference_mode():
        logits, _ = networks["sequence_aligned"](x[None, :, None], None, motion[None])
    wanted = logits[0].argmax(1).numpy()
    with OnnxPredictor(folder / "aligned.onnx", engine, threads=1) as predictor:
        for turn in range(2):
            given = [predictor.step(frame)[0].mask_HW for frame in frames_of(clip)]
            assert np.mean(np.stack(given) != wanted) < 2e-3, turn
            predictor.reset()


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_along_the_motion_it_gives_what_torch_scores(files, networks, clip, engine):
    folder, _ = files
    x = torch.from_numpy(clip.astype(np.float32) / 255)
    motion = torch.from_numpy(motions_of(x[:, None, None].numpy()))
    wrapped = as_run("frame_flow", networks["frame"], ControlsConfig())
    with torch.inference_mode():
        logits, _ = wrapped(x[None, :, None], None, motion[None])
    wanted = logits[0].softmax(1).max(1).values.numpy()
    path = folder / "frame.onnx"
    with (
        OnnxPredictor(path, engine, threads=1, along_motion=True) as predictor,
        OnnxPredictor(path, engine, threads=1) as plain,
    ):
        assert predictor.model.arms == ("frame", "frame_flow")
        assert predictor.stateful
        for t, frame in enumerate(frames_of(clip)):
            by_itself, moving = predictor.step(frame)
            assert moving.confidence_HW == pytest.approx(wanted[t], abs=2e-3)
            (alone,) = plain.step(frame)
            assert np.array_equal(alone.mask_HW, by_itself.mask_HW)
    dark = [abs(wanted[t] - wanted[5]).mean() for t in (6, 7)]
    assert max(dark) < 0.02, "in the dark the masks are held"


def test_a_model_with_a_state_or_two_arms_cannot_be_carried(tmp_path, files):
    folder, _ = files
    write_model(tmp_path / "sequence.onnx", arms=("sequence",))
    for path in (tmp_path / "sequence.onnx", folder / "pair.onnx"):
        with pytest.raises(ModelError, match="only a single frame model can be carried"):
            OnnxPredictor(path, along_motion=True)


def test_another_size_starts_over_and_nothing_is_carried_across(files, clip):
    folder, _ = files
    with OnnxPredictor(folder / "frame.onnx", threads=1, along_motion=True) as predictor:
        for frame in frames_of(clip)[:4]:
            predictor.step(frame)
        predictor.reset()  # what the pipeline does at a freeze, a gap, a change of depth or size
        other = Frame(np.ascontiguousarray(clip[0].T), 0, 0, (0.3, 0.3))
        by_itself, moving = predictor.step(other)
        assert np.array_equal(by_itself.mask_HW, moving.mask_HW)
        assert moving.state_age == 1


def test_a_file_whose_motion_is_not_as_described_is_refused(files, tmp_path):
    import onnx

    folder, cards = files
    model = onnx.load(str(folder / "aligned.onnx"))
    text = model.metadata_props[0].value.replace('"motion": "motion"', '"motion": null')
    model.metadata_props[0].value = text
    path: Path = tmp_path / "odd.onnx"
    onnx.save(model, str(path))
    with pytest.raises(ModelError, match="they differ in motion; export the model again"):
        read_card(path)
    assert cards["frame"].motion is None
