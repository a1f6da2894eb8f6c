"""Evidence about the difference of two arms, with the subject as its unit.

Frames become recordings, recordings become subjects (``per_subject`` in
:mod:`sonotempo.evaluation.scoring.frames`); only subjects are drawn, paired and counted. Frames of
one sweep are near copies and folds share their training subjects, so neither is ever taken for n.

Sources: CI study of MICCAI papers (arXiv 2409.17763) for the interval over subjects; Metrics
Reloaded (Nature Methods 2024) for aggregation; Efron & Tibshirani 1993 for the percentile
bootstrap; Pratt 1959 and Holm 1979 for the tests.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sonotempo.evaluation.comparison.record import Verdict
from sonotempo.evaluation.metrics.regions import count_ratio, divided
from sonotempo.evaluation.scoring.frames import MEANS, RATIOS
from sonotempo.measures import Measure

#: Of the intervals.
CONFIDENCE = 0.95

#: Of the tests, after correction.
ALPHA = 0.05

#: Fewer subjects are described but not judged: with five, no signed-rank p is below 0.05.
SMALLEST_JUDGED = 6

# Up to so many subjects with equal or zero differences every assignment of signs is counted.
_EXACT = 13

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SubjectScores:
    """One arm's counts and values of every subject (axis S) in every structure (axis K).

    Attributes:
        subjects: along axis S.
        structures: along axis K.
        counts_CSK: true positive, false positive and false negative regions, summed over the
            subject's frames and averaged over seeds.
        means_SK: of each averaged metric, by name; NaN where it is undefined.
    """

    subjects: tuple[str, ...]
    structures: tuple[str, ...]
    counts_CSK: Floats
    means_SK: dict[str, Floats]

    def values_SK(self, metric: str) -> Floats:
        """Return every subject's value of a metric, NaN where undefined."""
        if metric in self.means_SK:
            return self.means_SK[metric]
        return _ratio(metric, self.counts_CSK)


def subject_scores(
    tables: Sequence[pd.DataFrame], subjects: Sequence[str], structures: Sequence[str]
) -> SubjectScores:
    """Arrange one arm's subjects, averaged over seeds.

    Args:
        tables: one per seed, as :func:`sonotempo.evaluation.scoring.frames.per_subject` returns
            them, of this arm alone.
        subjects: the order of axis S; every table has them all.
        structures: the order of axis K.

    A value that is undefined with one seed is averaged over the others.

    Raises:
        KeyError: a table lacks a subject or a structure.
    """
    order = pd.MultiIndex.from_product([subjects, structures])
    shape = (len(tables), len(subjects), len(structures))
    sorted_tables = [table.set_index(["subject", "structure"]).loc[order] for table in tables]

    def of(column: str) -> Floats:
        """Return a column as seeds × subjects × structures."""
        return np.stack([table[column].to_numpy(float) for table in sorted_tables]).reshape(shape)

    counts = np.stack([of(name).mean(axis=0) for name in ("tp", "fp", "fn")])
    means = {metric: _mean_of_defined(of(metric)) for metric in MEANS}
    return SubjectScores(tuple(subjects), tuple(structures), counts, means)


def estimate_K(scores: SubjectScores, metric: str) -> Floats:
    """Return one value per structure: pooled counts, or the mean over subjects that have one."""
    if metric in scores.means_SK:
        return _mean_of_defined(scores.means_SK[metric])
    return _ratio(metric, scores.counts_CSK.sum(axis=1))


def draw_subjects(subjects: int, draws: int, seed: int) -> Floats:
    """Draw subjects with replacement, as many as there are, ``draws`` times.

    Returns:
        How often each subject (axis S) is in each draw (axis D); rows sum to ``subjects``.
    """
    chosen_DS = np.random.default_rng(seed).integers(0, subjects, (draws, subjects))
    flat = chosen_DS + subjects * np.arange(draws)[:, None]
    times = np.bincount(flat.ravel(), minlength=draws * subjects)
    return times.reshape(draws, subjects).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Interval:
    """A bootstrap interval of one structure; NaN, with a reason, where there is none.

    ``undefined_draws`` have no value in one of the arms and are left out.
    """

    low: float
    high: float
    undefined_draws: int
    reason: str


def bootstrap(
    arm: SubjectScores, baseline: SubjectScores, metric: str, times_DS: Floats
) -> tuple[Interval, ...]:
    """Return the percentile interval of arm − baseline per structure: paired cluster bootstrap.

    Every draw takes the same subjects for both arms and all structures. Precision, recall and F1
    are computed from the drawn subjects' summed counts; others are means over the drawn
    subjects that have a value. Percentiles are of means, never of medians.

    Args:
        arm: whose gain is asked for.
        baseline: over the same subjects and structures.
        metric: by name.
        times_DS: as :func:`draw_subjects` returns it.

    Source: arXiv 2409.17763.
    """
    gains_DK = drawn_DK(arm, metric, times_DS) - drawn_DK(baseline, metric, times_DS)
    arm_SK, baseline_SK = arm.values_SK(metric), baseline.values_SK(metric)
    tail = 50 * (1 - CONFIDENCE)
    intervals = []
    for k in range(len(arm.structures)):
        # Subjects without a value are no evidence of how a structure varies between subjects.
        speaking = ~np.isnan(arm_SK[:, k]) | ~np.isnan(baseline_SK[:, k])
        defined = gains_DK[~np.isnan(gains_DK[:, k]), k]
        missing = len(gains_DK) - len(defined)
        if speaking.sum() < 2:
            count = "one subject" if speaking.any() else "no subject"
            reason = f"{count} with a value: no interval"
            intervals.append(Interval(math.nan, math.nan, missing, reason))
            continue
        if not len(defined):
            reason = "no draw has a value in both arms: no interval"
            intervals.append(Interval(math.nan, math.nan, missing, reason))
            continue
        low, high = np.percentile(defined, [tail, 100 - tail])
        intervals.append(Interval(float(low), float(high), missing, ""))
    return tuple(intervals)


def signed_rank(differences_S: Floats) -> tuple[float, str]:
    """Return Wilcoxon's signed-rank p of paired differences, two-sided, zeros ranked (Pratt).

    Exact for up to 13 subjects, and for up to 50 if no two differences are equal or 0; else by the
    normal approximation.

    Args:
        differences_S: arm − baseline per subject; NaN where a subject has no pair.

    Returns:
        p and, where it is NaN, why.

    >>> signed_rank(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    (0.03125, '')

    Source: Pratt 1959 (``scipy.stats.wilcoxon``, ``zero_method="pratt"``).
    """
    from scipy.stats import permutation_test, rankdata, wilcoxon  # noqa: PLC0415 (slow to import)

    # Without the rounding, equal differences would get different ranks.
    paired = np.round(differences_S[~np.isnan(differences_S)], 12)
    if len(paired) < 2:
        count = "one subject" if len(paired) else "no subject"
        return math.nan, f"{count} with a value in both arms: no test"
    if not paired.any():
        return 1.0, ""
    sizes = np.abs(paired)
    if len(paired) > _EXACT or len(set(sizes[sizes > 0])) == len(paired):
        return float(wilcoxon(paired, zero_method="pratt").pvalue), ""
    # What scipy's wilcoxon does too, one permutation after the other: a second a test.
    signed = np.sign(paired) * rankdata(sizes)
    test = permutation_test(
        (signed,),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**_EXACT,
    )
    return float(test.pvalue), ""


#: Power with which a detectable difference would be shown.
POWER = 0.8

# The signed-rank test needs this share of a t test's subjects more (Lehmann 1975, normal data).
_EFFICIENCY = 3 / math.pi


def detectable(differences_S: Floats, tests: int) -> float:
    """Return the smallest true difference that so many subjects would show with 80 % power.

    From the spread of the paired differences: that of a paired t test, with the subjects reduced
    by the asymptotic efficiency of the signed-rank test, at the strictest step of Holm's
    correction. NaN for fewer than three subjects, or if all differ alike.

    Args:
        differences_S: arm − baseline per subject; NaN where a subject has no pair.
        tests: how many tests Holm's correction is over.

    >>> spread = np.array([-0.1, 0.0, 0.1] * 10)
    >>> round(detectable(spread, 1), 3), round(detectable(spread, 10), 3)
    (0.045, 0.061)
    """
    from statsmodels.stats.power import TTestPower  # noqa: PLC0415 (slow to import)

    paired = differences_S[~np.isnan(differences_S)]
    spread = float(np.std(paired, ddof=1)) if len(paired) > 1 else 0.0
    if len(paired) < 3 or spread < 1e-9:
        return math.nan
    effect = TTestPower().solve_power(
        nobs=len(paired) * _EFFICIENCY, alpha=ALPHA / max(tests, 1), power=POWER
    )
    return float(effect) * spread


def holm(p: Sequence[float]) -> list[float]:
    """Correct p values for their number; those that are NaN stay so and do not count.

    >>> holm([0.01, float("nan"), 0.04, 0.02])
    [0.03, nan, 0.04, 0.04]

    Source: Holm 1979 (``statsmodels.stats.multitest.multipletests``).
    """
    from statsmodels.stats.multitest import multipletests  # noqa: PLC0415 (slow to import)

    corrected = np.asarray(p, float).copy()
    tested = ~np.isnan(corrected)
    if tested.any():
        corrected[tested] = multipletests(corrected[tested], method="holm")[1]
    return [float(value) for value in corrected]


def verdict_of(
    low: float | None, high: float | None, p_holm: float | None, subjects: int, measure: Measure
) -> Verdict:
    """Return what an interval and a corrected p allow to conclude.

    ``equivalent`` if the interval lies inside ± the measure's margin (a 95 % interval, stricter
    than the two one-sided tests at 5 %), else ``better`` or ``worse`` if it leaves out 0 *and* the
    test agrees, else ``not shown``. ``not judged`` with fewer than :data:`SMALLEST_JUDGED`
    subjects, or if the measure has no margin.

    >>> from dataclasses import replace
    >>> from sonotempo.measures import measure
    >>> dice = measure("dice")
    >>> verdict_of(-0.01, 0.015, 0.5, 20, dice), verdict_of(0.01, 0.07, 0.01, 20, dice)
    ('equivalent', 'better')
    >>> verdict_of(0.01, 0.07, 0.2, 20, dice), verdict_of(0.01, 0.07, None, 1, dice)
    ('not shown', 'not judged')
    >>> verdict_of(0.01, 0.07, 0.01, 20, replace(dice, better="lower"))
    'worse'
    """
    margin = measure.margin
    if low is None or high is None or p_holm is None or margin is None:
        return "not judged"
    if subjects < SMALLEST_JUDGED:
        return "not judged"
    if -margin < low and high < margin:
        return "equivalent"
    if p_holm < ALPHA and (low > 0 or high < 0):
        return "better" if (low > 0) == (measure.better == "higher") else "worse"
    return "not shown"


def drawn_DK(scores: SubjectScores, metric: str, times_DS: Floats) -> Floats:
    """Return the metric of every draw (axis D) and structure (axis K), NaN where undefined."""
    if metric not in scores.means_SK:
        return _ratio(metric, np.stack([times_DS @ count_SK for count_SK in scores.counts_CSK]))
    values_SK = scores.means_SK[metric]
    defined_SK = ~np.isnan(values_SK)
    return divided(
        times_DS @ np.where(defined_SK, values_SK, 0.0), times_DS @ defined_SK.astype(np.float64)
    )


def _ratio(metric: str, counts_C: Floats) -> Floats:
    """Return a ratio of region counts (tp, fp, fn along the first axis)."""
    return count_ratio(counts_C, RATIOS[metric].part, RATIOS[metric].whole)


def _mean_of_defined(values: Floats) -> Floats:
    """Return the mean over the first axis without NaN; NaN only where nothing is defined."""
    defined = ~np.isnan(values)
    return divided(np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0, dtype=float))
