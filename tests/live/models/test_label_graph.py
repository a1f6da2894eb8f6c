import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import TensorProto, helper

from fakes.onnx_models import write_model
from sonotempo.live.models.card import Member, ModelCard
from sonotempo.live.models.label_graph import label_outputs, with_labels
from sonotempo.live.models.labels import label_map
from sonotempo.structures import AXILLARY, NERVE_VESSEL

SIZE = 4


def passing_on(structures, arms=("frame",), opset=17):
    """A model that returns its input as the scores of every member, and its card."""
    shape = [1, structures.channels, SIZE, SIZE]
    members = tuple(Member(arm, f"probabilities_{arm}", None) for arm in arms)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["scores"], [m.probabilities]) for m in members],
        "passing_on",
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(m.probabilities, TensorProto.FLOAT, shape) for m in members],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return model.SerializeToString(), ModelCard("passing on", members, structures, SIZE)


def session_of(model):
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


SESSIONS = {s.channels: session_of(with_labels(*passing_on(s))) for s in (NERVE_VESSEL, AXILLARY)}

# Few values, so that many are equal; and what arithmetic can go wrong with.
SCORE = st.sampled_from([0, 0.25, 0.5, 1, -0.0, 1e-45, np.nan, np.inf, -np.inf]) | st.floats(
    0, 1, width=32
)


@pytest.mark.parametrize("channels", SESSIONS)
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_labels_are_those_of_the_label_map_bit_by_bit(channels, data):
    scores = data.draw(arrays(np.float32, (1, channels, SIZE, SIZE), elements=SCORE))
    mask, probability = SESSIONS[channels].run(list(label_outputs(0)), {"scores": scores})
    wanted_mask, wanted_probability = label_map(scores[0])
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask[0], wanted_mask)
    np.testing.assert_array_equal(probability[0], wanted_probability)


@pytest.mark.parametrize("opset", [11, 13, 18, 21])
def test_every_member_has_its_own_labels_in_any_opset(opset):
    model, card = passing_on(NERVE_VESSEL, ("frame", "sequence"), opset)
    session = session_of(with_labels(model, card))
    scores = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)
    for member in range(2):
        mask, _ = session.run(list(label_outputs(member)), {"scores": scores})
        np.testing.assert_array_equal(mask[0], label_map(scores[0])[0])


def test_the_joined_file_is_a_valid_model_that_keeps_all_it_had(tmp_path):
    path = tmp_path / "pair.onnx"
    card = write_model(path, arms=("frame", "sequence"))
    before = onnx.load(path)
    joined = onnx.load_from_string(with_labels(path.read_bytes(), card))
    onnx.checker.check_model(joined, full_check=True)
    assert list(joined.graph.input) == list(before.graph.input)
    assert list(joined.graph.node)[: len(before.graph.node)] == list(before.graph.node)
    names = [output.name for output in joined.graph.output]
    assert names[: len(before.graph.output)] == [output.name for output in before.graph.output]
    assert names[len(before.graph.output) :] == [*label_outputs(0), *label_outputs(1)]
    assert joined.metadata_props == before.metadata_props
