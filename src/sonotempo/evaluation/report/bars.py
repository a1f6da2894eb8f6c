"""Bars of every structure's scores, the arms side by side, and a picture of them for a run.

Source of the form: Smistad et al. 2021, Figs. 1–2.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sonotempo.evaluation.comparison.record import Cell
from sonotempo.evaluation.report.looks import hatch_of, line_of
from sonotempo.measures import PAPER_BARS, Measure, measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito 2008, colour-blind safe, as on the report page.
_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")


def draw_bars(
    cells: Sequence[Cell],
    out_png: Path,
    *,
    primary: Sequence[str] = (),
    title: str = "",
    notes: Sequence[str] = (),
) -> None:
    """Draw the scores of a run.

    Args:
        cells: of all structures, arms and measures, in order.
        out_png: where to write; its folder exists.
        primary: names of measures to draw besides the paper's.
        title: the heading, with ``notes`` on lines below it.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 (slow, and tables need none)
    from matplotlib.patches import Patch  # noqa: PLC0415

    arms = list(dict.fromkeys(cell.arm for cell in cells))
    structures = list(dict.fromkeys(cell.structure for cell in cells))
    panels = [(name, scale) for name in structures for scale in by_scale(primary)]
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    # Without pyplot: no window system and no global state.
    figure = Figure((max(8, 4.2 * columns), 1.4 + 2.8 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (structure, measures) in zip(grid, panels, strict=False):
        of_structure = [cell for cell in cells if cell.structure == structure]
        draw_scale(axes, of_structure, measures, _COLORS)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(structure)
    for unused in grid[len(panels) :]:
        unused.set_axis_off()
    figure.suptitle("\n".join(line for line in (title, *notes) if line), fontsize=11)
    handles = [
        Patch(
            facecolor=_COLORS[line_of(place).color],
            hatch=hatch_of(place),
            edgecolor="white",
            label=arm,
        )
        for place, arm in enumerate(arms)
    ]
    figure.legend(
        handles=handles,
        title="mean ± SD over subjects; –: undefined; no whisker: one subject",
        loc="outside lower center",
        ncols=2 * columns,
        frameon=False,
        handleheight=1.4,
    )
    figure.savefig(out_png, dpi=150, format="png")


def by_scale(primary: Sequence[str]) -> list[list[Measure]]:
    """Group the measures to draw, the paper's and the primary ones, by what can share an axis."""
    groups: dict[object, list[Measure]] = {}
    for one in dict.fromkeys((*PAPER_BARS, *map(measure, primary))):
        groups.setdefault((one.unit, one.lowest, one.highest), []).append(one)
    return list(groups.values())


def draw_scale(
    axes: "Axes",
    cells: Sequence[Cell],
    measures: Sequence[Measure],
    colors: Sequence[str],
    *,
    ink: str = "black",
    paper: str = "white",
) -> None:
    """Draw measures that share an axis: a group of bars for each, a bar for each arm.

    Bars are means over subjects, whiskers ± one SD over subjects, cut where the range of the
    measure ends. An undefined SD has no whisker, an undefined mean a dash in place of its bar.

    Args:
        axes: where to draw.
        cells: of one structure.
        measures: the groups, of one unit and range.
        colors: of arms, see :mod:`sonotempo.evaluation.report.looks`.
        ink: colour of the whiskers.
        paper: colour of the hatches.
    """
    arms = list(dict.fromkeys(cell.arm for cell in cells))
    names = [one.name for one in measures]
    lowest, highest = measures[0].lowest, measures[0].highest
    width = 0.84 / len(arms)
    for cell in cells:
        if cell.metric not in names:
            continue
        place = arms.index(cell.arm)
        x = names.index(cell.metric) - 0.42 + width * (place + 0.5)
        if cell.mean is None:
            axes.text(x, 0.01, "–", ha="center", va="bottom")
            continue
        axes.bar(
            x,
            cell.mean,
            width * 0.94,
            color=colors[line_of(place).color],
            hatch=hatch_of(place),
            edgecolor=paper,
            linewidth=0,
            zorder=2,
        )
        if cell.sd is not None:
            below = cell.sd if lowest is None else min(cell.sd, cell.mean - lowest)
            above = cell.sd if highest is None else min(cell.sd, highest - cell.mean)
            room = [[below], [above]]
            axes.errorbar(x, cell.mean, room, ecolor=ink, elinewidth=1, capsize=2, zorder=3)
    if highest is not None and lowest is not None:
        axes.set_ylim(lowest, highest + 0.15 * (highest - lowest))
        axes.set_yticks(np.linspace(lowest, highest, 6))
    axes.set_xticks(range(len(measures)), [one.heading for one in measures])
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.55, len(measures) - 0.45)
    axes.set_ylabel(measures[0].unit)
    axes.grid(axis="y", zorder=0)
