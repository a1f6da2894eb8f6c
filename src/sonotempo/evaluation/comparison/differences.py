"""The differences of two arms as records: estimate, interval, test, verdict, every subject's."""

import math
from collections.abc import Sequence

import numpy as np

from sonotempo.evaluation.comparison.record import Difference, Settings, SubjectDifference, Verdict
from sonotempo.evaluation.comparison.rounding import P_DECIMALS, joined, rounded
from sonotempo.evaluation.comparison.sentences import verdict_sentence
from sonotempo.evaluation.comparison.statistics import (
    SMALLEST_JUDGED,
    Floats,
    Interval,
    SubjectScores,
    bootstrap,
    detectable,
    estimate_K,
    holm,
    signed_rank,
    verdict_of,
)
from sonotempo.measures import Measure


def differences_of(
    arm: SubjectScores,
    baseline: SubjectScores,
    settings: Settings,
    times_DS: Floats,
) -> tuple[Difference, ...]:
    """Compare two arms in every structure and measure.

    Only primary metrics are tested; Holm's correction is over structures × primary metrics.

    Args:
        arm: whose gain is asked for.
        baseline: over the same subjects and structures.
        settings: measures, and which of them are primary.
        times_DS: drawn subjects, the same for every pair.
    """
    tests = {
        (k, one.name): signed_rank(_paired(arm, baseline, one.name)[:, k])
        for k in range(len(arm.structures))
        for one in settings.measures
        if one.name in settings.primary_metrics
    }
    corrected = dict(zip(tests, holm([p for p, _ in tests.values()]), strict=True))
    intervals = {
        one.name: bootstrap(arm, baseline, one.name, times_DS) for one in settings.measures
    }
    return tuple(
        _difference(
            arm,
            baseline,
            k,
            one,
            bounds=intervals[one.name][k],
            test=tests.get((k, one.name)),
            p_holm=corrected.get((k, one.name), math.nan),
            tests=len(tests),
        )
        for k in range(len(arm.structures))
        for one in settings.measures
    )


def _difference(
    arm: SubjectScores,
    baseline: SubjectScores,
    k: int,
    measure: Measure,
    *,
    bounds: Interval,
    test: tuple[float, str] | None,
    p_holm: float,
    tests: int,
) -> Difference:
    metric = measure.name
    gain = estimate_K(arm, metric)[k] - estimate_K(baseline, metric)[k]
    estimate, low, high = (
        rounded(value, measure.decimals) for value in (gain, bounds.low, bounds.high)
    )
    n = int((~np.isnan(_paired(arm, baseline, metric)[:, k])).sum())
    p, no_test = test or (math.nan, "")
    corrected = rounded(p_holm, P_DECIMALS)
    would_show = rounded(
        detectable(_paired(arm, baseline, metric)[:, k], tests) if test else math.nan,
        measure.decimals,
    )
    is_found = any(_any_but_worst(one.values_SK(metric)[:, k], measure) for one in (arm, baseline))
    # Two arms that both find nothing agree in every draw, which is no evidence about either.
    verdict: Verdict = verdict_of(low, high, corrected, n, measure) if is_found else "not judged"
    reason = joined(
        [
            "" if is_found or estimate is None else "neither arm finds it in any subject",
            f"{measure.undefined} in every subject" if estimate is None else "",
            bounds.reason,
            no_test,
            f"{n} subjects with a value in both arms: fewer than {SMALLEST_JUDGED} are not judged"
            if test is not None and 1 < n < SMALLEST_JUDGED
            else "",
        ]
    )
    return Difference(
        structure=arm.structures[k],
        metric=metric,
        primary=test is not None,
        estimate=estimate,
        ci_low=low,
        ci_high=high,
        p=rounded(p, P_DECIMALS),
        p_holm=corrected,
        n=n,
        detectable=would_show,
        verdict=verdict,
        sentence=verdict_sentence(
            verdict,
            estimate,
            (low, high),
            corrected,
            measure=measure,
            detectable=would_show,
            reason=reason if test is not None else joined(["not a primary metric", reason]),
        ),
        reason=reason,
        undefined_draws=bounds.undefined_draws,
        subjects=_subjects(arm, baseline, k, measure) if test is not None else (),
    )


def _subjects(
    arm: SubjectScores, baseline: SubjectScores, k: int, measure: Measure
) -> tuple[SubjectDifference, ...]:
    """Return every subject's values and difference, each rounded by itself."""
    ours, theirs = (one.values_SK(measure.name)[:, k] for one in (arm, baseline))
    found = []
    for subject, a, b in zip(arm.subjects, ours.tolist(), theirs.tolist(), strict=True):
        missing = [name for name, value in (("arm", a), ("baseline", b)) if math.isnan(value)]
        sides = "both arms" if len(missing) == 2 else "".join(missing)
        reason = f"{measure.undefined} in {sides}" if missing else ""
        ours_shown, theirs_shown, gain = (rounded(x, measure.decimals) for x in (a, b, a - b))
        found.append(SubjectDifference(subject, ours_shown, theirs_shown, gain, reason))
    return tuple(found)


def _paired(arm: SubjectScores, baseline: SubjectScores, metric: str) -> Floats:
    """Return every subject's arm − baseline (axes S, K), NaN where either is undefined."""
    return arm.values_SK(metric) - baseline.values_SK(metric)


def _any_but_worst(values_S: Floats, measure: Measure) -> bool:
    """Return whether any subject has a value that is not the worst possible one."""
    return bool((~np.isnan(values_S) & (values_S != measure.worst)).any())


def undefined_in(measure: Measure, subjects: Sequence[str], missing: Sequence[bool]) -> str:
    """Return in which subjects a measure has no value, and why.

    >>> from sonotempo.measures import measure
    >>> undefined_in(measure("dice"), ["A", "B", "C"], [True, False, False])
    'structure absent in 1 of 3 subjects (A)'
    """
    names = [name for name, gone in zip(subjects, missing, strict=True) if gone]
    if not names:
        return ""
    listed = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"{measure.undefined} in {len(names)} of {len(subjects)} subjects ({listed})"


def spread(values: Floats, decimals: int) -> tuple[float | None, float | None, int, str]:
    """Return the rounded mean and SD (n − 1) of the defined values, their number, and what lacks.

    >>> spread(np.array([0.5, 0.7, float("nan")]), 3)
    (0.6, 0.141, 2, '')
    >>> spread(np.array([0.5]), 3)
    (0.5, None, 1, 'one subject: no standard deviation')
    """
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None, None, 0, ""
    mean = rounded(float(defined.mean()), decimals)
    if len(defined) == 1:
        return mean, None, 1, "one subject: no standard deviation"
    return mean, rounded(float(defined.std(ddof=1)), decimals), len(defined), ""
