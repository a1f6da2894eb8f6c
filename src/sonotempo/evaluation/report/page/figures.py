"""Draws a comparison's figures as SVG panels that take the page's colours and font.

A panel is as wide as a phone; the page sets them side by side where there is room. Source of the
bars: Smistad et al. 2021, Figs. 1–2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from sonotempo.evaluation.comparison.record import (
    Comparison,
    Difference,
    Latency,
    Pair,
    Settings,
    StateAge,
)
from sonotempo.evaluation.comparison.rounding import interval, number
from sonotempo.evaluation.report.bars import by_scale, draw_scale
from sonotempo.evaluation.report.looks import hatch_of
from sonotempo.evaluation.report.page.drawing import (
    ARMS,
    BAND,
    INK,
    PAPER,
    RC,
    Panel,
    drawn,
    line,
    named,
    subplot,
)
from sonotempo.evaluation.report.page.forest import forest_panels
from sonotempo.measures import Measure, measure


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a page.

    Attributes:
        forest: what remembering does: the page's first figure.
        keys: for each arm, how its bars and lines look.
        bars: a panel a structure.
        differences: for each pair, a panel a structure.
        state_age: a panel a structure that was scored over time.
        latency: None where no latency was measured.
    """

    forest: list[Panel]
    keys: list[str]
    bars: list[Panel]
    differences: list[list[Panel]]
    state_age: list[Panel]
    latency: Panel | None


def draw_figures(comparison: Comparison) -> Figures:
    """Draw every figure of a comparison; the same comparison gives the same text."""
    with mpl.rc_context(RC):  # type: ignore[arg-type]
        return Figures(
            forest=forest_panels(comparison),
            keys=[_key(place) for place in range(len(comparison.arms))],
            bars=_bar_panels(comparison),
            differences=[_difference_panels(comparison, pair) for pair in comparison.pairs],
            state_age=_state_age_panels(comparison),
            latency=_latency_panel(comparison),
        )


def _bar_panels(comparison: Comparison) -> list[Panel]:
    """Draw a panel for every structure, and for every scale of the measures.

    The human–human Dice is a dotted line across the Dice bars, where it is known.
    """
    scales = by_scale(comparison.settings.primary_metrics)
    return [
        _bars(comparison, structure, measures, f"bars-{place}-{number_of}")
        for place, structure in enumerate(comparison.structures)
        for number_of, measures in enumerate(scales)
    ]


def _bars(comparison: Comparison, structure: str, measures: Sequence[Measure], name: str) -> Panel:
    figure, axes = subplot(3.7, 2.5)
    titles = {one.name: one.title for one in measures}
    cells = [one for one in comparison.cells if one.structure == structure]
    draw_scale(axes, cells, measures, ARMS, ink=INK, paper=PAPER)
    text = f"{structure}: " + "; ".join(
        f"{one.arm} {named(measure(one.metric), one.mean)}" for one in cells if one.metric in titles
    )
    for human in comparison.human:
        if human.structure == structure and "dice" in titles:
            at = list(titles).index("dice")
            line = [at - 0.48, at + 0.48]
            axes.plot(line, [human.dice] * 2, color=INK, linestyle=":", linewidth=1.6)
            # Above all bars, where nothing can hide it.
            words = f"····  human–human {human.dice:.2f}*"
            axes.text(line[1], 1.05, words, ha="right", va="bottom", fontsize=8)
            origin = "of these readers" if human.measured else "in the literature"
            text += f"; human–human Dice of {human.tissue} {origin} {human.dice:.2f}"
    axes.set_title(structure)
    return Panel(drawn(figure, name), text)


def _difference_panels(comparison: Comparison, pair: Pair) -> list[Panel]:
    """Draw a panel for every structure: every subject's difference in the primary measures.

    Dots are subjects, the diamond is the estimate with its 95 % interval, the band is the
    equivalence margin. Measures on another scale have their own panels; all panels of a pair and
    scale share their axis.
    """
    panels = []
    for place, structure in enumerate(comparison.structures):
        for number_of, scale in enumerate(by_scale(comparison.settings.primary_metrics)):
            names = [one.name for one in scale]
            of_scale = [one for one in pair.differences if one.primary and one.metric in names]
            shown = [one for one in of_scale if one.structure == structure]
            if shown:
                name = f"differences-{comparison.pairs.index(pair)}-{place}-{number_of}"
                limit = _limit(of_scale, comparison.settings)
                panels.append(_differences(comparison, pair, shown, limit, name))
    return panels


def _limit(differences: Sequence[Difference], settings: Settings) -> float:
    """Return how far an axis must reach to show all differences, and the margins in proportion."""
    values = []
    for one in differences:
        values.append(5 * (settings.measure(one.metric).margin or 0))
        values += [abs(v) for v in (one.ci_low, one.ci_high, one.estimate) if v is not None]
        values += [abs(s.difference) for s in one.subjects if s.difference is not None]
    return 1.08 * max(values)


def _differences(
    comparison: Comparison, pair: Pair, shown: Sequence[Difference], limit: float, name: str
) -> Panel:
    figure, axes = subplot(3.7, 2.8)
    axes.axhline(0, color=INK, linewidth=0.8, zorder=1)
    labels, said = [], []
    for at, one in enumerate(shown):
        of = comparison.settings.measure(one.metric)
        margin = of.margin or 0
        axes.fill_between([at - 0.5, at + 0.5], -margin, margin, color=BAND, linewidth=0, zorder=0)
        bounds = interval(one.ci_low, one.ci_high, of.decimals)
        value = named(of, one.estimate, signed=True)
        labels.append(f"{value}\n{bounds}")
        said.append(f"{value}, interval {bounds}, {one.n} subjects")
        subjects = sorted(s.difference for s in one.subjects if s.difference is not None)
        # Spread by rank, so that equal differences do not hide each other.
        spread = np.linspace(-0.36, 0.12, len(subjects)) if len(subjects) > 1 else [-0.12]
        axes.plot(
            at + np.asarray(spread[: len(subjects)]),
            subjects,
            "o",
            markersize=3.6 if len(subjects) <= 40 else 2.4,
            color=ARMS[0],
            markeredgewidth=0,
            alpha=0.75,
            zorder=2,
        )
        if one.estimate is None:
            axes.text(at + 0.27, 0, "–", ha="center", va="bottom")
            continue
        if one.ci_low is not None and one.ci_high is not None:
            axes.plot([at + 0.27] * 2, [one.ci_low, one.ci_high], color=INK, linewidth=1.8)
        axes.plot(at + 0.27, one.estimate, "D", color=INK, markersize=5, zorder=3)
    axes.set_xticks(range(len(shown)), labels)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.55, len(shown) - 0.45)
    axes.set_ylim(-limit, limit)
    axes.set_title(shown[0].structure)
    unit = measure(shown[0].metric).unit
    label = f"{pair.arm} − {pair.baseline}" + (f", {unit}" if unit else "")
    axes.set_ylabel(label, fontsize=8)
    text = f"{shown[0].structure}, {pair.arm} minus {pair.baseline}: {'; '.join(said)}"
    return Panel(drawn(figure, name), text)


def _state_age_panels(comparison: Comparison) -> list[Panel]:
    """Draw one panel a structure: Dice against the frames since the state was reset."""
    panels = []
    for place, structure in enumerate(comparison.structures):
        points = [one for one in comparison.state_age if one.structure == structure]
        if any(one.dice is not None for one in points):
            panels.append(_state_age(comparison, points, f"age-{place}"))
    return panels


def _state_age(comparison: Comparison, points: Sequence[StateAge], name: str) -> Panel:
    figure, axes = subplot(3.7, 2.5)
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
            **line(place),
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
    return Panel(drawn(figure, name), text)


def _latency_panel(comparison: Comparison) -> Panel | None:
    """Draw the share of frames done within a time; None where no latency was measured."""
    if not comparison.latencies:
        return None
    arms = [arm.name for arm in comparison.arms]
    figure, axes = subplot(5.2, 2.8)
    words = []
    for measured in comparison.latencies:
        # A latency of all arms together is none of theirs.
        place = arms.index(measured.arm) if measured.arm in arms else None
        look = {"color": INK} if place is None else line(place) | {"markevery": 0.25}
        axes.ecdf(np.array(measured.samples_ms), linewidth=1.6, markersize=3.5, **look)
        words.append(f"{measured.arm}: {latency_words(measured)}")
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.02)
    axes.grid(zorder=0)
    axes.set_xlabel("latency in ms")
    axes.set_ylabel("share of frames")
    return Panel(drawn(figure, "latency"), f"Share of frames by latency. {'; '.join(words)}")


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
    look = line(place)
    axes.bar(0.5, 1, 1, color=look["color"], hatch=hatch_of(place), edgecolor=PAPER, linewidth=0)
    axes.plot([1.3, 2.2, 3.1], [0.5] * 3, **look, markevery=[1], markersize=3.5, linewidth=1.6)
    return drawn(figure, f"key-{place}")


def _dice_limits(values: Sequence[float]) -> tuple[float, float]:
    """Leave a little room around curves, within 0 and 1.

    A difference of a few hundredths is the subject of this figure, so its axis need not start at 0.
    """
    low, high = min(values), max(values)
    room = max(0.05, 0.15 * (high - low))
    return max(0.0, low - room), min(1.0, high + room)
