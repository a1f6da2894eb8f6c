"""From torch networks to one ONNX graph that steps frame by frame.

The image is 1x1xSxS in 0 to 1. Outputs are, for every arm, probabilities and logits 1xKxSxS, then
the states; what one step gives back as state goes into the next. Nothing in the graph has five
axes, so that engines for single images run it too. Batch normalisation is folded into the
convolutions by the exporter; a pair's encoder, the same for both arms, stands in it once.
"""

import copy
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx
import onnx_ir as ir
import torch
from onnx_ir.passes import common
from onnxscript import optimizer
from torch import Tensor, nn

from sonotempo.errors import ModelError
from sonotempo.live.models.card import METADATA_KEY, Member, ModelCard, StateSpec
from sonotempo.models import Segmenter
from sonotempo.structures import StructureSet

#: A set of operators that ONNX Runtime, OpenVINO and the engines of FAST all take.
OPSET = 18
_IR_VERSION = 9

# With one frame in one clip these only rename axes, if they leave the number of values as it is.
_RENAMING = frozenset(
    {"Reshape", "Squeeze", "Unsqueeze", "Identity", "Slice", "Gather", "Split", "Concat", "Expand"}
)
_ELEMENTWISE = frozenset(
    {"Add", "Sub", "Mul", "Div", "Neg", "Relu", "Sigmoid", "Tanh", "Clip", "LeakyRelu", "Elu"}
)


class _Step(nn.Module):
    """Several networks on one frame: every arm's outputs, then every state."""

    def __init__(self, models: Sequence[Segmenter], state_counts: Sequence[int]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)
        self._state_counts = tuple(state_counts)

    def forward(self, image_NCHW: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Return probabilities and logits 1KSS of each arm, then the states after this frame."""
        scores: list[Tensor] = []
        after: list[Tensor] = []
        left = states
        for model, count in zip(self.models, self._state_counts, strict=True):
            logits_BTKHW, new = model(image_NCHW[:, None], left[:count])
            scores += [logits_BTKHW[:, 0].softmax(1), logits_BTKHW[:, 0]]
            after += new
            left = left[count:]
        return (*scores, *after)


def export_graph(
    models: Mapping[str, Segmenter], structures: StructureSet, input_size: int, path: Path
) -> ModelCard:
    """Write the graph of one arm, or of two that share their encoder.

    Args:
        models: the networks by arm, on the CPU.
        structures: what their channels mean.
        input_size: S.
        path: the ``.onnx`` file to write; the weights are inside.

    Returns:
        The card that is in the file: how to run the graph. Where it comes from is for the caller
        to add, with :func:`write_card`.

    Raises:
        ModelError: the networks have different encoders, or need five axes.
    """
    arms = list(models)
    networks = _with_one_encoder(models)
    tag = {arm: f"_{arm}" if len(arms) > 1 else "" for arm in arms}
    states: dict[str, list[StateSpec]] = {
        arm: [
            StateSpec(f"state_{i}{tag[arm]}", f"next_state_{i}{tag[arm]}", tuple(zeros.shape))
            for i, zeros in enumerate(network.initial_state(1, input_size, input_size))
        ]
        for arm, network in zip(arms, networks, strict=True)
    }
    card = ModelCard(
        name=" + ".join(arms),
        members=tuple(
            Member(arm, f"probabilities{tag[arm]}", f"logits{tag[arm]}", stateful=bool(states[arm]))
            for arm in arms
        ),
        structures=structures,
        input_size=input_size,
        states=tuple(state for arm in arms for state in states[arm]),
    )
    step = _Step(networks, [len(states[arm]) for arm in arms]).eval()
    image_11SS = torch.zeros(1, 1, input_size, input_size)
    with _quiet_exporter():
        program = torch.onnx.export(
            step,
            (image_11SS, *(torch.zeros(state.shape) for state in card.states)),
            dynamo=True,
            opset_version=OPSET,
            input_names=[card.image, *(state.input for state in card.states)],
            output_names=[
                *(
                    name
                    for member in card.members
                    for name in (member.probabilities, f"logits{tag[member.arm]}")
                ),
                *(state.output for state in card.states),
            ],
            verbose=False,
        )
    assert program is not None
    graph = _single_frame(program.model)
    onnx.save(ir.to_proto(graph), str(path))
    write_card(path, card)
    onnx.checker.check_model(str(path), full_check=True)
    return card


def write_card(path: Path, card: ModelCard) -> None:
    """Put a card into the metadata of an ONNX file, in place of any other."""
    model = onnx.load(str(path))
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {METADATA_KEY: card.metadata()})
    model.producer_name = "sonotempo"
    model.producer_version = card.version
    onnx.save(model, str(path))


def _with_one_encoder(models: Mapping[str, Segmenter]) -> list[Segmenter]:
    """Return copies that use the first one's encoder, if it is the same in all.

    Raises:
        ModelError: it is not.
    """
    first, *others = (copy.deepcopy(model).eval() for model in models.values())
    arms = list(models)
    for arm, other in zip(arms[1:], others, strict=True):
        mine, theirs = first.encoder.state_dict(), other.encoder.state_dict()
        differing = [
            name
            for name in {**mine, **theirs}
            if name not in mine or name not in theirs or not torch.equal(mine[name], theirs[name])
        ]
        if differing:
            raise ModelError(
                f"the arms {arms[0]!r} and {arm!r} do not share their encoder: {len(differing)} of "
                f"{len({**mine, **theirs})} tensors differ ({', '.join(differing[:3])}); train "
                "with model.share_encoder=true, or export them one by one and stream both"
            )
        other.encoder = first.encoder
    return [first, *others]


def _single_frame(model: ir.Model) -> ir.Model:
    """Take the axes of clips out, and all that is in the graph twice or for nothing.

    Raises:
        ModelError: something computes along five axes.
    """
    common.ShapeInferencePass()(model)
    _drop_clip_axes(model.graph)
    common.RemoveUnusedNodesPass()(model)
    common.CommonSubexpressionEliminationPass()(model)
    # Once more: normalisation is only folded into convolutions that nothing else reads, and
    # those of a pair's encoder had two readers until now.
    model = optimizer.optimize(model)
    common.ClearMetadataAndDocStringPass()(model)
    model.ir_version = _IR_VERSION
    model.graph.name = "sonotempo"
    for node in model.graph:
        for value in node.outputs:
            if value.shape is None or len(value.shape) > 4:
                raise ModelError(
                    f"the network computes {value.name} ({node.op_type}) with shape {value.shape}; "
                    "live engines for images take at most four axes: keep time out of the network "
                    "but for the state"
                )
    return model


def _drop_clip_axes(graph: ir.Graph) -> None:
    """Let everything that has five axes, with batch and time both 1, work on its last three.

    Renamings of axes that cancel each other disappear, and what is done value by value between
    them moves to four axes.
    """
    twins: dict[ir.Value, ir.Value] = {}  # of a value with five axes: the same with four
    for node in list(graph):
        result = node.outputs[0]
        source = node.inputs[0] if node.inputs else None
        if result.shape is None or source is None:
            continue
        source = twins.get(source, source)
        if (
            node.op_type in _RENAMING
            and len(node.outputs) == 1
            and source.shape is not None
            and _count(source) == _count(result)
        ):
            if list(result.shape) == list(source.shape):
                _replace(graph, result, source)
            elif list(result.shape) == [1, *source.shape]:
                twins[result] = source
        elif node.op_type in _ELEMENTWISE and any(value in twins for value in node.inputs if value):
            moved = ir.node(
                node.op_type,
                [twins.get(value, value) if value else None for value in node.inputs],
                attributes=node.attributes,
            )
            moved.outputs[0].shape = ir.Shape(list(result.shape)[1:])
            if result.dtype is not None:
                moved.outputs[0].dtype = result.dtype
            moved.outputs[0].name = f"{result.name}_frame"
            graph.insert_before(node, moved)
            twins[result] = moved.outputs[0]


def _replace(graph: ir.Graph, result: ir.Value, source: ir.Value) -> None:
    """Use ``source`` for ``result`` everywhere; an output of the graph keeps its name."""
    if result in graph.outputs:
        if source in graph.outputs or source in graph.inputs:
            return  # needs its own name: the renaming stays
        result.name, source.name = f"{result.name}_renamed", result.name
        graph.outputs[list(graph.outputs).index(result)] = source
    ir.convenience.replace_all_uses_with(result, source)


def _count(value: ir.Value) -> int:
    assert value.shape is not None
    count = 1
    for side in value.shape:
        count *= int(side) if isinstance(side, int) else 0
    return count


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Leave out the exporter's remarks on itself; its errors still come through."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(level)
