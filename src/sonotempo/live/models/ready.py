"""The ready-made models in this package, for a first try: on simulation and on real stills."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sonotempo.errors import ModelError, unknown_option
from sonotempo.live.models.card import ModelCard, read_card
from sonotempo.structures import NAMED_SETS, NERVE_VESSEL

#: Their folder, in the source tree and in the installed package.
READY_FOLDER = Path(__file__).with_name("packaged")

#: What the ready-made models for real sources find.
REAL_STRUCTURES = NERVE_VESSEL.name

NO_READY_MODELS = (
    "this installation has no ready-made models; export your own (docs/live.md, Exporting a "
    "model) and choose the file"
)


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """A model file that is part of the package.

    Attributes:
        path: the ``.onnx`` file.
        card: its description.
    """

    path: Path
    card: ModelCard

    @property
    def name(self) -> str:
        """Its name on the command line."""
        return self.path.stem

    @property
    def title(self) -> str:
        """Its name on screen, which always includes the kind of training data."""
        return f"{self.name} (trained on {self.card.origin or 'unknown data'})"


@cache
def ready_models(folder: Path = READY_FOLDER) -> tuple[ReadyModel, ...]:
    """Return the packaged models, sorted by name.

    Raises:
        ModelError: one of them is damaged.
    """
    return tuple(ReadyModel(path, read_card(path)) for path in sorted(folder.glob("*.onnx")))


def defaults_for(
    structures: str, models: tuple[ReadyModel, ...], *, along_motion: bool = False
) -> tuple[ReadyModel, ...]:
    """Return the default models for a set of structures: a pair, or else one of each kind.

    Args:
        structures: the name of a set, for example "axillary".
        models: to choose from.
        along_motion: whether they will run along the motion too: then a frame model alone.

    Raises:
        ModelError: no model has this set.
    """
    fitting = [model for model in models if model.card.structures.name == structures]
    if not fitting:
        raise ModelError(
            f"no ready-made model finds the structures of {structures!r}; give your own model "
            "with --model, as `sonotempo export` writes it"
        )
    movable = [model for model in fitting if model.card.can_move][:1]
    if along_motion and movable:
        return tuple(movable)
    for model in fitting:
        if len(model.card.members) == 2:
            return (model,)
    frame = [model for model in fitting if not model.card.stateful][:1]
    sequence = [model for model in fitting if model.card.stateful][:1]
    return (*frame, *sequence)


def models_for_source(source: str, *, along_motion: bool = False) -> tuple[Path, ...]:
    """Return the default models for a source such as ``phantom://femoral``.

    For a source that is not simulated these are the models that have seen real tissue.

    Args:
        source: as on the command line.
        along_motion: whether they will run along the motion too: then a frame model alone.

    Raises:
        ModelError: there are none.
    """
    models = ready_models()
    if not models:
        raise ModelError(
            f"{NO_READY_MODELS}: sonotempo live {source} --model frame.onnx --model sequence.onnx"
        )
    structures = REAL_STRUCTURES
    if source.startswith("phantom://"):
        place = source.removeprefix("phantom://").partition("?")[0]
        structures = place if place in NAMED_SETS else "axillary"
    chosen = defaults_for(structures, models, along_motion=along_motion)
    return tuple(model.path for model in chosen)


def model_path(text: str) -> Path:
    """Return the file of a model, given by path or by the name of a ready-made model.

    Raises:
        ModelError: neither.
    """
    path = Path(text).expanduser()
    if path.is_file():
        return path
    ready = {model.name: model.path for model in ready_models()}
    if text in ready:
        return ready[text]
    if path.suffix or not ready:
        raise ModelError(
            f"no model at {text}; give an .onnx file, as `sonotempo export` writes it"
            + (f", or a ready-made one: {', '.join(ready)}" if ready else "")
        )
    raise ModelError(unknown_option("ready-made model", text, ready))
