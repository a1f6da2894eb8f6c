"""Draws a comparison's figures as SVG panels that take the page's colours and font.

A panel is as wide as a phone; the page sets them side by side where there is room. Source of the
bars: Smistad et al. 2021, Figs. 1–2.
"""

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sonotempo.evaluation.comparison.record import (
    Comparison,
    Difference,
    Latency,
    Pair,
    StateAge,
)
from sonotempo.evaluation.comparison.rounding import interval, number, with_unit
from sonotempo.evaluation.report.looks import COLORS, hatch_of, line_of
from sonotempo.measures import PAPER_BARS, Measure

# Stand-ins that the page replaces by its own colours, which follow the light or dark scheme.
_INK, _FAINT, _BAND, _PAPER = "#010201", "#010202", "#010203", "#010204"
_ARMS = tuple(f"#0103{place:02x}" for place in range(COLORS))
_VARIABLES = {_INK: "--ink", _FAINT: "--line", _BAND: "--band", _PAPER: "--paper"} | {
    color: f"--arm-{place}" for place, color in enumerate(_ARMS)
}

_RC: dict[str, Any] = {
    "svg.hashsalt": "sonotempo",  # the same figure is the same text
    "svg.fonttype": "none",  # text stays text: it can be searched, and takes the page's font
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": _INK,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "grid.color": _FAINT,
    "grid.linewidth": 0.4,
    "hatch.linewidth": 0.7,
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure: its SVG element, and what it shows in words."""

    svg: str
    text: str


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a page.

    Attributes:
        keys: for each arm, how its bars and lines look.
        bars: a panel a structure.
        differences: for each pair, a panel a structure.
        state_age: a panel a structure that was scored over time.
        latency: None where no latency was measured.
    """

    keys: list[str]
    bars: list[Panel]
    differences: list[list[Panel]]
    state_age: list[Panel]
    latency: Panel | None


def draw_figures(comparison: Comparison) -> Figures:
    """Draw every figure of a comparison; the same comparison gives the same text."""
    with mpl.rc_context(_RC):  # type: ignore[arg-type]
        return Figures(
            keys=[_key(place) for place in range(len(comparison.arms))],
            bars=_bar_panels(comparison),
            differences=[_difference_panels(comparison, pair) for pair in comparison.pairs],
            state_age=_state_age_panels(comparison),
            latency=_latency_panel(comparison),
        )


def _bar_panels(comparison: Comparison) -> list[Panel]:
    """Draw a panel for every structure: the paper's measures, the arms beside each other.

    Primary measures are drawn too; those on another scale have panels of their own. Bars are means
    over subjects, whiskers ± one SD over subjects. A dash stands for an undefined mean. The
    human–human Dice is a dotted line across the Dice bars, where the literature has one.
    """
    known = comparison.settings.measures
    wanted = [one for one in PAPER_BARS if one.name in {each.name for each in known}]
    wanted += [one for one in comparison.settings.primary if not one.in_paper]
    return [
        _bars(comparison, structure, measures, f"bars-{place}-{number_of}")
        for place, structure in enumerate(comparison.structures)
        for number_of, measures in enumerate(_by_scale(wanted))
    ]


def _by_scale(measures: Iterable[Measure]) -> list[list[Measure]]:
    """Group measures that can share an axis: of one unit and one range."""
    groups: dict[object, list[Measure]] = {}
    for one in measures:
        groups.setdefault((one.unit, one.lowest, one.highest), []).append(one)
    return list(groups.values())


def _bars(comparison: Comparison, structure: str, measures: Sequence[Measure], name: str) -> Panel:
    arms = [arm.name for arm in comparison.arms]
    lowest, highest = measures[0].lowest, measures[0].highest
    figure, axes = _subplot(3.7, 2.5)
    width = 0.84 / len(arms)
    said = []
    for place, arm in enumerate(arms):
        for group, one in enumerate(measures):
            cell = comparison.cell(structure, arm, one.name)
            said.append(f"{arm} {_named(one, cell.mean)}")
            x = group - 0.42 + width * (place + 0.5)
            if cell.mean is None:
                axes.text(x, 0.01, "–", ha="center", va="bottom")
                continue
            axes.bar(
                x,
                cell.mean,
                width * 0.94,
                color=_ARMS[line_of(place).color],
                hatch=hatch_of(place),
                edgecolor=_PAPER,
                linewidth=0,
                zorder=2,
            )
            if cell.sd is not None:
                # An SD does not know where the range of a measure ends: the whisker is cut.
                below = cell.sd if lowest is None else min(cell.sd, cell.mean - lowest)
                above = cell.sd if highest is None else min(cell.sd, highest - cell.mean)
                room = [[below], [above]]
                axes.errorbar(x, cell.mean, room, ecolor=_INK, elinewidth=1, capsize=2, zorder=3)
    text = f"{structure}: {'; '.join(said)}"
    titles = [one.title for one in measures]
    if highest is not None and lowest is not None:
        axes.set_ylim(lowest, highest + 0.15 * (highest - lowest))
        axes.set_yticks(np.linspace(lowest, highest, 6))
    for human in comparison.human:
        if human.structure == structure and "Dice" in titles:
            at = titles.index("Dice")
            line = [at - 0.48, at + 0.48]
            axes.plot(line, [human.dice] * 2, color=_INK, linestyle=":", linewidth=1.6)
            # Above all bars, where nothing can hide it.
            words = f"····  human–human {human.dice:.2f}*"
            axes.text(line[1], 1.05, words, ha="right", va="bottom", fontsize=8)
            text += f"; human–human Dice of {human.tissue} in the literature {human.dice:.2f}"
    axes.set_xticks(range(len(measures)), [one.heading for one in measures])
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.55, len(measures) - 0.45)
    axes.set_ylabel(measures[0].unit)
    axes.grid(axis="y", zorder=0)
    axes.set_title(structure)
    return Panel(_svg(figure, name), text)


def _named(measure: Measure, value: float | None, *, signed: bool = False) -> str:
    """Write a value with its measure's title and unit."""
    return f"{measure.title} {with_unit(number(value, measure.decimals, signed=signed), measure)}"


def _difference_panels(comparison: Comparison, pair: Pair) -> list[Panel]:
    """Draw a panel for every structure: every subject's difference in the primary measures.

    Dots are subjects, the diamond is the estimate with its 95 % interval, the band is the
    equivalence margin. Measures on another scale have panels of their own; all panels of a pair and
    scale share their axis.
    """
    panels = []
    scales = _by_scale(comparison.settings.primary)
    for place, structure in enumerate(comparison.structures):
        for number_of, measures in enumerate(scales):
            names = [one.name for one in measures]
            of_scale = [one for one in pair.differences if one.primary and one.metric in names]
            shown = [one for one in of_scale if one.structure == structure]
            if shown:
                name = f"differences-{comparison.pairs.index(pair)}-{place}-{number_of}"
                limit = _limit(of_scale, measures)
                panels.append(_differences(comparison, pair, shown, limit, name))
    return panels


def _limit(differences: Sequence[Difference], measures: Sequence[Measure]) -> float:
    """Return how far an axis must reach to show all differences, and the margins in proportion."""
    values = [5 * (one.margin or 0) for one in measures]
    for one in differences:
        values += [abs(v) for v in (one.ci_low, one.ci_high, one.estimate) if v is not None]
        values += [abs(s.difference) for s in one.subjects if s.difference is not None]
    return 1.08 * max(values)


def _differences(
    comparison: Comparison, pair: Pair, shown: Sequence[Difference], limit: float, name: str
) -> Panel:
    figure, axes = _subplot(3.7, 2.8)
    axes.axhline(0, color=_INK, linewidth=0.8, zorder=1)
    labels, said = [], []
    for at, one in enumerate(shown):
        measure = comparison.settings.measure(one.metric)
        margin = measure.margin or 0
        axes.fill_between([at - 0.5, at + 0.5], -margin, margin, color=_BAND, linewidth=0, zorder=0)
        bounds = interval(one.ci_low, one.ci_high, measure.decimals)
        named = _named(measure, one.estimate, signed=True)
        labels.append(f"{named}\n{bounds}")
        said.append(f"{named}, interval {bounds}, {one.n} subjects")
        subjects = sorted(s.difference for s in one.subjects if s.difference is not None)
        # Spread by rank, so that equal differences do not hide each other.
        spread = np.linspace(-0.36, 0.12, len(subjects)) if len(subjects) > 1 else [-0.12]
        axes.plot(
            at + np.asarray(spread[: len(subjects)]),
            subjects,
            "o",
            markersize=3.6 if len(subjects) <= 40 else 2.4,
            color=_ARMS[0],
            markeredgewidth=0,
            alpha=0.75,
            zorder=2,
        )
        if one.estimate is None:
            axes.text(at + 0.27, 0, "–", ha="center", va="bottom")
            continue
        if one.ci_low is not None and one.ci_high is not None:
            axes.plot([at + 0.27] * 2, [one.ci_low, one.ci_high], color=_INK, linewidth=1.8)
        axes.plot(at + 0.27, one.estimate, "D", color=_INK, markersize=5, zorder=3)
    axes.set_xticks(range(len(shown)), labels)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.55, len(shown) - 0.45)
    axes.set_ylim(-limit, limit)
    axes.set_title(shown[0].structure)
    unit = comparison.settings.measure(shown[0].metric).unit
    label = f"{pair.arm} − {pair.baseline}" + (f", {unit}" if unit else "")
    axes.set_ylabel(label, fontsize=8)
    text = f"{shown[0].structure}, {pair.arm} minus {pair.baseline}: {'; '.join(said)}"
    return Panel(_svg(figure, name), text)


def _state_age_panels(comparison: Comparison) -> list[Panel]:
    """Draw one panel a structure: Dice against the frames since the state was reset."""
    panels = []
    for place, structure in enumerate(comparison.structures):
        points = [one for one in comparison.state_age if one.structure == structure]
        if any(one.dice is not None for one in points):
            panels.append(_state_age(comparison, points, f"age-{place}"))
    return panels


def _state_age(comparison: Comparison, points: Sequence[StateAge], name: str) -> Panel:
    figure, axes = _subplot(3.7, 2.5)
    ages = sorted({(one.first, one.last) for one in points})
    lines = []
    for place, arm in enumerate(comparison.arms):
        of_arm = {(one.first, one.last): one.dice for one in points if one.arm == arm.name}
        if not of_arm:
            continue
        dice = [of_arm.get(age) for age in ages]
        axes.plot(
            range(len(ages)),
            np.array(dice, float),  # None is NaN: a gap in the line
            **_line(place),
            markersize=3.5,
            linewidth=1.4,
        )
        lines.append(f"{arm.name} {', '.join(map(number, dice))}")
    labels = [str(first) if first == last else f"{first}–{last}" for first, last in ages]
    # With many ages the ticks would run into each other.
    every = -(-len(ages) // 6)
    axes.set_xticks(range(0, len(ages), every), labels[::every])
    axes.set_ylim(*_dice_limits([one.dice for one in points if one.dice is not None]))
    axes.grid(axis="y", zorder=0)
    axes.set_xlabel("frames since the reset")
    axes.set_ylabel("Dice")
    axes.set_title(points[0].structure)
    text = f"{points[0].structure}, Dice by frames since the reset: {'; '.join(lines)}"
    return Panel(_svg(figure, name), text)


def _latency_panel(comparison: Comparison) -> Panel | None:
    """Draw what share of frames was done within a time, or return None where none is measured."""
    if not comparison.latencies:
        return None
    arms = [arm.name for arm in comparison.arms]
    figure, axes = _subplot(5.2, 2.8)
    words = []
    for measured in comparison.latencies:
        # A latency of all arms together is none of theirs.
        place = arms.index(measured.arm) if measured.arm in arms else None
        look = {"color": _INK} if place is None else _line(place) | {"markevery": 0.25}
        axes.ecdf(np.array(measured.samples_ms), linewidth=1.6, markersize=3.5, **look)
        words.append(f"{measured.arm}: {latency_words(measured)}")
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.02)
    axes.grid(zorder=0)
    axes.set_xlabel("latency in ms")
    axes.set_ylabel("share of frames")
    return Panel(_svg(figure, "latency"), f"Share of frames by latency. {'; '.join(words)}")


def latency_words(measured: Latency) -> str:
    """Say a latency's median and 95th percentile, or the one number that was stated.

    >>> latency_words(Latency("frame", "measured on this machine", (1.0, 2.0, 3.0)))
    'median 2.0 ms, 95 % within 2.9 ms, of 3 values'
    >>> latency_words(Latency("frame", "stated", (40.0,)))
    '40.0 ms'
    """
    if len(measured.samples_ms) == 1:
        return f"{measured.samples_ms[0]:.1f} ms"
    median, late = np.percentile(measured.samples_ms, [50, 95])
    return (
        f"median {median:.1f} ms, 95 % within {late:.1f} ms, of {len(measured.samples_ms)} values"
    )


def _key(place: int) -> str:
    """Draw an arm's key: a bar and a line as they look in the figures."""
    figure = Figure((0.62, 0.2))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, 3.1), ylim=(0, 1))
    line = _line(place)
    axes.bar(0.5, 1, 1, color=line["color"], hatch=hatch_of(place), edgecolor=_PAPER, linewidth=0)
    axes.plot([1.3, 2.2, 3.1], [0.5] * 3, **line, markevery=[1], markersize=3.5, linewidth=1.6)
    return _svg(figure, f"key-{place}")


def _subplot(width_in: float, height_in: float) -> tuple[Figure, Axes]:
    """Make a figure without a window system and without global state."""
    figure = Figure((width_in, height_in), layout="constrained")
    return figure, figure.add_subplot()


def _svg(figure: Figure, name: str) -> str:
    """Write a figure as an SVG element, with ids of its own and the page's colours and font."""
    data = io.StringIO()
    figure.savefig(data, format="svg", transparent=True, metadata={"Date": None})
    svg = data.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    # Ids are needed where something refers to them, and must differ from other figures'.
    used = set(re.findall(r"#([\w.-]+)", svg))
    svg = re.sub(r' id="([^"]+)"', lambda id_: id_[0] if id_[1] in used else "", svg)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 var(--font)", svg)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


def _line(place: int) -> dict[str, Any]:
    """Return how an arm's lines look, as matplotlib's arguments."""
    look = line_of(place)
    return {"color": _ARMS[look.color], "linestyle": look.style, "marker": look.marker}


def _dice_limits(values: Sequence[float]) -> tuple[float, float]:
    """Leave a little room around curves, within 0 and 1.

    A difference of a few hundredths is the subject of this figure, so its axis need not start at 0.
    """
    low, high = min(values), max(values)
    room = max(0.05, 0.15 * (high - low))
    return max(0.0, low - room), min(1.0, high + room)
