"""Measure the statistics of a comparison: 10 000 draws on 100 subjects and 6 structures.

    .venv/bin/python scripts/bench_statistics.py

One pair of arms with every metric of the table: drawing subjects, intervals of all metrics, and
Wilcoxon tests with Holm's correction for F1 and Dice. It prints the fastest of 5 rounds and the
sizes; imports are not counted.
"""

import time

import numpy as np
import scipy.stats  # noqa: F401 (imported before the clock starts)
import statsmodels.stats.multitest  # noqa: F401

from sonotempo.evaluation.comparison.statistics import (
    SubjectScores,
    bootstrap,
    draw_subjects,
    holm,
    signed_rank,
)
from sonotempo.evaluation.scoring.frames import MEANS, RATIOS

SUBJECTS, STRUCTURES, DRAWS, ROUNDS = 100, 6, 10_000, 5
METRICS = (*RATIOS, *MEANS)


def main() -> None:
    """Run the measurement and print it."""
    arms = [example_scores(seed) for seed in (0, 1)]
    fastest = min(seconds_of_a_pair(*arms) for _ in range(ROUNDS))
    print(
        f"{DRAWS} draws, {SUBJECTS} subjects, {STRUCTURES} structures, {len(METRICS)} metrics: "
        f"{fastest:.2f} s"
    )


def seconds_of_a_pair(arm: SubjectScores, baseline: SubjectScores) -> float:
    """Return how long all statistics of one pair take, in seconds."""
    start = time.perf_counter()
    times_DS = draw_subjects(SUBJECTS, DRAWS, seed=0)
    for metric in METRICS:
        bootstrap(arm, baseline, metric, times_DS)
    tests = [
        signed_rank(arm.values_SK(metric)[:, k] - baseline.values_SK(metric)[:, k])[0]
        for metric in ("f1", "dice")
        for k in range(STRUCTURES)
    ]
    holm(tests)
    return time.perf_counter() - start


def example_scores(seed: int) -> SubjectScores:
    """Return scores of about 100 frames per subject; every tenth subject has undefined means."""
    random = np.random.default_rng(seed)
    counts_CSK = random.poisson((80, 15, 20), (SUBJECTS, STRUCTURES, 3)).transpose(2, 0, 1)
    means_SK = {}
    for metric in MEANS:
        values_SK = random.beta(8, 3, (SUBJECTS, STRUCTURES))
        values_SK[::10] = np.nan
        means_SK[metric] = values_SK
    names = [tuple(map(str, range(count))) for count in (SUBJECTS, STRUCTURES)]
    return SubjectScores(names[0], names[1], counts_CSK.astype(np.float64), means_SK)


if __name__ == "__main__":
    main()
