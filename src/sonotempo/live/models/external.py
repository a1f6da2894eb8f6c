"""ONNX files of another origin, which do not say what their channels mean: the user does."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from sonotempo.errors import ModelError
from sonotempo.live.models.card import Member, ModelCard, StateSpec, describes_itself, read_card
from sonotempo.live.models.graph import (
    Interface,
    Shape,
    fits,
    listed,
    open_session,
    read_interface,
    spelled,
)
from sonotempo.structures import StructureSet


def card_of(path: Path, structures: StructureSet | None = None) -> ModelCard:
    """Read what a model says of itself, or state it for a file that says nothing.

    Args:
        path: the ``.onnx`` file.
        structures: what the channels of a file of another origin mean; ours say so themselves.

    Raises:
        ModelError: as of :func:`~sonotempo.live.models.card.read_card` or :func:`external_card`.
    """
    if structures is None or describes_itself(path):
        return read_card(path)
    return external_card(path, structures)


def external_card(path: Path, structures: StructureSet) -> ModelCard:
    """Describe an ONNX file of another origin whose channels the user names.

    Its first input [1, 1, S, S] is the image in 0 to 1; it must give [1, K, S, S]. Whatever else it
    takes must come back among its outputs in the same order and shape, and is carried as state.
    Whether it gives probabilities or logits is found by running it once.

    Raises:
        ModelError: the file is no ONNX model, or takes and gives something else.
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
            f"{path} gives {listed(interface.outputs)}; expected {spelled(grid)} for the "
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
        if not fits(interface.outputs[back], shape):
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
    noise = np.random.default_rng(0).random((1, 1, card.input_size, card.input_size))
    inputs = {card.image: noise.astype(np.float32)}
    inputs |= {state.input: np.zeros(state.shape, np.float32) for state in card.states}
    try:
        (scores_1KSS,) = open_session(path).run([card.members[0].probabilities], inputs)
    except ModelError:
        raise
    except Exception as error:  # as above: no base class
        raise ModelError(
            f"{path} cannot run on an image of {card.input_size}x{card.input_size} pixels "
            f"({' '.join(str(error).split())})"
        ) from error
    sums = scores_1KSS.sum(axis=1)
    return bool(scores_1KSS.min() >= 0 and np.allclose(sums, 1, atol=1e-2))


def _mismatch(path: Path, name: str, shape: Shape, back: str, back_shape: Shape) -> str:
    return (
        f"{path} takes the state {name!r} as {spelled(shape)} but gives {back!r} as "
        f"{spelled(back_shape)}; a state must come back as it went in"
    )
