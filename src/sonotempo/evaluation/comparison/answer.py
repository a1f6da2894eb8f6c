"""The one sentence that answers what a comparison was made for: does memory help here?"""

from collections.abc import Sequence

from sonotempo.evaluation.comparison.record import Difference, Pair, Settings
from sonotempo.evaluation.comparison.rounding import (
    counted,
    interval,
    listed,
    margins,
    number,
    with_unit,
)

#: The kinds of pairs that the answer is about, and that the first figure shows.
ANSWERING = ("memory effect", "carrying along motion")


def answering(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """Return the pairs that tell what remembering does: one per arm, memories first."""
    found: dict[str, Pair] = {}
    for kind in ANSWERING:
        for pair in pairs:
            if pair.kind == kind:
                found.setdefault(pair.arm, pair)
    return tuple(found.values())


def answer(pairs: Sequence[Pair], settings: Settings, *, subjects: int, simulated: bool) -> str:
    """Answer in one sentence whether memory helps, with the largest difference.

    Args:
        pairs: all pairs of the comparison, with their differences.
        settings: the primary measures.
        subjects: how many.
        simulated: whether they are.
    """
    kind = "simulated subject" if simulated else "subject"
    where = f"On {counted(subjects, kind)}"
    shown = answering(pairs)
    if not shown:
        return (
            f"{where}, these arms cannot tell whether memory helps: that takes sequence (or "
            "sequence_aligned) with frame_continued, or frame_flow with frame."
        )
    strongest = max(shown, key=lambda pair: _strength(pair, settings))  # the first of equals
    more = f"; {counted(len(shown) - 1, 'further arm')} below" if len(shown) > 1 else ""
    verdicts = {one.verdict for pair in shown for one in pair.differences if one.primary}
    if "better" in verdicts and "worse" in verdicts:
        head = "memory helps in one place and hurts in another"
    elif "better" in verdicts:
        head = "memory helps"
    elif "worse" in verdicts:
        head = "memory hurts"
    elif verdicts <= {"equivalent", "not judged"} and "equivalent" in verdicts:
        head = f"memory makes no difference (within {margins(settings.primary)})"
    else:
        head = "no effect of memory was shown"
    return f"{where}, {head}: {_clause(strongest, settings)}{more}."


def _strength(pair: Pair, settings: Settings) -> float:
    """Return the largest difference that was shown, in margins; 0 if none was."""
    shown = [one for one in pair.differences if one.primary and one.verdict in ("better", "worse")]
    return max((abs(one.estimate or 0) / _margin(one, settings) for one in shown), default=0.0)


def _clause(pair: Pair, settings: Settings) -> str:
    """Say what one pair shows, in a few words."""
    judged = [one for one in pair.differences if one.primary]
    better = [one for one in judged if one.verdict == "better"]
    worse = [one for one in judged if one.verdict == "worse"]
    name = f"{pair.arm} against {pair.baseline}"
    parts = [
        f"{word} in {len(found)} of {len(judged)} tests, most in {_worded(found, settings)}"
        for word, found in (("better", better), ("worse", worse))
        if found
    ]
    if parts:
        return f"{name} is {listed(parts)}"
    open_ones = [one for one in judged if one.verdict == "not shown"]
    if not open_ones:
        equal = any(one.verdict == "equivalent" for one in judged)
        return f"{name} is {'equivalent' if equal else 'not judged'}"
    known = [one for one in open_ones if one.detectable is not None]
    if not known:
        return f"{name}: no difference shown"
    least = max(known, key=lambda one: (one.detectable or 0) / _margin(one, settings))
    measure = settings.measure(least.metric)
    enough = with_unit(number(least.detectable, measure.decimals), measure)
    return (
        f"{name}: no difference shown ({enough} or more in {measure.title} of {least.structure} "
        "would have been)"
    )


def _worded(found: Sequence[Difference], settings: Settings) -> str:
    """Write the difference that is the most margins away from 0."""
    one = max(found, key=lambda one: abs(one.estimate or 0) / _margin(one, settings))
    measure = settings.measure(one.metric)
    size = with_unit(number(one.estimate, measure.decimals, signed=True), measure)
    bounds = interval(one.ci_low, one.ci_high, measure.decimals)
    return f"{measure.title} of {one.structure} ({size} {bounds})"


def _margin(one: Difference, settings: Settings) -> float:
    return settings.measure(one.metric).margin or 1.0
