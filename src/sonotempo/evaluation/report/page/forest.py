"""The first figure of a report: what remembering does, per arm, structure and measure."""

from collections.abc import Sequence

from matplotlib.transforms import blended_transform_factory

from sonotempo.evaluation.comparison.answer import answering
from sonotempo.evaluation.comparison.record import Comparison, Difference, Pair
from sonotempo.evaluation.comparison.rounding import interval, number
from sonotempo.evaluation.report.bars import by_scale
from sonotempo.evaluation.report.page.drawing import (
    BAND,
    FAINT,
    INK,
    PAPER,
    Panel,
    drawn,
    named,
    subplot,
)
from sonotempo.measures import Measure, measure

_ROW_IN = 0.24
_HEAD_IN = 0.3
_FRAME_IN = 0.65


def forest_panels(comparison: Comparison) -> list[Panel]:
    """Draw a panel for every scale of the primary measures; all pairs share its axis.

    A row is one arm against its control in one structure and measure: the estimate with its 95 %
    interval. Inside the band a difference is taken not to matter. A triangle shows the smallest
    difference that would have been shown, where none was.
    """
    pairs = answering(comparison.pairs)
    panels = []
    for place, scale in enumerate(by_scale(comparison.settings.primary_metrics)):
        names = [one.name for one in scale if one.name in comparison.settings.primary_metrics]
        rows = [
            (pair, [one for one in pair.differences if one.primary and one.metric in names])
            for pair in pairs
        ]
        if any(of_pair for _, of_pair in rows):
            shown = [one for one in scale if one.name in names]
            panels.append(_forest(comparison, rows, shown, f"forest-{place}"))
    return panels


def _forest(
    comparison: Comparison,
    rows: Sequence[tuple[Pair, list[Difference]]],
    scale: Sequence[Measure],
    name: str,
) -> Panel:
    count = sum(len(of_pair) for _, of_pair in rows)
    figure, axes = subplot(3.7, _FRAME_IN + _ROW_IN * count + _HEAD_IN * len(rows))
    margin = max(comparison.settings.measure(one.name).margin or 0 for one in scale)
    axes.axvspan(-margin, margin, color=BAND, linewidth=0, zorder=0)
    axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
    at, said, ticks, labels = 0.0, [], [], []
    side = blended_transform_factory(axes.transAxes, axes.transData)
    for pair, of_pair in rows:
        at += _HEAD_IN / _ROW_IN
        axes.text(
            1,
            at - 0.75,
            f"{pair.arm} − {pair.baseline}",
            transform=side,
            ha="right",
            weight="bold",
            fontsize=8,
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5},
        )
        for one in of_pair:
            of = comparison.settings.measure(one.metric)
            ticks.append(at)
            labels.append(f"{one.structure}, {of.title}")
            bounds = interval(one.ci_low, one.ci_high, of.decimals)
            said.append(
                f"{pair.arm} minus {pair.baseline}, {one.structure}, "
                f"{named(of, one.estimate, signed=True)}, interval {bounds}, {one.verdict}"
            )
            if one.estimate is not None:
                if one.ci_low is not None and one.ci_high is not None:
                    axes.plot([one.ci_low, one.ci_high], [at, at], color=INK, linewidth=1.6)
                filled = INK if one.verdict in ("better", "worse") else "none"
                axes.plot(
                    one.estimate, at, "D", markersize=5, color=INK, markerfacecolor=filled, zorder=3
                )
                if one.verdict == "not shown" and one.detectable is not None:
                    towards = one.detectable if one.estimate >= 0 else -one.detectable
                    axes.plot(towards, at, "^", markersize=5, color=FAINT, zorder=2)
                    said[-1] += f", {number(one.detectable, of.decimals)} would have been shown"
            at += 1
    axes.set_yticks(ticks, labels)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(at - 0.4, -0.2)
    unit = measure(scale[0].name).unit
    titles = ", ".join(one.title for one in scale)
    axes.set_xlabel(f"difference in {titles}" + (f", {unit}" if unit else ""), fontsize=8)
    axes.margins(x=0.08)
    limit = max(abs(edge) for edge in axes.get_xlim())
    axes.set_xlim(-limit, limit)
    return Panel(drawn(figure, name), "; ".join(said))
