"""How well people agree: what the readers of the user's own data do, else the literature."""

from collections.abc import Sequence
from pathlib import Path

from sonotempo.errors import ConfigError
from sonotempo.evaluation.comparison.agreement import AgreementCell, read_agreement
from sonotempo.evaluation.comparison.record import HumanReference
from sonotempo.evaluation.comparison.rounding import counted, listed, number

_SOURCE = "human–human Dice from the literature (PMC11103080), not from this data"
_TISSUES = {"artery": (("artery", "blood", "vessel"), 0.88), "nerve": (("nerve",), 0.48)}


def human_references(
    structures: Sequence[str], agreement: Path | None = None
) -> tuple[HumanReference, ...]:
    """Return a line for each structure that people have been compared on.

    Args:
        structures: that were scored.
        agreement: a file of :meth:`Agreement.csv`. The literature stands in for structures that it
            lacks.

    Raises:
        ConfigError: the file cannot be read, or is about other structures.
    """
    measured = {} if agreement is None else read_agreement(agreement)
    if measured and not set(measured) & set(structures):
        raise ConfigError(
            f"{agreement} is about {listed(list(measured))}, none of which was scored here "
            f"({listed(list(structures))}); give --structures in `sonotempo data agreement`"
        )
    found = []
    for structure in structures:
        cell = measured.get(structure)
        if cell is not None and agreement is not None:
            found.append(_measured(cell, agreement))
        else:
            found += _published(structure)
    return tuple(found)


def _measured(cell: AgreementCell, path: Path) -> HumanReference:
    assert cell.mean is not None  # read_agreement leaves others out
    spread = ""
    if cell.low is not None and cell.high is not None:
        spread = f", 95 % interval {number(cell.low)} to {number(cell.high)}"
    return HumanReference(
        cell.structure,
        cell.structure,
        cell.mean,
        f"human–human Dice of {listed(cell.readers)} in {counted(cell.frames, 'frame')} of "
        f"{counted(cell.subjects, 'subject')}{spread}, {path.name}",
        measured=True,
    )


def _published(structure: str) -> list[HumanReference]:
    return [
        HumanReference(structure, tissue, dice, _SOURCE)
        for tissue, (words, dice) in _TISSUES.items()
        if any(word in structure for word in words)
    ]
