"""Tables beyond scores: shares of the available gain, arms under stress, calibration."""

from collections.abc import Sequence

from sonotempo.evaluation.comparison.record import Comparison, StressCell
from sonotempo.evaluation.comparison.rounding import interval, number, rounded
from sonotempo.evaluation.report.text_table import TextTable
from sonotempo.measures import measure

_PHASES = {
    "inside": "inside disturbed frames",
    "after": "after a disturbance",
    "sound": "sound frames",
}


def gains_table(comparison: Comparison) -> TextTable | None:
    """Return what there was to win by remembering and who won how much; None without oracles."""
    if not comparison.gain_shares:
        return None
    rows = []
    for one in comparison.gain_shares:
        of = measure(one.metric)
        available = (
            f"{number(one.available, of.decimals, signed=True)} "
            f"{interval(one.available_low, one.available_high, of.decimals)}"
        )
        won = "–" if one.share is None else f"{one.share:.0%} [{_share(one.ci_low, one.ci_high)}]"
        rows.append((one.structure, f"{one.arm} − {one.baseline}", of.title, available, won))
    return TextTable(
        title="Share of the available gain",
        caption="Available: the oracle with memory minus the oracle without, in simulated data "
        "whose truth is known. Won: an arm's difference from its control as a share of it, with "
        "its 95 % interval over subjects; – where there is nothing to win.",
        columns=("Structure", "Arm − control", "Measure", "Available", "Won"),
        rows=tuple(rows),
    )


def stress_table(comparison: Comparison) -> TextTable | None:
    """Return how arms fare on disturbed recordings; None if they were not scored on any."""
    if not comparison.stress:
        return None
    return TextTable(
        title="Under stress",
        caption="The same disturbances for every arm, all structures together. Misses: frames with "
        "the structure in which it is not found. Dice counts misses as 0. Invented: false regions "
        "per 100 frames. Back: frames after a disturbance until the arm's Dice is at its own level "
        "again, and how often within 3. Brackets: 95 % intervals over subjects.",
        columns=("Frames", "Arm", "Kind", "Misses", "Dice", "Invented", "Back", "≤ 3 frames"),
        rows=tuple(_stress_row(one) for one in _in_order(comparison.stress)),
    )


def stress_differences_table(comparison: Comparison) -> TextTable | None:
    """Return by what share arms miss less than their controls inside disturbances."""
    if not comparison.stress_differences:
        return None
    return TextTable(
        title="Fewer misses inside disturbed frames",
        caption="By what share of its control's misses an arm misses less; below 0 it misses more. "
        "Brackets: 95 % intervals over subjects.",
        columns=("Disturbance", "Arm − control", "Fewer misses"),
        rows=tuple(
            (
                one.kind.replace("_", " "),
                f"{one.arm} − {one.baseline}",
                "–"
                if one.fewer_misses is None
                else f"{one.fewer_misses:+.0%} [{_share(one.ci_low, one.ci_high)}]",
            )
            for one in sorted(comparison.stress_differences, key=lambda one: one.kind != "all")
        ),
    )


def calibration_table(comparison: Comparison) -> TextTable | None:
    """Return whether arms are right as often as their probabilities say."""
    if not comparison.calibration:
        return None
    return TextTable(
        title="Calibration",
        caption="Of the pixels that an arm predicts: the mean probability, and the share that is "
        "right. ECE, the expected calibration error, is the mean gap between the two over bins of "
        "probability; lower is better. Probabilities are the network's own, without temperatures. "
        "Brackets: 95 % intervals over subjects.",
        columns=("Structure", "Arm", "Probability", "Right", "ECE"),
        rows=tuple(
            (
                one.structure,
                one.arm,
                number(one.confidence),
                number(one.right),
                "–"
                if one.error is None
                else f"{number(one.error)} {interval(one.error_low, one.error_high)}",
            )
            for one in comparison.calibration
        ),
    )


def _stress_row(one: StressCell) -> tuple[str, ...]:
    per_100 = None if one.invented is None else rounded(100 * one.invented, 1)
    return (
        _PHASES[one.phase],
        one.arm,
        one.kind.replace("_", " "),
        "–"
        if one.misses is None
        else f"{one.misses:.1%} [{_share(one.misses_low, one.misses_high, 1)}]",
        "–" if one.dice is None else f"{number(one.dice)} {interval(one.dice_low, one.dice_high)}",
        number(per_100, 1),
        number(one.frames_until_back, 1),
        "–" if one.back_within_3 is None else f"{one.back_within_3:.0%}",
    )


def _in_order(cells: Sequence[StressCell]) -> list[StressCell]:
    """Sort by phase, then kind with ``all`` first, arms as they came."""
    phases = list(_PHASES)
    kinds = sorted({one.kind for one in cells}, key=lambda kind: (kind != "all", kind))
    return sorted(cells, key=lambda one: (phases.index(one.phase), kinds.index(one.kind)))


def _share(low: float | None, high: float | None, decimals: int = 0) -> str:
    if low is None or high is None:
        return "–"
    return f"{low:.{decimals}%}, {high:.{decimals}%}"
