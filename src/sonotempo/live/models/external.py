"""ONNX files from other tools, which do not name their channels: the user does."""

from dataclasses import replace
from pathlib import Path

from sonotempo.errors import ModelError
from sonotempo.live.models.card import (
    Member,
    ModelCard,
    StateSpec,
    describes_itself,
    input_shapes,
    read_card,
)
from sonotempo.live.models.graph import (
    Interface,
    Shape,
    fits,
    listed,
    read_interface,
    spelled,
)
from sonotempo.live.models.trial import require_first_step
from sonotempo.structures import StructureSet


def card_of(path: Path, structures: StructureSet | None = None) -> ModelCard:
    """Read a model's description, or make one for a file without it.

    Args:
        path: the ``.onnx`` file.
        structures: the channels of a file from another tool; our files name their own.

    Raises:
        ModelError: see :func:`~sonotempo.live.models.card.read_card` and :func:`external_card`.
    """
    if structures is None or describes_itself(path):
        return read_card(path)
    return external_card(path, structures)


def external_card(path: Path, structures: StructureSet) -> ModelCard:
    """Describe an ONNX file from another tool whose channels the user names.

    Its first input [1, 1, S, S] is the image in 0 to 1, and one output must be [1, K, S, S]. All
    other inputs must have outputs of the same order and shape, and are carried as state. One run
    shows whether it returns probabilities or logits.

    Raises:
        ModelError: the file is not a valid ONNX model, or has other inputs or outputs.
    """
    interface = read_interface(path)
    image = _external_image(interface, path)
    size = interface.inputs[image][2]
    if size is None:
        raise ModelError(
            f"{path} leaves the size of its input {image!r} open; export it with a fixed size, "
            "for example 1x1x256x256"
        )
    grid = (1, structures.channels, size, size)
    scores = [name for name, shape in interface.outputs.items() if fits(shape, grid)]
    if not scores:
        raise ModelError(
            f"{path} returns {listed(interface.outputs)}; expected {spelled(grid)} for the "
            f"background and {len(structures)} structures ({', '.join(structures.names)}); name "
            "one structure for each channel after the background"
        )
    taken = [name for name in interface.inputs if name != image]
    given = [name for name in interface.outputs if name not in scores]
    if len(taken) != len(given):
        raise ModelError(
            f"{path} takes {len(taken)} tensors besides the image ({', '.join(taken) or 'none'}) "
            f"but returns {len(given)} besides the masks ({', '.join(given) or 'none'}); it must "
            "return a new state for each state that it takes"
        )
    states = []
    for name, back in zip(taken, given, strict=True):
        shape = tuple(side or 1 for side in interface.inputs[name])
        if not fits(interface.outputs[back], shape):
            raise ModelError(_mismatch(path, name, shape, back, interface.outputs[back]))
        states.append(StateSpec(name, back, shape))
    # If the file has both probabilities and logits, their names tell which is which.
    best = next((name for name in scores if "prob" in name.lower()), scores[0])
    card = ModelCard(
        name=path.stem,
        members=(Member(path.stem, best, None, stateful=bool(states)),),
        structures=structures,
        input_size=size,
        states=tuple(states),
        image=image,
        trained_on="unknown: not recorded in the file",
    )
    if _gives_probabilities(path, card):
        return card
    return replace(card, members=(replace(card.members[0], is_logits=True),))


def _external_image(interface: Interface, path: Path) -> str:
    images = [
        name
        for name, shape in interface.inputs.items()
        if len(shape) == 4 and shape[0] in (1, None) and shape[1] == 1 and shape[2] == shape[3]
    ]
    if not images:
        raise ModelError(
            f"{path} takes {listed(interface.inputs)}; expected a grey image 1x1xSxS (batch, "
            "channel, rows, columns)"
        )
    return images[0]


def _gives_probabilities(path: Path, card: ModelCard) -> bool:
    """Run an external model once on noise: do its channels sum to 1?"""
    scores = card.members[0].probabilities
    return require_first_step(path, input_shapes(card), scores, card.input_size)


def _mismatch(path: Path, name: str, shape: Shape, back: str, back_shape: Shape) -> str:
    return (
        f"{path} takes the state {name!r} as {spelled(shape)} but returns {back!r} as "
        f"{spelled(back_shape)}; a state must keep its shape"
    )
