import json

import numpy as np
import onnx
import pytest
from onnx import helper

from fakes.onnx_models import write_model
from sonotempo.errors import ModelError
from sonotempo.live.models.card import METADATA_KEY, Member, StateSpec, read_card
from sonotempo.recording import Box
from sonotempo.structures import AXILLARY, structure_set


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


def test_a_card_is_plain_text_in_the_file(path):
    write_model(path, note="für Elise")
    facts = json.loads(onnx.load(path).metadata_props[0].value)
    assert facts["note"] == "für Elise"
    assert facts["reset"].startswith("all states zero")
    assert np.array(facts["structures"]["structures"][0]["color_rgb"]).shape == (3,)
