"""The bar plot of a run: the paper's measures of every structure, the arms side by side.

Source: Smistad et al. 2021, Figs. 1–2.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sonotempo.evaluation.comparison.record import Cell
from sonotempo.evaluation.report.looks import hatch_of
from sonotempo.measures import PAPER_BARS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito 2008, colour-blind safe; one for each measure.
_COLORS = ("#0072b2", "#56b4e9", "#e69f00", "#009e73")


def draw_bars(
    cells: Sequence[Cell], out_png: Path, *, title: str = "", notes: Sequence[str] = ()
) -> None:
    """Draw the measures of the paper's figures as bars.

    Bars are means over subjects, whiskers ± one SD over subjects; a whisker that ends below 0 is
    cut by the axis. An undefined SD has no whisker, an undefined mean a dash in place of its bar.

    Args:
        cells: of all structures, arms and measures, in order.
        out_png: where to write; its folder exists.
        title: the heading, with ``notes`` on lines below it.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 (slow, and tables need none)

    arms = list(dict.fromkeys(cell.arm for cell in cells))
    structures = list(dict.fromkeys(cell.structure for cell in cells))
    measures = [one.name for one in PAPER_BARS]
    # In bars: half of one between measures, two between structures.
    group = len(measures) * len(arms) + 0.5 * (len(measures) - 1) + 2
    # Without pyplot: no window system and no global state.
    size = (max(8, 1 + 0.16 * group * len(structures)), 4.5)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    shown = [cell for cell in cells if cell.metric in measures]
    for cell in shown:
        metric, arm = measures.index(cell.metric), arms.index(cell.arm)
        start = structures.index(cell.structure) * group - (group - 3) / 2
        _draw_bar(axes, start + metric * (len(arms) + 0.5) + arm, cell, metric, arm)
    axes.set_xticks(
        [place * group for place in range(len(structures))],
        [name.replace(" ", "\n") for name in structures],
    )
    axes.set_xlim(-group / 2, (len(structures) - 0.5) * group)
    axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_ylabel("mean ± SD over subjects")
    axes.grid(axis="y", color="0.85", linewidth=0.8, zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("\n".join(line for line in (title, *notes) if line), fontsize=11)
    marks = {0: "– undefined", 1: "no whisker: one subject"}
    used = {cell.n for cell in shown}
    axes.set_xlabel("; ".join(mark for n, mark in marks.items() if n in used), fontsize=9)
    _add_legend(figure, arms)
    figure.savefig(out_png, dpi=150, format="png")


def _draw_bar(axes: "Axes", at: float, cell: Cell, metric: int, arm: int) -> None:
    color = _COLORS[metric]
    if cell.mean is None:
        axes.text(at, 0.01, "–", ha="center", va="bottom", fontsize=13, color=color)
        return
    axes.bar(at, cell.mean, 0.92, color=color, hatch=hatch_of(arm), edgecolor="white", zorder=2)
    if cell.sd is not None:
        axes.errorbar(at, cell.mean, cell.sd, ecolor="black", elinewidth=1.2, capsize=2)


def _add_legend(figure: "Figure", arms: Sequence[str]) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415

    handles = [
        Patch(facecolor=color, label=one.title)
        for one, color in zip(PAPER_BARS, _COLORS, strict=True)
    ]
    handles += [
        Patch(facecolor="0.6", hatch=hatch_of(place), edgecolor="white", label=arm)
        for place, arm in enumerate(arms)
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=int(figure.get_figwidth() / 1.7),
        frameon=False,
    )
