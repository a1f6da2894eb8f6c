import collections

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from fakes.experiments import TINY
from sonotempo.errors import ModelError
from sonotempo.export.graph import export_graph, write_card
from sonotempo.live.models.card import read_card
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.models import build_model
from sonotempo.recording import Frame
from sonotempo.structures import NERVE_VESSEL
from sonotempo.training.torch_predictor import TorchPredictor

SIZE = 32


def awake(model):
    """Give a network statistics and a memory that do something, as training would."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
    for memory in model.memories.values():
        memory.projection.weight.data.normal_(0, 0.5)
    return model.eval()


@pytest.fixture(scope="module")
def networks():
    """Both arms over one encoder."""
    torch.manual_seed(0)
    frame = awake(build_model("frame", TINY, 3))
    sequence = build_model("sequence", TINY, 3)
    sequence.start_from(frame)
    awake(sequence).encoder.load_state_dict(frame.encoder.state_dict())
    return {"frame": frame, "sequence": sequence}


@pytest.fixture(scope="module")
def files(networks, tmp_path_factory):
    """Every form of export, made once: it takes seconds."""
    folder = tmp_path_factory.mktemp("exported")
    forms = {"frame": ("frame",), "sequence": ("sequence",), "pair": ("frame", "sequence")}
    for name, arms in forms.items():
        models = {arm: networks[arm] for arm in arms}
        export_graph(models, NERVE_VESSEL, SIZE, folder / f"{name}.onnx")
    return {name: folder / f"{name}.onnx" for name in forms}


def operators(path):
    return collections.Counter(node.op_type for node in onnx.load(path).graph.node)


@pytest.mark.parametrize("name", ["frame", "sequence", "pair"])
def test_nothing_in_the_graph_has_five_axes(files, name):
    graph = onnx.shape_inference.infer_shapes(onnx.load(files[name]), strict_mode=True).graph
    values = [*graph.input, *graph.output, *graph.value_info]
    assert len(values) > 20
    assert max(len(value.type.tensor_type.shape.dim) for value in values) == 4


@pytest.mark.parametrize("name", ["frame", "sequence", "pair"])
def test_normalisation_is_folded_and_the_weights_are_inside(files, name):
    assert operators(files[name])["BatchNormalization"] == 0
    tensors = onnx.load(files[name], load_external_data=False).graph.initializer
    assert not any(tensor.HasField("data_location") and tensor.data_location for tensor in tensors)


def test_the_encoder_of_a_pair_stands_in_it_once(files, networks):
    count = {name: operators(path)["Conv"] for name, path in files.items()}
    encoder = sum(isinstance(m, torch.nn.Conv2d) for m in networks["frame"].encoder.modules())
    assert count["pair"] == count["frame"] + count["sequence"] - encoder


def test_the_interface_is_the_documented_one(files):
    session = onnxruntime.InferenceSession(files["sequence"], providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["image", "state_0", "state_1"]
    assert session.get_inputs()[0].shape == [1, 1, SIZE, SIZE]
    assert [o.name for o in session.get_outputs()] == [
        "probabilities",
        "logits",
        "next_state_0",
        "next_state_1",
    ]


def test_streaming_the_file_equals_the_torch_model_on_the_clip(files, networks):
    """For both arms of the pair at once, over many frames and a reset."""
    random = np.random.default_rng(0)
    images_THW = random.integers(0, 256, (6, SIZE, SIZE), np.uint8)
    clip_BTCHW = torch.from_numpy(images_THW)[None, :, None].float() / 255
    with torch.inference_mode():
        wanted = [networks[arm](clip_BTCHW)[0][0].softmax(1).numpy() for arm in networks]
    with OnnxPredictor(files["pair"], "onnxruntime", threads=1) as predictor:
        for _ in range(2):
            predictor.reset()
            for t, image_HW in enumerate(images_THW):
                predictions = predictor.step(Frame(image_HW, t, 0, None))
                for probabilities_TKHW, prediction in zip(wanted, predictions, strict=True):
                    np.testing.assert_allclose(
                        prediction.confidence_HW, probabilities_TKHW[t].max(0), atol=1e-4
                    )


@pytest.mark.parametrize("arm", ["frame", "sequence"])
def test_the_live_predictor_is_the_twin_of_the_torch_predictor(files, networks, arm):
    random = np.random.default_rng(1)
    twin = TorchPredictor(networks[arm], SIZE, arm)
    with OnnxPredictor(files[arm], threads=1) as predictor:
        assert predictor.stateful == twin.stateful
        for i in range(5):
            frame = Frame(random.integers(0, 256, (40, 50), np.uint8), i, 0, (0.2, 0.25))
            (mine,), (theirs,) = predictor.step(frame), twin.step(frame)
            np.testing.assert_array_equal(mine.mask_HW, theirs.mask_HW)
            np.testing.assert_allclose(mine.confidence_HW, theirs.confidence_HW, atol=1e-4)
            assert (mine.state_age, mine.model) == (theirs.state_age, theirs.model)


def test_a_pair_of_different_encoders_is_refused(networks, tmp_path):
    torch.manual_seed(1)
    other = build_model("sequence", TINY, 3).eval()
    with pytest.raises(ModelError, match=r"do not share their encoder.*share_encoder"):
        export_graph(
            {"frame": networks["frame"], "sequence": other}, NERVE_VESSEL, SIZE, tmp_path / "x.onnx"
        )
    assert list(tmp_path.iterdir()) == []


def test_exporting_leaves_the_networks_as_they_were(files, networks):
    assert networks["frame"].encoder is not networks["sequence"].encoder


def test_a_card_is_replaced_and_not_added_to(files, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(files["frame"].read_bytes())
    card = read_card(path)
    write_card(path, card)
    write_card(path, card)
    assert len(onnx.load(path).metadata_props) == 1
    assert read_card(path) == card
