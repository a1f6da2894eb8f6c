"""Graphs that would run for years, need other code or read other files end in a sentence."""

import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fakes.onnx_models import write_model
from sonotempo.errors import ModelError
from sonotempo.live.models import trial
from sonotempo.live.models.card import read_card
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.live.models.screening import is_plain, require_contained
from sonotempo.structures import NERVE_VESSEL

PLANE = [1, 3, 32, 32]


def save(path, nodes, initializers=(), *, functions=(), domains=("",)):
    """Write a graph from ``image`` to ``probabilities``."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 32, 32])
    out = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, PLANE)
    graph = helper.make_graph(nodes, "g", [image], [out], list(initializers))
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(domain, 17) for domain in domains],
        functions=list(functions),
    )
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())
    return path


def expand():
    return [
        helper.make_node("Constant", [], ["plane"], value_ints=PLANE),
        helper.make_node("Expand", ["image", "plane"], ["wide"]),
    ]


def endless(path):
    """A loop of 2^62 steps."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Mul", ["x", "x"], ["y"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, PLANE),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, PLANE),
        ],
    )
    steps = numpy_helper.from_array(np.array(2**62, np.int64), "steps")
    go = numpy_helper.from_array(np.array(True), "start")
    loop = helper.make_node("Loop", ["steps", "start", "wide"], ["probabilities"], body=body)
    return save(path, [*expand(), loop], [steps, go])


@pytest.fixture(autouse=True)
def short_limit(monkeypatch):
    monkeypatch.setattr(trial, "LONGEST_FIRST_STEP_S", 4.0)


@pytest.mark.parametrize("has_card", [True, False])
def test_a_loop_without_end_is_ended(tmp_path, has_card):
    path = endless(tmp_path / "a.onnx")
    if has_card:
        card = write_model(tmp_path / "card.onnx")
        model = onnx.load(str(path))
        changed = card.metadata().replace('"logits": "logits"', '"logits": null')
        model.metadata_props.add(key="sonotempo", value=changed)
        onnx.save(model, str(path))
        assert read_card(path).arms == ("frame",)  # a description is read without a step
    start = time.perf_counter()
    with pytest.raises(ModelError, match="has not finished its first step within 4 s"):
        OnnxPredictor(path, "onnxruntime", structures=None if has_card else NERVE_VESSEL)
    assert time.perf_counter() - start < 8


def test_a_step_that_needs_too_much_memory_is_refused(tmp_path):
    path = tmp_path / "a.onnx"
    nodes = [
        helper.make_node("Constant", [], ["huge"], value_ints=[2**20, 2**20]),
        helper.make_node("ConstantOfShape", ["huge"], ["memory"]),
        helper.make_node("ReduceSum", ["memory"], ["sum"], keepdims=0),
        helper.make_node("Add", ["wide", "sum"], ["probabilities"]),
    ]
    save(path, [*expand(), *nodes])
    with pytest.raises(ModelError, match="cannot run on an image of 32x32 pixels"):
        OnnxPredictor(path, "onnxruntime", structures=NERVE_VESSEL)


def test_custom_operators_are_refused(tmp_path):
    node = helper.make_node("Run", ["wide"], ["probabilities"], domain="my.code")
    path = save(tmp_path / "a.onnx", [*expand(), node], domains=("", "my.code"))
    with pytest.raises(ModelError, match=r"needs the custom operator 'Run' of 'my\.code'"):
        OnnxPredictor(path, structures=NERVE_VESSEL)


def test_functions_that_a_file_defines_itself_are_no_custom_operators(tmp_path):
    function = helper.make_function(
        "my.code",
        "Twice",
        ["x"],
        ["y"],
        [helper.make_node("Add", ["x", "x"], ["y"])],
        [helper.make_opsetid("", 17)],
    )
    node = helper.make_node("Twice", ["wide"], ["probabilities"], domain="my.code")
    nodes, domains = [*expand(), node], ("", "my.code")
    path = save(tmp_path / "a.onnx", nodes, functions=[function], domains=domains)
    require_contained(path)
    assert not is_plain(path)
    assert OnnxPredictor(path, "onnxruntime", structures=NERVE_VESSEL).model.arms == ("a",)


@pytest.mark.parametrize("place", ["initializer", "attribute", "body"])
def test_external_data_is_found_wherever_it_is(tmp_path, place):
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "t")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    if place == "initializer":
        path = save(tmp_path / "a.onnx", expand(), [tensor])
    else:
        node = helper.make_node("Constant", [], ["c"], value=tensor)
        if place == "body":
            inner = helper.make_graph([node], "inner", [], [])
            node = helper.make_node("If", ["b"], [], then_branch=inner, else_branch=inner)
        path = save(tmp_path / "a.onnx", [*expand(), node])
    with pytest.raises(ModelError, match="external data"):
        require_contained(path)


def test_models_of_ours_need_no_trial(tmp_path, monkeypatch):
    write_model(tmp_path / "a.onnx", arms=("frame", "sequence"))
    assert is_plain(tmp_path / "a.onnx")

    def started(*_, **__):
        raise AssertionError("a process was started")

    monkeypatch.setattr("subprocess.run", started)
    OnnxPredictor(tmp_path / "a.onnx", "onnxruntime").close()


def test_damaged_files_are_refused_at_every_length(tmp_path):
    write_model(tmp_path / "a.onnx")
    content = (tmp_path / "a.onnx").read_bytes()
    cut = tmp_path / "cut.onnx"
    refused = 0
    for length in range(0, len(content), max(1, len(content) // 60)):
        cut.write_bytes(content[:length])
        try:
            read_card(cut)
        except ModelError:
            refused += 1
    assert refused > 50


def test_flipped_bytes_are_refused_with_a_sentence(tmp_path):
    write_model(tmp_path / "a.onnx")
    content = (tmp_path / "a.onnx").read_bytes()
    flipped = tmp_path / "flipped.onnx"
    for place in range(0, len(content), max(1, len(content) // 80)):
        flipped.write_bytes(content[:place] + b"\xff" + content[place + 1 :])
        try:
            read_card(flipped)
        except ModelError as error:
            assert str(flipped) in str(error)  # noqa: PT017
