"""What a comparison found, in plain sentences with numbers and no more than was shown."""

from collections import Counter
from collections.abc import Sequence

from sonotempo.evaluation.comparison.record import Arm, Kind, Pair, Settings, Verdict
from sonotempo.evaluation.comparison.rounding import (
    counted,
    interval,
    listed,
    margins,
    number,
    p_number,
    with_unit,
)
from sonotempo.measures import Measure

# The pair that the second sentence is about: the first of these that there is.
_FIRST: tuple[Kind, ...] = (
    "memory effect",
    "unequal arms",
    "recipe gain",
    "another method",
    "carrying along motion",
    "training beyond motion",
    "use of state at test time",
    "smoothing",
    "available gain",
    "other settings",
)

_CLAIMS: dict[Kind, str] = {
    "memory effect": "Memory effect",
    "recipe gain": "Recipe gain (not memory alone)",
    "use of state at test time": "Use of state at test time",
    "smoothing": "Smoothing over time",
    "carrying along motion": "Carrying along motion",
    "training beyond motion": "Training beyond motion",
    "available gain": "Available gain",
    "another method": "Against another method",
    "other settings": "Between arms made in different ways",
    "unequal arms": "No memory effect or other single cause can be claimed",
}


def verdict_sentence(
    verdict: Verdict,
    estimate: float | None,
    bounds: tuple[float | None, float | None],
    p_holm: float | None,
    *,
    measure: Measure,
    reason: str,
    detectable: float | None = None,
) -> str:
    """Write one verdict in plain words with its numbers.

    >>> from sonotempo.measures import measure
    >>> dice = measure("dice")
    >>> verdict_sentence("better", 0.04, (0.01, 0.07), 0.012, measure=dice, reason="")
    'better by 0.040 [+0.010, +0.070], p (Holm) 0.0120'
    >>> verdict_sentence("equivalent", -0.001, (-0.01, 0.01), 1.0, measure=dice, reason="")
    'equivalent within 0.020: -0.001 [-0.010, +0.010]'
    >>> verdict_sentence("not judged", None, (None, None), None, measure=dice, reason="one subject")
    'not judged: one subject'
    >>> verdict_sentence(
    ...     "not shown", 0.01, (-0.02, 0.04), 1.0, measure=dice, reason="", detectable=0.045
    ... )
    'no difference could be shown: +0.010 [-0.020, +0.040], p (Holm) 1.0000; 0.045 or more would \
have been'
    """
    shown = _shown_difference(estimate, bounds, measure)
    if verdict in ("better", "worse"):
        size = None if estimate is None else abs(estimate)
        said = _shown_difference(size, bounds, measure, signed=False)
        return f"{verdict} by {said}, p (Holm) {p_number(p_holm)}"
    if verdict == "equivalent":
        return f"equivalent within {margins([measure])}: {shown}"
    if verdict == "not shown":
        said = f"no difference could be shown: {shown}, p (Holm) {p_number(p_holm)}"
        if detectable is None:
            return said
        enough = with_unit(number(detectable, measure.decimals), measure)
        return f"{said}; {enough} or more would have been"
    return f"not judged: {reason}" + ("" if estimate is None else f" ({shown})")


def _shown_difference(
    estimate: float | None,
    bounds: tuple[float | None, float | None],
    measure: Measure,
    *,
    signed: bool = True,
) -> str:
    """Write an estimate with its unit and, if there is one, its interval."""
    shown = with_unit(number(estimate, measure.decimals, signed=signed), measure)
    return shown if bounds[0] is None else f"{shown} {interval(*bounds, measure.decimals)}"


def summarise(
    arms: Sequence[Arm],
    pairs: Sequence[Pair],
    settings: Settings,
    *,
    subjects: int,
    recordings: int,
    frames: int,
    simulated: bool,
) -> tuple[str, str, str]:
    """Say in three sentences who was compared on what, what the main pair shows, and the rest."""
    return (
        _who(arms, subjects, recordings, frames, simulated),
        *_what(pairs, settings),
    )


def _who(arms: Sequence[Arm], subjects: int, recordings: int, frames: int, simulated: bool) -> str:
    kind = "simulated subject" if simulated else "subject"
    seeds = max(len(arm.seeds) for arm in arms)
    folds = max(arm.folds for arm in arms)
    names = [arm.name for arm in arms]
    caveat = ": these numbers say nothing about patients" if simulated else ""
    return (
        f"{listed(names)} were compared on {counted(subjects, kind)} "
        f"({counted(recordings, 'recording')}, {counted(frames, 'labelled frame')}, "
        f"{counted(folds, 'fold')}, {counted(max(1, seeds), 'seed')}){caveat}."
    )


def _what(pairs: Sequence[Pair], settings: Settings) -> tuple[str, str]:
    """Say what the main question's pairs show, then the others, in a sentence each."""
    ranked = sorted(pairs, key=lambda pair: _FIRST.index(pair.kind))
    main = [pair for pair in ranked if pair.kind == ranked[0].kind]
    others = ranked[len(main) :]
    tests = sum(one.primary for one in main[0].differences)
    metrics = listed([one.title for one in settings.primary])
    second = (
        f"In {counted(tests, 'test')} per pair ({metrics} of each structure): "
        f"{'; '.join(_shown(pair, settings) + _largest(pair, settings) for pair in main)}."
    )
    if not others:
        return second, _limits(main[0], settings)
    return second, f"{'; '.join(_shown(pair, settings) for pair in others)}."


def _shown(pair: Pair, settings: Settings) -> str:
    return f"{_claim(pair)}: {_tally(pair, settings)}"


def _claim(pair: Pair) -> str:
    return f"{_CLAIMS[pair.kind]}, {pair.arm} against {pair.baseline}"


def _tally(pair: Pair, settings: Settings) -> str:
    """Count the verdicts of the primary metrics."""
    judged = [one for one in pair.differences if one.primary]
    counts = Counter(one.verdict for one in judged)
    words: dict[Verdict, str] = {
        "better": "better in {n}",
        "worse": "worse in {n}",
        "equivalent": f"equivalent within {margins(settings.primary)} in {{n}}",
        "not shown": "no difference could be shown in {n}",
        "not judged": "not judged in {n}",
    }
    return ", ".join(text.format(n=counts[one]) for one, text in words.items() if counts[one])


def _largest(pair: Pair, settings: Settings) -> str:
    """Name the primary difference that is the most margins away from 0, whatever its verdict."""
    sized = [one for one in pair.differences if one.primary and one.estimate is not None]
    if not sized:
        return ""
    one = max(
        sized, key=lambda one: abs(one.estimate or 0) / (settings.measure(one.metric).margin or 1)
    )
    measure = settings.measure(one.metric)
    return (
        f", the largest difference in {measure.title} of {one.structure}, "
        f"{_shown_difference(one.estimate, (one.ci_low, one.ci_high), measure)}, "
        f"p (Holm) {p_number(one.p_holm)}"
    )


def _limits(pair: Pair, settings: Settings) -> str:
    """Say what the only pair cannot tell."""
    return (
        f"{pair.meaning.rstrip('.')}; differences inside ±{margins(settings.primary)} "
        f"count as none, and intervals are {100 * settings.confidence:g} % over subjects."
    )
