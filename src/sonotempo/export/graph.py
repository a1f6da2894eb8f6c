"""From torch networks to one ONNX graph that steps frame by frame.

The image is 1x1xSxS in 0 to 1. Outputs are, for every arm, probabilities and logits 1xKxSxS, then
the states; what one step returns as state goes into the next. Nothing in the graph has five axes,
so that engines for single images run it too. The exporter folds batch normalisation into the
convolutions; a pair's encoder, the same for both arms, runs once.
"""

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx
import onnx_ir as ir
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import Tensor, nn

from sonotempo.errors import ModelError
from sonotempo.flow import MOTION_CHANNELS, grid_side
from sonotempo.live.models.card import METADATA_KEY, Member, ModelCard, StateSpec
from sonotempo.models import Segmenter
from sonotempo.structures import StructureSet

#: A set of operators that ONNX Runtime, OpenVINO and the engines of FAST all take.
OPSET = 18
_IR_VERSION = 9


class _Step(nn.Module):
    """Networks with one encoder, on one frame: every arm's outputs, then every state."""

    def __init__(self, models: Sequence[Segmenter], state_counts: Sequence[int]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)
        self._state_counts = tuple(state_counts)

    def forward(self, image_11SS: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """Return probabilities and logits 1KSS of each arm, then the states after this frame.

        ``rest`` is the motion to this frame, if an arm uses it, then the states before it.
        """
        networks = [model for model in self.models if isinstance(model, Segmenter)]
        features = networks[0].encoder(image_11SS)
        motion_13hh, states = (rest[0], rest[1:]) if uses_motion(networks) else (None, rest)
        scores: list[Tensor] = []
        after: list[Tensor] = []
        for model, count in zip(networks, self._state_counts, strict=True):
            own = states[len(after) : len(after) + count]
            logits_1KSS, new = model.decode(
                features, own, 1, motion_13hh if model.uses_motion else None
            )
            scores += [logits_1KSS.softmax(1), logits_1KSS]
            after += new
        return (*scores, *after)


def uses_motion(models: Iterable[Segmenter]) -> bool:
    """Whether any of the networks takes the motion to each frame."""
    return any(model.uses_motion for model in models)


def export_graph(
    models: Mapping[str, Segmenter], structures: StructureSet, input_size: int, path: Path
) -> ModelCard:
    """Write the graph of one arm, or of two that share their encoder.

    Args:
        models: the networks by arm, on the CPU, in evaluation mode.
        structures: what their channels mean.
        input_size: S.
        path: the ``.onnx`` file to write; the weights are inside.

    Returns:
        The card that is in the file: how to run the graph. Where it comes from is for the caller
        to add, with :func:`write_card`.

    Raises:
        ModelError: the networks have different encoders, or need five axes.
    """
    _require_one_encoder(models)
    states: dict[str, list[StateSpec]] = {}
    members = []
    for arm, network in models.items():
        tag = f"_{arm}" if len(models) > 1 else ""
        states[arm] = [
            StateSpec(f"state_{i}{tag}", f"next_state_{i}{tag}", tuple(zeros.shape))
            for i, zeros in enumerate(network.initial_state(1, input_size, input_size))
        ]
        members.append(
            Member(arm, f"probabilities{tag}", f"logits{tag}", stateful=bool(states[arm]))
        )
    card = ModelCard(
        name=" + ".join(models),
        members=tuple(members),
        structures=structures,
        input_size=input_size,
        states=tuple(state for own in states.values() for state in own),
        motion="motion" if uses_motion(models.values()) else None,
    )
    step = _Step(list(models.values()), [len(own) for own in states.values()]).eval()
    image_11SS = torch.zeros(1, 1, input_size, input_size)
    side = grid_side(input_size)
    motion_13hh = torch.zeros(1, MOTION_CHANNELS, side, side)
    with _quiet_exporter():
        program = torch.onnx.export(
            step,
            (
                image_11SS,
                *([motion_13hh] if card.motion else []),
                *(torch.zeros(state.shape) for state in card.states),
            ),
            dynamo=True,
            opset_version=OPSET,
            input_names=[
                card.image,
                *([card.motion] if card.motion else []),
                *(state.input for state in card.states),
            ],
            output_names=[
                *(name for m in members for name in (m.probabilities, str(m.logits))),
                *(state.output for state in card.states),
            ],
            verbose=False,
        )
    assert program is not None
    graph = program.model
    _require_four_axes(graph)
    ClearMetadataAndDocStringPass()(graph)
    graph.ir_version = _IR_VERSION
    graph.graph.name = "sonotempo"
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


def _require_one_encoder(models: Mapping[str, Segmenter]) -> None:
    """Refuse arms whose encoders differ.

    Raises:
        ModelError: they do.
    """
    (first, *others), (arm, *other_arms) = models.values(), models
    mine = first.encoder.state_dict()
    for other_arm, other in zip(other_arms, others, strict=True):
        theirs = other.encoder.state_dict()
        names = {**mine, **theirs}
        differing = [
            name
            for name in names
            if name not in mine or name not in theirs or not torch.equal(mine[name], theirs[name])
        ]
        if differing:
            raise ModelError(
                f"the arms {arm!r} and {other_arm!r} do not share their encoder: {len(differing)} "
                f"of {len(names)} tensors differ ({', '.join(differing[:3])}); train with "
                "model.share_encoder frozen or joint, or export them one by one and stream both"
            )


def _require_four_axes(model: ir.Model) -> None:
    """Refuse a graph with five axes.

    Raises:
        ModelError: something computes along five axes.
    """
    for node in model.graph:
        for value in node.outputs:
            if value.shape is None or len(value.shape) > 4:
                raise ModelError(
                    f"the network computes {value.name} ({node.op_type}) with shape {value.shape}; "
                    "live engines for images take at most four axes: keep time out of the network "
                    "but for the state"
                )


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
