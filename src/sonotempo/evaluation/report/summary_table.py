"""What people read of a comparison: its table and its bar plot, in the form of the seed paper's.

Source: Smistad et al. 2021, section III and Figs. 1–2: precision, recall, F1 and Dice of every
structure, one table and one plot per procedure. Every rendering takes its numbers from one
:func:`sonotempo.evaluation.scoring.frames.summary`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sonotempo.errors import ConfigError, unknown_option
from sonotempo.evaluation.scoring.frames import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.table import Table

#: The metrics that tables and plots show; the CSV holds every one of them.
_TITLES = {"precision": "Precision", "recall": "Recall", "f1": "F1", "dice": "Dice"}
_POOLED_F1 = "F1 pooled"
_COLUMNS = (*_TITLES.values(), _POOLED_F1)

# Okabe & Ito 2008, colour-blind safe; in the order of the paper's bars.
_BARS = {"f1": "#0072b2", "recall": "#56b4e9", "precision": "#e69f00", "dice": "#009e73"}
_HATCHES = ("", "///", "...", "xxx", "\\\\\\", "ooo")

_DIVISORS = {"reference": "reference area", "iou": "union (IoU)"}
# What a mark means, by the pattern of the cells that hold it.
_FOOTNOTES = {
    ".*± –.*": "± – is a mean of one subject: a standard deviation needs two.",
    ".*n=.*": "(n=…) is how many subjects a mean is of; the others have no such value.",
    "–": "– is an undefined value: precision needs a predicted region, recall a reference region, "
    "F1 either of them, Dice a frame with the structure.",
}


@dataclass(frozen=True, slots=True)
class ComparisonTable:
    """The scores of the arms side by side, as text with its heading, caption and footnotes.

    Attributes:
        title: the heading.
        notes: sentences between heading and table.
        caption: what the numbers are, under which rules, of how many subjects and frames.
        footnotes: what the marks in the table mean; only of marks that it holds.
        structures: the rows.
        arms: side by side under each metric.
        cells: one row per structure, arm and metric: ``structure, arm, metric, mean, sd, n,
            pooled, subjects``; ``n`` of the ``subjects`` have a value; NaN is undefined.
        texts: what a table shows for a structure, an arm and the title of a column.
    """

    title: str
    notes: tuple[str, ...]
    caption: str
    footnotes: tuple[str, ...]
    structures: tuple[str, ...]
    arms: tuple[str, ...]
    cells: pd.DataFrame
    texts: dict[tuple[str, str, str], str]

    def markdown(self) -> str:
        """Return the table with its heading and footnotes as Markdown, ending in a line break."""
        columns = [f"{column}, {arm}" for column in _COLUMNS for arm in self.arms]
        lines = [_markdown_row(["Structure", *columns]), "| --- |" + " ---: |" * len(columns)]
        for name in self.structures:
            cells = [self.texts[name, arm, column] for column in _COLUMNS for arm in self.arms]
            lines.append(_markdown_row([name, *cells]))
        above = [f"### {self.title}", *self.notes, self.caption]
        return "\n\n".join([*above, "\n".join(lines), *self.footnotes]) + "\n"

    def csv(self) -> str:
        """Return all metrics as CSV, one row per structure, arm and metric, undefined left empty.

        Title, notes and caption are columns, so that no row loses its heading.
        """
        heading = {"title": self.title, "notes": " ".join(self.notes), "caption": self.caption}
        return self.cells.assign(**heading).to_csv(index=False, lineterminator="\n")

    def rich(self) -> "Table":
        """Return the table for a terminal: narrower, with the arms on rows of their own."""
        from rich import box  # noqa: PLC0415 (for terminals only)
        from rich.markup import escape  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415

        table = Table(
            title=escape("\n".join([self.title, *self.notes])),
            caption=escape("\n".join([self.caption, *self.footnotes])),
            caption_justify="left",
            box=box.SIMPLE,
            collapse_padding=True,
        )
        # Structure and arm share a column, and values are narrow: 80 columns are enough.
        table.add_column("Structure", overflow="fold", min_width=2 + max(map(len, self.arms)))
        for column in _COLUMNS:
            table.add_column(column, justify="right")
        for name in self.structures:
            table.add_row(escape(name), style="bold")
            for arm in self.arms:
                texts = [self.texts[name, arm, column] for column in _COLUMNS]
                cells = [t.replace(" ± ", "±").replace(" (", "\n(") for t in texts]
                table.add_row(*map(escape, [f"  {arm}", *cells]))
            table.add_section()
        return table


def comparison_table(
    summary: pd.DataFrame,
    arms: Sequence[str],
    *,
    title: str,
    notes: Sequence[str] = (),
    structures: Sequence[str] | None = None,
) -> ComparisonTable:
    """Lay the arms of a summary side by side: mean ± SD over subjects, and F1 pooled over frames.

    Args:
        summary: as :func:`sonotempo.evaluation.scoring.frames.summary` returns it.
        arms: the arms to show, in this order.
        title: the heading, such as the procedure and 'image-level folds, subjects unknown'.
        notes: further sentences above the table, such as 'stills moved into clips'.
        structures: the rows in their order; by default the summary's.

    Raises:
        ConfigError: the summary holds no such arm or structure.
    """
    names = _check(summary, arms, structures)
    cells = _cells(summary, names, arms)
    texts = {}
    for name, arm, metric, mean, sd, n, f1, subjects in cells.to_numpy().tolist():
        if metric in _TITLES:
            text = f"{_number(mean)} ± {_number(sd)}" + ("" if n == subjects else f" (n={n})")
            texts[name, arm, _TITLES[metric]] = text if n else "–"
        if metric == "f1":
            texts[name, arm, _POOLED_F1] = _number(f1)
    used = [mark for mark in _FOOTNOTES if any(re.fullmatch(mark, t) for t in texts.values())]
    footnotes = tuple(_FOOTNOTES[mark] for mark in used)
    heading = (title, tuple(notes), _caption(summary, arms), footnotes)
    return ComparisonTable(*heading, names, tuple(arms), cells, texts)


def draw_bars(
    summary: pd.DataFrame,
    structures: Sequence[str] | None,
    out_png: Path,
    *,
    arms: Sequence[str] | None = None,
    title: str = "",
    notes: Sequence[str] = (),
) -> None:
    """Draw F1, recall, precision and Dice of every structure as bars, the arms beside each other.

    Bars are means over subjects, whiskers ± one SD over subjects; a whisker that ends below 0 is
    cut by the axis. An undefined SD has no whisker, an undefined mean a dash in place of its bar.

    Args:
        summary: as :func:`sonotempo.evaluation.scoring.frames.summary` returns it.
        structures: the groups of bars in their order; None for the summary's.
        out_png: where to write; its folder exists.
        arms: the arms to draw, six at most; by default the summary's.
        title: the heading, with ``notes`` on lines under it.

    Raises:
        ConfigError: the summary holds no such arm or structure, or there are too many arms.

    Source: Smistad et al. 2021, Figs. 1–2.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 (slow, and tables need none)

    arms = list(summary["arm"].unique()) if arms is None else list(arms)
    if len(arms) > len(_HATCHES):
        raise ConfigError(
            f"{len(arms)} arms do not fit into one plot; name at most {len(_HATCHES)} of them"
        )
    names = _check(summary, arms, structures)
    cells = _cells(summary, names, arms)
    bars = [(metric, arm) for metric in _BARS for arm in arms]
    # In bars: half of one between metrics, two between structures.
    group = len(bars) + 0.5 * (len(_BARS) - 1) + 2
    centres = np.arange(len(names)) * group
    # Without pyplot: no window system and no global state.
    figure = Figure(figsize=(max(8, 1 + 0.16 * group * len(names)), 4.5), layout="constrained")
    axes = figure.add_subplot()
    for i, (metric, arm) in enumerate(bars):
        at = centres + i + 0.5 * (i // len(arms)) - (group - 3) / 2
        of_bar = cells[(cells["metric"] == metric) & (cells["arm"] == arm)]
        _draw_bar(axes, at, of_bar, metric, arms.index(arm))
    axes.set_xticks(centres, [name.replace(" ", "\n") for name in names])
    axes.set_xlim(-group / 2, centres[-1] + group / 2)
    axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_ylabel("mean ± SD over subjects")
    axes.grid(axis="y", color="0.85", linewidth=0.8, zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("\n".join(line for line in (title, *notes) if line), fontsize=11)
    sizes = set(cells.loc[cells["metric"].isin(list(_BARS)), "n"])
    marks = {0: "– undefined", 1: "no whisker: one subject"}
    axes.set_xlabel("; ".join(mark for n, mark in marks.items() if n in sizes), fontsize=9)
    _add_legend(figure, arms)
    figure.savefig(out_png, dpi=150, format="png")


def _draw_bar(
    axes: "Axes", at: NDArray[np.floating], of_bar: pd.DataFrame, metric: str, place: int
) -> None:
    """Draw one metric of one arm in every structure."""
    mean, sd = of_bar["mean"].to_numpy(float), of_bar["sd"].to_numpy(float)
    # Matplotlib leaves out NaN heights and whiskers, so undefined values need no case of their own.
    axes.bar(
        at, mean, 0.92, color=_BARS[metric], hatch=_HATCHES[place], edgecolor="white", zorder=2
    )
    axes.errorbar(at, mean, sd, fmt="none", ecolor="black", elinewidth=1.2, capsize=2)
    for x in at[np.isnan(mean)]:
        axes.text(x, 0.01, "–", ha="center", va="bottom", fontsize=13, color=_BARS[metric])


def _add_legend(figure: "Figure", arms: Sequence[str]) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415

    metrics = [Patch(facecolor=color, label=_TITLES[metric]) for metric, color in _BARS.items()]
    marks = zip(arms, _HATCHES, strict=False)
    metrics += [Patch(facecolor="0.6", hatch=h, edgecolor="white", label=arm) for arm, h in marks]
    figure.legend(handles=metrics, loc="outside lower center", ncols=8, frameon=False)


def _check(
    summary: pd.DataFrame, arms: Sequence[str], structures: Sequence[str] | None
) -> tuple[str, ...]:
    """Return the structures to show, once every arm is known to have scores of each."""
    known = {name: list(summary[name].unique()) for name in ("arm", "structure")}
    names = tuple(known["structure"] if structures is None else structures)
    if not arms or not names:
        raise ConfigError("nothing to compare; name at least one arm that has scores")
    for what, given in (("arm", arms), ("structure", names)):
        for name in given:
            if name not in known[what]:
                raise ConfigError(unknown_option(what, name, known[what]))
    scored = set(zip(summary["arm"], summary["structure"], strict=True))
    lacking = [
        f"{name} of arm {arm}" for arm in arms for name in names if (arm, name) not in scored
    ]
    if lacking:
        raise ConfigError(
            f"no scores of {', '.join(lacking)}; score all arms with the same structure set"
        )
    return names


def _cells(summary: pd.DataFrame, structures: Sequence[str], arms: Sequence[str]) -> pd.DataFrame:
    """Bring the summary into one row per structure, arm and metric, in the order given."""
    keys = ["structure", "arm", "metric"]
    parts = [
        pd.DataFrame(
            {"structure": summary["structure"], "arm": summary["arm"], "metric": metric}
            | {name: summary[f"{metric}_{name}"] for name in ("mean", "sd", "n", "pooled")}
            | {"subjects": summary["subjects"]}
        )
        for metric in METRICS
    ]
    order = pd.MultiIndex.from_product([structures, arms, METRICS], names=keys)
    return pd.concat(parts).set_index(keys).loc[order].reset_index()


def _caption(summary: pd.DataFrame, arms: Sequence[str]) -> str:
    """Say what is shown, under which rules, and of how many subjects and frames."""
    rules, largest = summary.iloc[0], summary.groupby("arm")[["subjects", "frames"]].max()
    sizes = [
        f"{_count(largest['subjects'][arm], 'subject')}, {_count(largest['frames'][arm], 'frame')}"
        for arm in arms
    ]
    if len(set(sizes)) > 1:
        sizes = ["; ".join(f"{arm}: {size}" for arm, size in zip(arms, sizes, strict=True))]
    return (
        f"Mean ± SD over subjects; {_POOLED_F1} is of the regions of all frames together. A "
        "predicted region is a true positive if intersection / "
        f"{_DIVISORS[str(rules['overlap'])]} is more than {100 * rules['overlap_threshold']:g} %, "
        "each reference region matched to at most one. Regions smaller than a circle of "
        f"{rules['ignored_radius_px']:g} px radius on a grid 256 px wide are ignored. Dice is of "
        f"the frames in which the structure is present in the reference. {sizes[0]}."
    )


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
