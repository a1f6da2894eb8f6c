"""What a folder of scores was made from, and by which rules: ``scored.json``.

A comparison reads it to head its tables with what readers must know of the data, and to refuse arms
that were scored by different rules.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from sonotempo.config import EvaluateConfig
from sonotempo.errors import ConfigError

#: The file's name in a run folder, or in the folder of a scored arm.
SCORED_FILE = "scored.json"

#: What one "subject" of a fold really is.
FoldUnit = Literal["subject", "recording", "image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """What readers must know of the data before any number.

    Attributes:
        simulated: nobody was scanned.
        fold_unit: what folds are split by: subjects, or single recordings or images where the
            subjects are unknown.
        stills_in_motion: clips were made by moving stills.

    >>> DataFacts(fold_unit="image", stills_in_motion=True).sentences()[0]
    'image-level folds, subjects unknown'
    """

    simulated: bool = False
    fold_unit: FoldUnit = "subject"
    stills_in_motion: bool = False

    @property
    def group(self) -> str:
        """What one unit of the statistics is called: a subject, or a group of unknown subjects."""
        return "subject" if self.fold_unit == "subject" else "group"

    def sentences(self) -> tuple[str, ...]:
        """Return the sentences that head every table of this data."""
        said = {
            "simulated subjects: these numbers say nothing about patients": self.simulated,
            f"{self.fold_unit}-level folds, subjects unknown": self.fold_unit != "subject",
            "stills moved into clips: the motion is simulated, the images are as given": (
                self.stills_in_motion
            ),
        }
        return tuple(sentence for sentence, holds in said.items() if holds)


def facts_of_all(data: Iterable[DataFacts]) -> DataFacts:
    """Return what holds of several data sets together: every caveat of any of them."""
    listed = tuple(data)
    units = [one.fold_unit for one in listed if one.fold_unit != "subject"]
    return DataFacts(
        simulated=any(one.simulated for one in listed),
        fold_unit=units[0] if units else "subject",
        stills_in_motion=any(one.stills_in_motion for one in listed),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredData:
    """What scores were made from, and by which rules.

    Attributes:
        rules: how regions were matched and frames were scored.
        structures: the names of the structures, in label order.
        data: what readers must know of the data.
        notes: further sentences that head every table.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    rules: EvaluateConfig
    structures: tuple[str, ...]
    data: DataFacts = field(default_factory=DataFacts)
    notes: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """Every sentence that heads a table, each once: those of the data first."""
        return tuple(dict.fromkeys((*self.data.sentences(), *self.notes)))

    def write(self, folder: Path) -> None:
        """Write ``scored.json`` into a folder that exists."""
        text = _RECORD.dump_json(self, indent=1).decode("utf-8")
        (folder / SCORED_FILE).write_text(f"{text}\n", encoding="utf-8")


_RECORD = TypeAdapter(ScoredData)


def read_scored_data(folder: Path) -> ScoredData:
    """Read what :meth:`ScoredData.write` wrote.

    Raises:
        ConfigError: the file is missing, or does not hold such a record.
    """
    path = folder / SCORED_FILE
    try:
        return _RECORD.validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}); run `sonotempo crossval` or `sonotempo "
            "evaluate` again, which write it"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{path} does not record how scores were made ({where}: {first['msg']}); it was "
            "changed by hand or written by another version: score again"
        ) from error
