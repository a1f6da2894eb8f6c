"""How an arm was trained and run in one fold, recorded so that two arms can be distinguished.

Training writes one ``facts.json`` per arm and fold. A comparison calls a difference between two
arms by a cause only if their facts differ in that cause alone.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from sonotempo.arms import Added
from sonotempo.errors import ConfigError
from sonotempo.folders import whole_file

#: The file's name within the folder of an arm and fold; where an arm's folds share a folder, their
#: files are ``facts-00.json``, ``facts-01.json`` and so on.
FACTS_FILE = "facts.json"
FACTS_PATTERN = "facts*.json"

#: What names an arm or follows from its training; never a difference in how it was made.
_IDENTITY = frozenset({"arm", "weights_sha256", "parameters"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFacts:
    """How one arm was trained in one fold, and how it is run on test frames.

    Attributes:
        arm: its name in the comparison.
        fold: the split that it was trained in.
        added: what the network has beyond the frame U-net, see :class:`sonotempo.arms.Arm`.
        cell: the name of that memory cell; empty where nothing is added.
        inference: ``carried``, ``reset`` before every frame, ``ema 0.5`` for an exponential
            moving average of the logits with that weight of the newest frame, or ``along motion
            0.15`` for probabilities that move along with the tissue. The state of a frame model is
            empty: it is ``carried`` too.
        start_sha256: of the weights file that training started from; empty for a random start.
        weights_sha256: of the weights file that is scored.
        seed: of the experiment.
        epochs: of the arm's own training; 0 if it has none.
        optimiser_steps: of the arm's own training.
        batch_size: clips (or frames, where clips have one) per step.
        clip_frames: how long the state is carried in training; 1 for single frames.
        backpropagation_frames: how many frames gradients flow through.
        learning_rate: of all that was there at the start.
        added_learning_rate: of what was added; None where nothing was.
        schedule: of the learning rates.
        loss: that was trained with.
        faults: settings of the training faults; empty where there were none.
        shuffled_frames: single frames that joined every step.
        state_faults: probabilities of a foreign and of a corrupt state; empty where there is none.
        frozen: parts that did not learn: ``encoder``, ``normalization``.
        trained_with: what was trained over the same encoder at the same time; empty if nothing.
        labelled_frames: how many frames carried loss, pseudo-labels included.
        pseudo_label_frames: how far masks were carried to unlabelled frames.
        trained_origins: how many of those frames have a mask that no person made, by its origin;
            pseudo-labels are propagated.
        trained_subjects: whose they are.
        parameters: of the whole network, frozen ones included.
        external: masks of another tool: everything but ``arm`` and ``fold`` is unknown.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    arm: str
    fold: int
    added: Added = "none"
    cell: str = ""
    inference: str = "carried"
    start_sha256: str = ""
    weights_sha256: str = ""
    seed: int = 0
    epochs: int = 0
    optimiser_steps: int = 0
    batch_size: int = 0
    clip_frames: int = 1
    backpropagation_frames: int = 1
    learning_rate: float = 0.0
    added_learning_rate: float | None = None
    schedule: str = ""
    loss: str = ""
    faults: Mapping[str, float] = field(default_factory=dict)
    shuffled_frames: int = 0
    state_faults: Mapping[str, float] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    trained_with: str = ""
    labelled_frames: int = 0
    pseudo_label_frames: int = 0
    trained_origins: Mapping[str, float] = field(default_factory=dict)
    trained_subjects: tuple[str, ...] = ()
    parameters: int = 0
    external: bool = False

    def write(self, path: Path) -> None:
        """Write the facts as JSON, keys in alphabetical order."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False)
        with whole_file(path) as draft:
            draft.write_text(f"{text}\n", encoding="utf-8")


_RECORD = TypeAdapter(ArmFacts)


def read_facts(path: Path) -> ArmFacts:
    """Read facts that :meth:`ArmFacts.write` wrote.

    Raises:
        ConfigError: the file cannot be read, or does not hold these facts.
    """
    try:
        return _RECORD.validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{path} does not hold the facts of an arm ({where}: {first['msg']}); it was changed "
            "by hand or written by another version: train that fold again"
        ) from error


def differing(a: ArmFacts, b: ArmFacts) -> tuple[str, ...]:
    """Return the names of the facts in which two arms differ, in the order of the record.

    Name, trained weights and number of parameters are left out, they follow from the rest. So is
    what describes the addition (its cell, its rate, faults of its state) where an arm has none.

    >>> a = ArmFacts(arm="frame_continued", fold=0, epochs=14, start_sha256="ab")
    >>> b = ArmFacts(arm="sequence", fold=0, epochs=14, start_sha256="ab", added="memory",
    ...              cell="convlstm", added_learning_rate=5e-3)
    >>> differing(a, b)
    ('added',)
    """
    left_out = set(_IDENTITY)
    if "none" in (a.added, b.added):
        left_out |= {"cell", "added_learning_rate", "state_faults"}
    return tuple(
        one.name
        for one in fields(ArmFacts)
        if one.name not in left_out and _plain(a, one.name) != _plain(b, one.name)
    )


def differences(a: ArmFacts, b: ArmFacts) -> tuple[str, ...]:
    """Say in what two arms differ, one phrase for each fact of :func:`differing`.

    >>> a = ArmFacts(arm="frame", fold=0, epochs=36)
    >>> differences(a, ArmFacts(arm="sequence", fold=0, epochs=14, added="memory"))
    ('added: none in frame, memory in sequence', 'epochs: 36 in frame, 14 in sequence')
    """
    return tuple(
        f"{name.replace('_', ' ')}: {_text(a, name)} in {a.arm}, {_text(b, name)} in {b.arm}"
        for name in differing(a, b)
    )


def fact_texts(facts: ArmFacts) -> dict[str, str]:
    """Return how an arm was trained and is run, each fact in a few characters; no names, no hashes.

    >>> fact_texts(ArmFacts(arm="frame", fold=0, faults={"dark_probability": 0.4}))["faults"]
    'dark_probability 0.4'
    """
    left_out = {*_IDENTITY, "fold", "seed", "external", "start_sha256", "trained_subjects"}
    names = [one.name for one in fields(ArmFacts) if one.name not in left_out]
    return {name: _text(facts, name) for name in names}


def _plain(facts: ArmFacts, name: str) -> object:
    """Return a fact's value without the order that means nothing."""
    value = getattr(facts, name)
    if isinstance(value, Mapping):
        return dict(value)
    return sorted(value) if isinstance(value, tuple) else value


def _text(facts: ArmFacts, name: str) -> str:
    """Write a fact's value in a few characters."""
    value = getattr(facts, name)
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {value[key]:g}" for key in sorted(value)) or "none"
    if isinstance(value, tuple):
        return ", ".join(sorted(value)) if 0 < len(value) <= 3 else f"{len(value) or 'no'} names"
    if name.endswith("sha256"):
        return value[:8] or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
