"""The differences of two arms as records: estimate, interval, test, verdict, every subject's."""

import math
from collections.abc import Sequence

import numpy as np

from sonotempo.evaluation.comparison.record import Difference, Settings, SubjectDifference, Verdict
from sonotempo.evaluation.comparison.rounding import P_DECIMALS, joined, number, rounded
from sonotempo.evaluation.comparison.sentences import verdict_sentence
from sonotempo.evaluation.comparison.statistics import (
    SMALLEST_JUDGED,
    Floats,
    Interval,
    SubjectScores,
    bootstrap,
    estimate_K,
    holm,
    signed_rank,
    verdict_of,
)

#: Why a metric has no value, for readers.
UNDEFINED = {
    "precision": "nothing predicted",
    "recall": "no reference region",
    "f1": "neither predicted nor there",
    "dice": "structure absent",
    "dice_all": "neither predicted nor there",
    "nsd": "structure absent or spacing unknown",
}


def differences_of(
    arm: SubjectScores,
    baseline: SubjectScores,
    metrics: Sequence[str],
    settings: Settings,
    times_DS: Floats,
) -> tuple[Difference, ...]:
    """Compare two arms in every structure and metric.

    Only primary metrics are tested; Holm's correction is over structures × primary metrics.

    Args:
        arm: whose gain is asked for.
        baseline: over the same subjects and structures.
        metrics: by name.
        settings: primary metrics, margin and seed.
        times_DS: drawn subjects, the same for every pair.
    """
    tests = {
        (k, metric): signed_rank(_paired(arm, baseline, metric)[:, k])
        for k in range(len(arm.structures))
        for metric in metrics
        if metric in settings.primary_metrics
    }
    corrected = dict(zip(tests, holm([p for p, _ in tests.values()]), strict=True))
    intervals = {metric: bootstrap(arm, baseline, metric, times_DS) for metric in metrics}
    return tuple(
        _difference(
            arm,
            baseline,
            k,
            metric,
            bounds=intervals[metric][k],
            test=tests.get((k, metric)),
            p_holm=corrected.get((k, metric), math.nan),
            settings=settings,
        )
        for k in range(len(arm.structures))
        for metric in metrics
    )


def _difference(
    arm: SubjectScores,
    baseline: SubjectScores,
    k: int,
    metric: str,
    *,
    bounds: Interval,
    test: tuple[float, str] | None,
    p_holm: float,
    settings: Settings,
) -> Difference:
    estimate = rounded(estimate_K(arm, metric)[k] - estimate_K(baseline, metric)[k])
    low, high = rounded(bounds.low), rounded(bounds.high)
    n = int((~np.isnan(_paired(arm, baseline, metric)[:, k])).sum())
    p, no_test = test or (math.nan, "")
    corrected = rounded(p_holm, P_DECIMALS)
    is_found = any(np.nan_to_num(one.values_SK(metric)[:, k]).any() for one in (arm, baseline))
    # Two arms that both find nothing agree in every draw, which says nothing of either.
    verdict: Verdict = (
        verdict_of(low, high, corrected, n, settings.equivalence_margin)
        if is_found
        else "not judged"
    )
    reason = joined(
        [
            "" if is_found or estimate is None else "neither arm finds it in any subject",
            f"{UNDEFINED[metric]} in every subject" if estimate is None else "",
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
        verdict=verdict,
        sentence=verdict_sentence(
            verdict,
            estimate,
            (low, high),
            corrected,
            margin=settings.equivalence_margin,
            reason=reason if test is not None else joined(["not a primary metric", reason]),
        ),
        reason=reason,
        undefined_draws=bounds.undefined_draws,
        subjects=_subjects(arm, baseline, k, metric) if test is not None else (),
    )


def _subjects(
    arm: SubjectScores, baseline: SubjectScores, k: int, metric: str
) -> tuple[SubjectDifference, ...]:
    """Return every subject's values and difference, each rounded by itself."""
    ours, theirs = arm.values_SK(metric)[:, k], baseline.values_SK(metric)[:, k]
    found = []
    for subject, a, b in zip(arm.subjects, ours.tolist(), theirs.tolist(), strict=True):
        missing = [name for name, value in (("arm", a), ("baseline", b)) if math.isnan(value)]
        sides = "both arms" if len(missing) == 2 else "".join(missing)
        reason = f"{UNDEFINED[metric]} in {sides}" if missing else ""
        found.append(SubjectDifference(subject, rounded(a), rounded(b), rounded(a - b), reason))
    return tuple(found)


def _paired(arm: SubjectScores, baseline: SubjectScores, metric: str) -> Floats:
    """Return every subject's arm − baseline (axes S, K), NaN where either is undefined."""
    return arm.values_SK(metric) - baseline.values_SK(metric)


def undefined_in(metric: str, subjects: Sequence[str], missing: Sequence[bool]) -> str:
    """Say in which subjects a metric has no value, and why.

    >>> undefined_in("dice", ["A", "B", "C"], [True, False, False])
    'structure absent in 1 of 3 subjects (A)'
    """
    names = [name for name, gone in zip(subjects, missing, strict=True) if gone]
    if not names:
        return ""
    listed = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"{UNDEFINED[metric]} in {len(names)} of {len(subjects)} subjects ({listed})"


def spread(values: Floats) -> tuple[float | None, float | None, int, str]:
    """Return the rounded mean and SD (n − 1) of the defined values, their number, and what lacks.

    >>> spread(np.array([0.5, 0.7, float("nan")]))
    (0.6, 0.141, 2, '')
    >>> spread(np.array([0.5]))
    (0.5, None, 1, 'one subject: no standard deviation')
    """
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None, None, 0, ""
    mean = rounded(float(defined.mean()))
    if len(defined) == 1:
        return mean, None, 1, "one subject: no standard deviation"
    return mean, rounded(float(defined.std(ddof=1))), len(defined), ""


def as_shown(mean: float | None, sd: float | None) -> str:
    """Write mean ± SD as every table does.

    >>> as_shown(0.6, 0.141), as_shown(0.5, None), as_shown(None, None)
    ('0.600 ± 0.141', '0.500 ± –', '–')
    """
    return "–" if mean is None else f"{number(mean)} ± {number(sd)}"
