"""The agreement of readers as a table for the terminal."""

from typing import TYPE_CHECKING

from sonotempo.evaluation.comparison.agreement import AGREEMENT_METRICS, Agreement, AgreementCell
from sonotempo.evaluation.comparison.rounding import joined, number
from sonotempo.measures import measure

if TYPE_CHECKING:
    from rich.table import Table


def agreement_table(found: Agreement) -> "Table":
    """Return one row per structure and pair of readers, with the mean over pairs last."""
    from rich import box  # noqa: PLC0415 (for terminals only)
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    reasons = [f"{one.structure}, {measure(one.metric).title}: {one.reason}"
               for one in found.cells if one.reason]  # fmt: skip
    caption = (
        "Mean over subjects [95 % interval of a bootstrap over subjects]. Each reader in turn is "
        "the reference; frames in which the reference lacks a structure do not count for it. "
        f"NSD: share of both boundaries within {found.tolerance_mm:g} mm of the other. "
    )
    table = Table(
        title=escape("\n".join([f"Agreement of {len(found.readers)} readers", *found.notes])),
        caption=escape(f"{caption}{joined(reasons)}"),
        caption_justify="left",
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    table.add_column("Structure", overflow="fold")
    for metric in AGREEMENT_METRICS:
        table.add_column(measure(metric).title, justify="right")
    for column in ("Subjects", "Frames"):
        table.add_column(column, justify="right")
    rows: dict[tuple[str, tuple[str, ...]], dict[str, AgreementCell]] = {}
    for one in found.cells:
        rows.setdefault((one.structure, one.readers), {})[one.metric] = one
    before = ""
    for (structure, readers), cells in rows.items():
        if structure != before:
            table.add_section()
            table.add_row(escape(structure), style="bold")
            before = structure
        every = len(readers) == len(found.readers) > 2
        name = "all pairs" if every else " and ".join(readers)
        shown = [_written(cells[metric]) for metric in AGREEMENT_METRICS]
        dice = cells["dice"]
        table.add_row(escape(f" {name}"), *shown, str(dice.subjects), str(dice.frames))
    return table


def _written(cell: AgreementCell) -> str:
    if cell.low is None or cell.high is None:
        return number(cell.mean)
    return f"{number(cell.mean)}\n\\[{number(cell.low)}, {number(cell.high)}]"
