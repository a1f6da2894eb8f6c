"""The description of an exported model: read from its ONNX metadata, and checked with its graph.

The card is a JSON text in the metadata of the ``.onnx`` file, so a model keeps its name, structures
and history when its file is renamed.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter

from sonotempo.errors import ModelError, SonotempoError
from sonotempo.flow import MOTION_CHANNELS, grid_side
from sonotempo.guard import guarded, shown
from sonotempo.live.models.graph import Interface, fits, listed, read_interface
from sonotempo.recording import Box
from sonotempo.structures import StructureSet

#: The key of the card in the metadata of an ONNX file.
METADATA_KEY = "sonotempo"

#: How frames become network input (see :mod:`sonotempo.preprocess`) and when states are reset.
_RULES = {
    "fit": "crop to area, square pixels, width to input size, pad or crop rows at the bottom",
    "normalization": "grey value / 255",
    "reset": "all states zero; at the start, after a freeze, a gap, a seek, a reconnect, and where "
    "the frame's size or spacing changes",
}

Precision = Literal["fp32", "fp16", "int8"]

_FORMAT = 1
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class StateSpec:
    """One tensor that is carried from frame to frame.

    Attributes:
        input: the name of the graph's input for it.
        output: the name of the graph's output with its next value.
        shape: NCHW with N = 1.
    """

    __pydantic_config__: ClassVar = _STRICT

    input: str
    output: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """One arm of a model file; a pair has two.

    Attributes:
        arm: which arm of a comparison it is, and what its predictions are called.
        probabilities: the name of the output [1, K, S, S] that sums to 1 over K; logits in some
            external files, see ``is_logits``.
        logits: the name of the output before the softmax, or None.
        is_logits: whether ``probabilities`` still needs the softmax.
        stateful: whether it depends on earlier frames.
        temperatures: of each structure's probability, from validation frames (see
            :mod:`sonotempo.calibration`); empty if they were never measured.
    """

    __pydantic_config__: ClassVar = _STRICT

    arm: str
    probabilities: str = "probabilities"
    logits: str | None = "logits"
    is_logits: bool = False
    stateful: bool = False
    temperatures: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelCard:
    """All that is needed to run an exported model, and its origin.

    Attributes:
        name: the model's name on screen.
        members: its arms, each with the outputs that it owns.
        structures: the channels after the background, with colours.
        input_size: S, side of the network grid in pixels.
        area: the image area set by hand in training, or None.
        states: what is carried from frame to frame; empty for a frame model.
        image: the name of the graph's image input [1, 1, S, S] in 0 to 1.
        motion: the name of the graph's input [1, 3, h, h] for the motion to this frame, as
            :meth:`sonotempo.flow.Motion.network_input` gives it; None if it takes none.
        precision: of the weights and activations.
        run: the training run, or empty.
        fold: the fold that it was trained in, or None.
        trained_on: its training data, for the user.
        origin: the same in two or three words, for lists, for example "simulation".
        note: a remark to show with every result, for example "simulated subjects".
        version: the sonotempo version that wrote the file, empty for an external one.
        checks: the measurements at export, one sentence each.
    """

    __pydantic_config__: ClassVar = _STRICT

    name: str
    members: tuple[Member, ...]
    structures: StructureSet
    input_size: int
    area: Box | None = None
    states: tuple[StateSpec, ...] = ()
    image: str = "image"
    motion: str | None = None
    precision: Precision = "fp32"
    run: str = ""
    fold: int | None = None
    trained_on: str = ""
    origin: str = ""
    note: str = ""
    version: str = ""
    checks: tuple[str, ...] = ()

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms in the order of the predictions."""
        return tuple(member.arm for member in self.members)

    @property
    def stateful(self) -> bool:
        """Whether any of its members depends on earlier frames."""
        return bool(self.states) or any(member.stateful for member in self.members)

    @property
    def can_move(self) -> bool:
        """Whether its predictions can be carried along the motion: a single frame model."""
        return len(self.members) == 1 and not self.stateful

    def along_motion(self) -> "ModelCard":
        """Return the card of a frame model that is also run along the tissue's motion.

        It keeps the frame model's temperatures, which were not measured along the motion.

        Raises:
            ModelError: the model is not a single frame model.
        """
        if not self.can_move:
            raise ModelError(
                f"{self.name!r} holds {' and '.join(self.arms)}; only a single frame model can be "
                "carried along the motion: choose one, or turn that off"
            )
        (member,) = self.members
        moving = replace(member, arm=f"{member.arm}_flow", stateful=True)
        return replace(self, members=(member, moving))

    def metadata(self) -> str:
        """Return the card as the text for the file, under :data:`METADATA_KEY`."""
        return json.dumps(asdict(self) | {"format": _FORMAT} | _RULES)


def input_shapes(card: ModelCard) -> dict[str, tuple[int, ...]]:
    """Return the shape of every input of a model's graph; the image is the first."""
    shapes: dict[str, tuple[int, ...]] = {card.image: (1, 1, card.input_size, card.input_size)}
    if card.motion is not None:
        shapes[card.motion] = (1, MOTION_CHANNELS, *[grid_side(card.input_size)] * 2)
    return shapes | {state.input: state.shape for state in card.states}


def describes_itself(path: Path) -> bool:
    """Whether an ONNX file has a card.

    Raises:
        ModelError: no such file, or not a valid ONNX model.
    """
    return METADATA_KEY in read_interface(path).metadata


def read_card(path: Path) -> ModelCard:
    """Read the description of an exported model, and check that its graph agrees.

    Raises:
        ModelError: no such file, not a valid ONNX model, a model without a card (see
            :mod:`sonotempo.live.models.external`), a card of a later version, or a graph that
            differs from its card.
    """
    interface = read_interface(path)
    if METADATA_KEY not in interface.metadata:
        raise ModelError(
            f"{path} was not exported by sonotempo and does not name its channels; to run it, give "
            "their names in order, for example --structures nerve,vessel"
        )
    card = _card_from(interface.metadata[METADATA_KEY], path)
    _require_interface(card, interface, path)
    return card


def _card_from(text: str, path: Path) -> ModelCard:
    """Read a card from its metadata text; ``path`` names the file in errors."""
    with guarded(f"the description in {path} is damaged", "export the model again", ModelError):
        facts: dict[str, Any] = json.loads(text)
        if facts.pop("format") > _FORMAT:
            raise ModelError(
                f"{path} was exported by sonotempo {shown(facts.get('version'))} in a format that "
                "this version does not read; upgrade with: pip install -U sonotempo"
            )
        for rule, known in _RULES.items():
            if (wanted := facts.pop(rule)) != known:
                raise ModelError(
                    f"{path} needs another {rule} ({shown(wanted)}) than this version applies "
                    f"({known!r}); export it again with this version"
                )
        try:
            card = TypeAdapter(ModelCard).validate_python(facts)
        except SonotempoError as error:  # what is wrong with a part of it
            raise ValueError(str(error)) from error
        for member in card.members:
            if len(member.temperatures) not in (0, len(card.structures)):
                raise ValueError(
                    f"{len(member.temperatures)} temperatures of {len(card.structures)} structures"
                )
        return card


def _require_interface(card: ModelCard, interface: Interface, path: Path) -> None:
    """Refuse a graph that differs from its card."""
    size, channels = card.input_size, card.structures.channels
    takes = input_shapes(card)
    gives: dict[str, tuple[int, ...]] = {}
    for member in card.members:
        gives[member.probabilities] = (1, channels, size, size)
        if member.logits is not None:
            gives[member.logits] = (1, channels, size, size)
    for state in card.states:
        gives[state.output] = state.shape
    for kind, described, there in (
        ("takes", takes, interface.inputs),
        ("returns", gives, interface.outputs),
    ):
        odd = [
            name
            for name in {**described, **there}
            if name not in described or name not in there or not fits(there[name], described[name])
        ]
        if odd:
            raise ModelError(
                f"{path} {kind} {listed(there)}, but its description lists "
                f"{listed(described)}: they differ in {', '.join(odd)}; export the model again"
            )
