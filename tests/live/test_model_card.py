import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from fakes.onnx_models import write_model
from sonotempo.errors import ModelError
from sonotempo.live.model_card import METADATA_KEY, Member, StateSpec, foreign_card, read_card
from sonotempo.recording import Box
from sonotempo.structures import AXILLARY, NERVE_VESSEL, structure_set


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


def rewritten(path, **changes):
    """Change what the card in a file says, without the checks of writing one."""
    model = onnx.load(path)
    facts = json.loads(model.metadata_props[0].value) | changes
    helper.set_model_props(model, {METADATA_KEY: json.dumps(facts)})
    onnx.save(model, path)


@pytest.mark.parametrize("arms", [("frame",), ("sequence",), ("frame", "sequence")])
def test_a_card_comes_back_as_it_was_written(path, arms):
    written = write_model(
        path,
        arms=arms,
        structures=AXILLARY,
        area=Box(1, 2, 30, 40),
        note="simulated subjects",
        precision="int8",
        checks=("logits within 1e-4 of torch",),
    )
    assert read_card(path) == written
    assert written.stateful == ("sequence" in arms)
    assert written.arms == arms


def test_a_model_keeps_its_name_when_the_file_is_renamed(path):
    written = write_model(path)
    renamed = path.rename(path.with_name("other.onnx"))
    assert read_card(renamed).name == written.name


def test_own_structures_keep_their_colours(path):
    own = structure_set(["artery", "vein", "fascia"])
    write_model(path, structures=own)
    assert read_card(path).structures == own


@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_what_is_no_model_is_refused(path, content):
    if content is None:  # a copy that was cut off
        write_model(path)
        content = path.read_bytes()[:-300]
    path.write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read as an ONNX model"):
        read_card(path)


def test_a_missing_file_is_refused(path):
    with pytest.raises(ModelError, match="no model at"):
        read_card(path)


def test_a_file_without_a_card_says_how_to_run_it_all_the_same(path):
    write_model(path, card=False)
    with pytest.raises(ModelError, match="--structures nerve,vessel"):
        read_card(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, "upgrade"),
        ({"fit": "stretch"}, "another fit"),
        ({"normalization": "z-score"}, "another normalization"),
        ({"structures": None}, "damaged"),
        ({"area": {"top": 5, "left": 0, "bottom": 1, "right": 1}}, "damaged"),
        ({"members": [{"arm": "frame", "unknown": 1}]}, "damaged"),
    ],
)
def test_a_card_that_cannot_be_followed_is_refused(path, changes, said):
    write_model(path)
    rewritten(path, **changes)
    with pytest.raises(ModelError, match=said):
        read_card(path)


@pytest.mark.parametrize(
    ("changes", "odd"),
    [
        ({"input_size": 64}, "image"),
        ({"members": (Member("sequence", "scores"),)}, "scores"),
        ({"states": ()}, "mean_in"),
        ({"states": (StateSpec("mean_in", "mean_out", (1, 1, 16, 16)),)}, "mean_in"),
        ({"states": (StateSpec("hidden", "mean_out", (1, 1, 32, 32)),)}, "hidden"),
        ({"image": "picture"}, "picture"),
    ],
)
def test_a_graph_that_is_not_what_its_card_says_is_refused(path, changes, odd):
    write_model(path, arms=("sequence",), **changes)
    with pytest.raises(ModelError, match=f"they differ in .*{odd}"):
        read_card(path)


@pytest.mark.parametrize("probabilities", [True, False])
def test_a_foreign_file_runs_with_stated_structures(path, probabilities):
    write_model(path, card=False, probabilities=probabilities)
    card = foreign_card(path, NERVE_VESSEL)
    assert card.members[0].is_logits is not probabilities
    assert (card.input_size, card.states, card.name) == (32, (), "model")


def test_the_state_of_a_foreign_file_is_found(path):
    written = write_model(path, arms=("sequence",), card=False)
    card = foreign_card(path, NERVE_VESSEL)
    assert card.states == written.states
    assert card.stateful


def test_a_foreign_file_with_another_number_of_channels_is_refused(path):
    write_model(path, card=False)
    with pytest.raises(ModelError, match="expected 1x6x32x32 for the background and 5 structures"):
        foreign_card(path, AXILLARY)


def write_graph(path, inputs, outputs):
    """A graph whose outputs are all random numbers of the stated shape."""
    model = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("RandomNormal", [], [name], shape=shape)
                for name, shape in outputs.items()
            ],
            "foreign",
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
        ({"x": [1, 1, 32, 32], "h": [1, 2, 4, 4]}, {"y": [1, 3, 32, 32]}, "must\ncome back"),
        (
            {"x": [1, 1, 32, 32], "h": [1, 2, 4, 4]},
            {"y": [1, 3, 32, 32], "g": [1, 2, 8, 8]},
            "as it went in",
        ),
    ],
)
def test_a_foreign_file_of_another_interface_is_refused(path, inputs, outputs, said):
    write_graph(path, inputs, outputs)
    with pytest.raises(ModelError, match=said.replace("\n", " ")):
        foreign_card(path, NERVE_VESSEL)


def test_an_open_batch_size_of_a_foreign_file_is_taken_as_one(path):
    write_graph(path, {"x": ["N", 1, 32, 32]}, {"y": [1, 3, 32, 32]})
    card = foreign_card(path, NERVE_VESSEL)
    assert card.input_size == 32
    assert replace(card.members[0], is_logits=True) == card.members[0]  # noise sums to anything


def test_a_card_is_plain_text_in_the_file(path):
    write_model(path, note="für Elise")
    facts = json.loads(onnx.load(path).metadata_props[0].value)
    assert facts["note"] == "für Elise"
    assert facts["reset"].startswith("all states zero")
    assert np.array(facts["structures"]["structures"][0]["color_rgb"]).shape == (3,)
