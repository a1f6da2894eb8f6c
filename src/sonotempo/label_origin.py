"""Where the mask of a frame comes from, and the file next to the masks that says it.

A person's mask is truth; what a model made or motion carried becomes truth only when somebody has
looked at it and accepted it. ``origins.json`` in the folder of the masks holds an origin for each
frame number; a mask without one was made by a person, as all masks were before the file existed.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from sonotempo.errors import RecordingError
from sonotempo.folders import whole_file, writing
from sonotempo.guard import guarded, shown

#: ``empty``: somebody has confirmed that nothing is in view.
Kind = Literal["human", "propagated", "model", "empty"]

#: What ``data.use`` can name; ``human`` holds what is confirmed to be empty, too.
Use = Literal["human", "accepted", "propagated", "model"]

ORIGINS_FILE = "origins.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one mask comes from.

    Attributes:
        kind: who or what made it.
        model: the model's name, if a model made it.
        is_accepted: whether somebody has accepted what was not made by a person.
        by: who made or accepted it; empty if that person does not want to be named.
        at: when, ISO 8601 in UTC; empty likewise.
    """

    kind: Kind = "human"
    model: str = ""
    is_accepted: bool = False
    by: str = ""
    at: str = ""

    @property
    def is_truth(self) -> bool:
        """Whether a person stands behind it, so that models are trained on it and scored by it.

        >>> Origin().is_truth, Origin("propagated").is_truth
        (True, False)
        """
        return self.use in ("human", "accepted")

    @property
    def use(self) -> Use:
        """What ``data.use`` has to name so that the mask is used.

        >>> Origin("empty").use, Origin("propagated").use, Origin("model", is_accepted=True).use
        ('human', 'propagated', 'accepted')
        """
        if self.kind in ("human", "empty"):
            return "human"
        return "accepted" if self.is_accepted else self.kind  # type: ignore[return-value]

    @property
    def text(self) -> str:
        """Name it for tables.

        >>> Origin("model", "frame", is_accepted=True).text
        'model:frame (accepted)'
        """
        names = {"model": f"model:{self.model}", "empty": "empty (confirmed)"}
        name = names.get(self.kind, self.kind)
        return f"{name} (accepted)" if self.use == "accepted" else name


def counted_origins(counts: Mapping[str, int]) -> str:
    """Write how many masks have which origin, those of people first.

    >>> counted_origins({"propagated": 31, "human": 240, "model:frame (accepted)": 2})
    '240 human, 2 model:frame (accepted), 31 propagated'
    """

    def place(text: str) -> tuple[int, str]:
        by_person = text in ("human", "empty (confirmed)")
        return (0 if by_person else 1 if text.endswith("(accepted)") else 2), text

    return ", ".join(f"{counts[text]} {text}" for text in sorted(counts, key=place))


def read_origins(folder: Path) -> dict[int, Origin]:
    """Return the origin of each mask of a folder by frame number; nothing if no file says it.

    Raises:
        RecordingError: the file is damaged, or of a later version.
    """
    path = folder / ORIGINS_FILE
    if not path.is_file():
        return {}
    remedy = "restore it, or delete it if people made all masks of this folder"
    with guarded(f"{path} does not say where the masks come from", remedy, RecordingError):
        content = json.loads(path.read_text("utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"format {shown(content['format'])}, this version reads {_FORMAT}")
        found = {int(number): _checked(Origin(**one)) for number, one in content["frames"].items()}
    return found


def write_origins(folder: Path, origins: Mapping[int, Origin]) -> None:
    """Write the origin of each mask of a folder; the former file stays until this one is whole.

    Raises:
        RecordingError: the folder cannot be written.
    """
    frames = {str(number): asdict(origins[number]) for number in sorted(origins)}
    text = json.dumps({"format": _FORMAT, "frames": frames}, indent=1)
    path = folder / ORIGINS_FILE
    with writing(path, "folder for the masks", RecordingError), whole_file(path) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


def _checked(origin: Origin) -> Origin:
    """Return an origin that was read, if its values are what the record says."""
    if origin.kind not in get_args(Kind):
        raise ValueError(
            f"unknown origin {shown(origin.kind)}; known are {', '.join(get_args(Kind))}"
        )
    texts = (origin.model, origin.by, origin.at)
    if not isinstance(origin.is_accepted, bool) or not all(isinstance(one, str) for one in texts):
        raise ValueError("model, by and at are texts, is_accepted is true or false")
    return origin
