"""The frames to label next as a table for the terminal."""

from typing import TYPE_CHECKING

from sonotempo.study.suggest import Suggestions

if TYPE_CHECKING:
    from rich.table import Table


def suggestions_table(found: Suggestions) -> "Table":
    """Return one row per frame, in the order of the queue."""
    from rich import box  # noqa: PLC0415 (for terminals only)
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(
        title=escape("\n".join(["What to label next", *found.notes])),
        caption=escape(
            f"Dice: between {' and '.join(found.arms)}. Conf.: of the 5 % of pixels that an arm is "
            "least sure of. Label: frames to the nearest one. Order: the mean rank of the three."
        ),
        caption_justify="left",
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    table.add_column("Recording", overflow="fold")
    for column in ("Frame", "Dice", "Conf.", "Label"):
        table.add_column(column, justify="right")
    table.add_column("Why", overflow="fold")
    for one in found.queue:
        doubt = one.doubt
        table.add_row(
            escape(doubt.recording),
            str(doubt.frame),
            "–" if doubt.dice is None else f"{doubt.dice:.2f}",
            f"{doubt.confidence:.2f}",
            "–" if doubt.distance is None else str(doubt.distance),
            escape(one.reason),
        )
    return table
