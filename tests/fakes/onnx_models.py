"""Tiny exported models, built node by node in milliseconds, without torch or training.

The frame model calls a pixel "structure 1" where the image is brighter than half, and so on by
bands of brightness. The sequence model does the same to a running mean of the frames, which is its
state. So tests know the correct prediction in advance.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sonotempo.live.models.card import METADATA_KEY, Member, ModelCard, StateSpec
from sonotempo.structures import NERVE_VESSEL, StructureSet

KEEP = 0.5  # of the running mean, each frame
SHARPNESS = 40.0


def write_model(
    path: Path,
    *,
    arms=("frame",),
    size=32,
    structures: StructureSet = NERVE_VESSEL,
    card=True,
    probabilities=True,
    **changes,
) -> ModelCard:
    """Write a model of one arm or a pair; return its card.

    Args:
        path: the ``.onnx`` file.
        arms: every arm but "frame" carries a state.
        size: S, of the network grid.
        structures: what it finds.
        card: whether the card goes into the file; without it the file is an external one.
        probabilities: whether an external file gives probabilities, or logits alone.
        changes: fields of the card, for example to write a card that is wrong.
    """
    path = Path(path)
    channels = structures.channels
    grid = [1, channels, size, size]
    plane = [1, 1, size, size]
    # One channel a band: score k is highest where brightness is near centre k.
    centres = (np.arange(channels) + 0.5) / channels
    constants = {
        "slope": (2 * SHARPNESS * centres).reshape(channels, 1, 1, 1),
        "offset": -SHARPNESS * centres**2,
        "keep": np.array(KEEP),
        "rest": np.array(1 - KEEP),
    }
    nodes, members, states = [], [], []
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, plane)]
    outputs, state_outputs = [], []
    for arm in arms:
        tag = f"_{arm}" if len(arms) > 1 else ""
        seen = "image"
        if arm != "frame":
            before, seen = f"mean_in{tag}", f"mean_out{tag}"
            nodes += [
                helper.make_node("Mul", [before, "keep"], [f"kept{tag}"]),
                helper.make_node("Mul", ["image", "rest"], [f"fresh{tag}"]),
                helper.make_node("Add", [f"kept{tag}", f"fresh{tag}"], [seen]),
            ]
            inputs.append(helper.make_tensor_value_info(before, TensorProto.FLOAT, plane))
            state_outputs.append(helper.make_tensor_value_info(seen, TensorProto.FLOAT, plane))
            states.append(StateSpec(before, seen, tuple(plane)))
        scores = f"probabilities{tag}" if probabilities else f"logits{tag}"
        nodes.append(helper.make_node("Conv", [seen, "slope", "offset"], [f"logits{tag}"]))
        if probabilities:
            nodes.append(helper.make_node("Softmax", [f"logits{tag}"], [scores], axis=1))
            outputs.append(helper.make_tensor_value_info(scores, TensorProto.FLOAT, grid))
        outputs.append(helper.make_tensor_value_info(f"logits{tag}", TensorProto.FLOAT, grid))
        members.append(Member(arm, scores, f"logits{tag}", stateful=arm != "frame"))
    graph = helper.make_graph(
        nodes,
        "tiny",
        inputs,
        outputs + state_outputs,
        [
            numpy_helper.from_array(value.astype(np.float32), name)
            for name, value in constants.items()
        ],
    )
    about = ModelCard(
        name=f"tiny {' + '.join(arms)}",
        members=tuple(members),
        structures=structures,
        input_size=size,
        states=tuple(states),
        run="tiny",
        fold=0,
        trained_on="nothing: its weights were written down",
        note="a test model",
        version="0.1.0",
    )
    about = replace(about, **changes)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if card:
        helper.set_model_props(model, {METADATA_KEY: about.metadata()})
    onnx.save(model, str(path))
    return about
