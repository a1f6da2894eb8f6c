"""What an exported model says of itself: read from its ONNX metadata, or stated for a foreign file.

The card is one JSON text in the metadata of the ``.onnx`` file, so a model keeps its name,
structures and history however its file is called.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime

from sonotempo.errors import ModelError, SonotempoError
from sonotempo.recording import Box
from sonotempo.structures import Structure, StructureSet

#: The key of the card in the metadata of an ONNX file.
METADATA_KEY = "sonotempo"

#: How frames become network input; there is one way, see :mod:`sonotempo.preprocess`.
FIT_RULE = "crop to area, square pixels, width to input size, pad or crop rows at the bottom"
NORMALIZATION = "grey value / 255"
RESET_RULE = (
    "all states zero; at the start, after a freeze, a gap, a seek, a reconnect, and where the "
    "frame's size or spacing changes"
)

Precision = Literal["fp32", "fp16", "int8"]
Shape = tuple[int | None, ...]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class StateSpec:
    """One tensor that goes from frame to frame.

    Attributes:
        input: the name of the graph's input that takes it.
        output: the name of the graph's output that gives it back.
        shape: NCHW with N = 1.
    """

    input: str
    output: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """One arm of a model file; a pair has two.

    Attributes:
        arm: which arm of a comparison it is, and what its predictions are called.
        probabilities: the name of the output [1, K, S, S] that sums to 1 over K. A foreign file
            may have logits there, see ``is_logits``.
        logits: the name of the output before the softmax, or None where there is none.
        is_logits: whether ``probabilities`` still needs the softmax.
        stateful: whether earlier frames matter to it.
    """

    arm: str
    probabilities: str = "probabilities"
    logits: str | None = "logits"
    is_logits: bool = False
    stateful: bool = False


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything that is needed to run an exported model, and where it comes from.

    Attributes:
        name: what the model is called on screen.
        members: its arms, each with the outputs that it owns.
        structures: what the channels after the background mean, with colours.
        input_size: S, side of the network grid in pixels.
        area: the image area set by hand in training, or None.
        states: what is carried from frame to frame; empty for a frame model.
        image: the name of the graph's image input [1, 1, S, S] in 0 to 1.
        precision: of the weights and activations.
        run: the training run, or empty.
        fold: the fold that it was trained in, or None.
        trained_on: what it has learnt from, in words.
        note: a sentence that belongs beside every result, for example "simulated subjects".
        version: the sonotempo version that wrote the file, empty for a foreign one.
        checks: what was measured when it was exported, one sentence each.
    """

    name: str
    members: tuple[Member, ...]
    structures: StructureSet
    input_size: int
    area: Box | None = None
    states: tuple[StateSpec, ...] = ()
    image: str = "image"
    precision: Precision = "fp32"
    run: str = ""
    fold: int | None = None
    trained_on: str = ""
    note: str = ""
    version: str = ""
    checks: tuple[str, ...] = ()

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms in the order of the predictions."""
        return tuple(member.arm for member in self.members)

    @property
    def stateful(self) -> bool:
        """Whether earlier frames matter to any of its members."""
        return bool(self.states)

    def metadata(self) -> str:
        """Return the card as the text that goes into the file, under :data:`METADATA_KEY`."""
        facts = asdict(self) | {
            "format": _FORMAT,
            "fit": FIT_RULE,
            "normalization": NORMALIZATION,
            "reset": RESET_RULE,
        }
        return json.dumps(facts)


@dataclass(frozen=True, slots=True)
class Interface:
    """What a graph takes and gives: names with their shapes, unknown sides as None."""

    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    metadata: Mapping[str, str]


def read_card(path: Path) -> ModelCard:
    """Read what an exported model says of itself, and check that its graph agrees.

    Raises:
        ModelError: no such file, not an ONNX model, a model without a card (see
            :func:`foreign_card`), a card of a later version, or a graph that differs from its card.
    """
    interface = read_interface(path)
    if METADATA_KEY not in interface.metadata:
        raise ModelError(
            f"{path} was not exported by sonotempo: it does not say what its channels mean; state "
            "their names in order, for example --structures nerve,vessel, to run it all the same"
        )
    card = card_from(interface.metadata[METADATA_KEY], path)
    require_interface(card, interface, path)
    return card


def card_from(text: str, path: Path) -> ModelCard:
    """Read a card from its metadata text; ``path`` names the file in errors.

    Raises:
        ModelError: the text is not a card, or has rules that this version does not follow.
    """
    try:
        facts: dict[str, Any] = json.loads(text)
        if facts["format"] > _FORMAT:
            raise ModelError(
                f"{path} was exported by sonotempo {facts.get('version')} in a form that this "
                "version does not read; upgrade with: pip install -U sonotempo"
            )
        ours = {"fit": FIT_RULE, "normalization": NORMALIZATION, "reset": RESET_RULE}
        for rule, known in ours.items():
            if facts[rule] != known:
                raise ModelError(
                    f"{path} wants another {rule} ({facts[rule]!r}) than this version does "
                    f"({known!r}); export it again with this version"
                )
        area, structures = facts["area"], facts["structures"]
        return ModelCard(
            name=str(facts["name"]),
            members=tuple(Member(**member) for member in facts["members"]),
            structures=StructureSet(
                structures["name"],
                tuple(
                    Structure(one["name"], _color(one["color_rgb"]))
                    for one in structures["structures"]
                ),
            ),
            input_size=int(facts["input_size"]),
            area=Box(**area) if area else None,
            states=tuple(
                StateSpec(state["input"], state["output"], tuple(state["shape"]))
                for state in facts["states"]
            ),
            image=facts["image"],
            precision=facts["precision"],
            run=facts["run"],
            fold=facts["fold"],
            trained_on=facts["trained_on"],
            note=facts["note"],
            version=facts["version"],
            checks=tuple(facts["checks"]),
        )
    except ModelError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, SonotempoError) as error:
        raise ModelError(
            f"the description in {path} is damaged ({type(error).__name__}: {error}); export the "
            "model again"
        ) from error


def foreign_card(path: Path, structures: StructureSet) -> ModelCard:
    """Describe an ONNX file of another origin whose channels the user names.

    Its first input [1, 1, S, S] is the image in 0 to 1; it must give [1, K, S, S]. Whatever else it
    takes must come back among its outputs in the same order and shape, and is carried as state.
    Whether it gives probabilities or logits is found by running it once.

    Raises:
        ModelError: the file is no ONNX model, or takes and gives something else.
    """
    interface = read_interface(path)
    image = _foreign_image(interface, path)
    size = interface.inputs[image][2]
    if size is None:
        raise ModelError(
            f"{path} leaves the size of its input {image!r} open; export it with a fixed size, "
            "for example 1x1x256x256"
        )
    grid = (1, structures.channels, size, size)
    scores = [name for name, shape in interface.outputs.items() if _fits(shape, grid)]
    if not scores:
        raise ModelError(
            f"{path} gives {_listed(interface.outputs)}; expected {_spelled(grid)} for the "
            f"background and {len(structures)} structures ({', '.join(structures.names)}); name "
            "one structure for each channel after the background"
        )
    taken = [name for name in interface.inputs if name != image]
    given = [name for name in interface.outputs if name not in scores]
    if len(taken) != len(given):
        raise ModelError(
            f"{path} takes {len(taken)} tensors beside the image ({', '.join(taken) or 'none'}) "
            f"but gives {len(given)} beside the masks ({', '.join(given) or 'none'}); a state must "
            "come back for every one that goes in"
        )
    states = []
    for name, back in zip(taken, given, strict=True):
        shape = tuple(side or 1 for side in interface.inputs[name])
        if not _fits(interface.outputs[back], shape):
            raise ModelError(_mismatch(path, name, shape, back, interface.outputs[back]))
        states.append(StateSpec(name, back, shape))
    # A softmax output is what users want to see; where both are there, names tell them apart.
    best = next((name for name in scores if "prob" in name.lower()), scores[0])
    card = ModelCard(
        name=path.stem,
        members=(Member(path.stem, best, None, stateful=bool(states)),),
        structures=structures,
        input_size=size,
        states=tuple(states),
        image=image,
        trained_on="not known: the file does not say",
    )
    if _gives_probabilities(path, card):
        return card
    return replace(card, members=(replace(card.members[0], is_logits=True),))


def read_interface(path: Path) -> Interface:
    """Read what a graph takes and gives, and its metadata.

    Raises:
        ModelError: no such file, or not an ONNX model.
    """
    session = _session(path)
    return Interface(
        inputs={one.name: _shape(one.shape) for one in session.get_inputs()},
        outputs={one.name: _shape(one.shape) for one in session.get_outputs()},
        metadata=dict(session.get_modelmeta().custom_metadata_map),
    )


def require_interface(card: ModelCard, interface: Interface, path: Path) -> None:
    """Refuse a graph that is not what its card says.

    Raises:
        ModelError: an input or output is missing, of another shape, or not described.
    """
    size, channels = card.input_size, card.structures.channels
    takes: dict[str, tuple[int, ...]] = {card.image: (1, 1, size, size)}
    gives: dict[str, tuple[int, ...]] = {}
    for member in card.members:
        gives[member.probabilities] = (1, channels, size, size)
        if member.logits is not None:
            gives[member.logits] = (1, channels, size, size)
    for state in card.states:
        takes[state.input] = state.shape
        gives[state.output] = state.shape
    for kind, described, there in (
        ("takes", takes, interface.inputs),
        ("gives", gives, interface.outputs),
    ):
        odd = [
            name
            for name in {**described, **there}
            if name not in described or name not in there or not _fits(there[name], described[name])
        ]
        if odd:
            raise ModelError(
                f"{path} {kind} {_listed(there)}, but its description says "
                f"{_listed(described)}: they differ in {', '.join(odd)}; export the model again"
            )


def _session(path: Path) -> Any:
    """Open a graph only to look at it."""
    if not path.is_file():
        raise ModelError(f"no model at {path}; give an .onnx file, as `sonotempo export` writes it")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no base class of their own
        reason = " ".join(str(error).split()).rpartition("] : ")[2]
        raise ModelError(
            f"{path} cannot be read as an ONNX model ({reason}); it is damaged or of another "
            "kind: export or copy it again"
        ) from error


def _foreign_image(interface: Interface, path: Path) -> str:
    images = [
        name
        for name, shape in interface.inputs.items()
        if len(shape) == 4 and shape[0] in (1, None) and shape[1] == 1 and shape[2] == shape[3]
    ]
    if not images:
        raise ModelError(
            f"{path} takes {_listed(interface.inputs)}; expected a grey image 1x1xSxS (batch, "
            "channel, rows, columns)"
        )
    return images[0]


def _gives_probabilities(path: Path, card: ModelCard) -> bool:
    """Run a foreign model once on noise: do its channels sum to 1?"""
    noise = np.random.default_rng(0).random((1, 1, card.input_size, card.input_size))
    inputs = {card.image: noise.astype(np.float32)}
    inputs |= {state.input: np.zeros(state.shape, np.float32) for state in card.states}
    try:
        (scores_1KSS,) = _session(path).run([card.members[0].probabilities], inputs)
    except ModelError:
        raise
    except Exception as error:  # as above: no base class
        raise ModelError(
            f"{path} cannot run on an image of {card.input_size}x{card.input_size} pixels "
            f"({' '.join(str(error).split())})"
        ) from error
    sums = scores_1KSS.sum(axis=1)
    return bool(scores_1KSS.min() >= 0 and np.allclose(sums, 1, atol=1e-2))


def _color(rgb: Sequence[int]) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in rgb)
    return red, green, blue


def _shape(sides: Sequence[Any]) -> Shape:
    """Sides that are named instead of numbered are open."""
    return tuple(side if isinstance(side, int) else None for side in sides)


def _fits(shape: Shape, wanted: Sequence[int]) -> bool:
    return len(shape) == len(wanted) and all(
        side in (None, want) for side, want in zip(shape, wanted, strict=True)
    )


def _mismatch(path: Path, name: str, shape: Shape, back: str, back_shape: Shape) -> str:
    return (
        f"{path} takes the state {name!r} as {_spelled(shape)} but gives {back!r} as "
        f"{_spelled(back_shape)}; a state must come back as it went in"
    )


def _spelled(shape: Sequence[int | None]) -> str:
    return "x".join("?" if side is None else str(side) for side in shape) or "a single number"


def _listed(named: Mapping[str, Sequence[int | None]]) -> str:
    return ", ".join(f"{name} {_spelled(shape)}" for name, shape in named.items()) or "nothing"
