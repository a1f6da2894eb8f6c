from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fakes.onnx_models import write_model
from sonotempo.errors import ModelError
from sonotempo.live.models.external import card_of, external_card
from sonotempo.live.models.graph import read_interface
from sonotempo.structures import AXILLARY, NERVE_VESSEL


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


@pytest.mark.parametrize("probabilities", [True, False])
def test_a_external_file_runs_with_stated_structures(path, probabilities):
    write_model(path, card=False, probabilities=probabilities)
    card = external_card(path, NERVE_VESSEL)
    assert card.members[0].is_logits is not probabilities
    assert (card.input_size, card.states, card.name) == (32, (), "model")


def test_the_state_of_a_external_file_is_found(path):
    written = write_model(path, arms=("sequence",), card=False)
    card = external_card(path, NERVE_VESSEL)
    assert card.states == written.states
    assert card.stateful


def test_a_external_file_with_another_number_of_channels_is_refused(path):
    write_model(path, card=False)
    with pytest.raises(ModelError, match="expected 1x6x32x32 for the background and 5 structures"):
        external_card(path, AXILLARY)


def write_graph(path, inputs, outputs):
    """A graph whose outputs are all random numbers of the stated shape."""
    model = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("RandomNormal", [], [name], shape=shape)
                for name, shape in outputs.items()
            ],
            "external",
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("inputs", "outputs", "said"),
    [
        ({"x": [1, 3, 32, 32]}, {"y": [1, 3, 32, 32]}, "expected a grey image"),
        ({"x": [1, 1, 32, 48]}, {"y": [1, 3, 32, 48]}, "expected a grey image"),
        ({"x": [1, 1, "H", "W"]}, {"y": [1, 3, 32, 32]}, "fixed size"),
        (
            {"x": [1, 1, 32, 32], "h": [1, 2, 4, 4]},
            {"y": [1, 3, 32, 32]},
            "must return a new state",
        ),
        (
            {"x": [1, 1, 32, 32], "h": [1, 2, 4, 4]},
            {"y": [1, 3, 32, 32], "g": [1, 2, 8, 8]},
            "must keep its shape",
        ),
    ],
)
def test_a_external_file_of_another_interface_is_refused(path, inputs, outputs, said):
    write_graph(path, inputs, outputs)
    with pytest.raises(ModelError, match=said.replace("\n", " ")):
        external_card(path, NERVE_VESSEL)


def test_an_open_batch_size_of_a_external_file_is_taken_as_one(path):
    write_graph(path, {"x": ["N", 1, 32, 32]}, {"y": [1, 3, 32, 32]})
    card = external_card(path, NERVE_VESSEL)
    assert card.input_size == 32
    assert replace(card.members[0], is_logits=True) == card.members[0]  # noise sums to anything


def test_a_file_of_ours_says_itself_what_it_finds_also_beside_a_external_one(path):
    written = write_model(path)
    assert card_of(path) == card_of(path, AXILLARY) == written


def test_a_file_that_says_nothing_is_what_the_user_says(path):
    write_model(path, card=False)
    assert card_of(path, NERVE_VESSEL) == external_card(path, NERVE_VESSEL)
    with pytest.raises(ModelError, match="--structures nerve,vessel"):
        card_of(path)


def saved(path, *, ir_version=8, opset=17, external=False):
    """A graph that returns its image."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 32, 32])
    out = helper.make_tensor_value_info("p", TensorProto.FLOAT, [1, 1, 32, 32])
    zero = numpy_helper.from_array(np.zeros(1024, np.float32), "zero")
    shape = helper.make_tensor("shape", TensorProto.INT64, [4], [1, 1, 32, 32])
    nodes = [
        helper.make_node("Reshape", ["zero", "shape"], ["bias"]),
        helper.make_node("Add", ["image", "bias"], ["p"]),
    ]
    graph = helper.make_graph(nodes, "g", [image], [out], [zero, shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = ir_version
    onnx.save(model, str(path), save_as_external_data=external, size_threshold=0)
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"ir_version": 99}, "ONNX IR version 99, which is too new"),
     ({"opset": 99}, "ONNX opset version 99, which is too new")],
)  # fmt: skip
def test_a_file_of_a_newer_onnx_is_not_called_damaged(tmp_path, changes, words):
    with pytest.raises(ModelError, match=words):
        read_interface(saved(tmp_path / "a.onnx", **changes))


@pytest.mark.parametrize("is_there", [True, False])
def test_weights_in_another_file_are_refused(tmp_path, is_there):
    path = saved(tmp_path / "a.onnx", external=True)
    for other in tmp_path.iterdir():
        if other != path and not is_there:
            other.unlink()
    with pytest.raises(ModelError, match=r"keeps its weights in another file .* as one file"):
        read_interface(path)
