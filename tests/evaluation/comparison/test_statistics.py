"""Evidence over subjects, against values worked out by hand and against scipy."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from sonotempo.evaluation.comparison.differences import differences_of
from sonotempo.evaluation.comparison.record import Settings
from sonotempo.evaluation.comparison.statistics import (
    SubjectScores,
    bootstrap,
    draw_subjects,
    estimate_K,
    holm,
    signed_rank,
    subject_scores,
    verdict_of,
)
from sonotempo.evaluation.scoring.frames import MEANS
from sonotempo.measures import measure

NAN = float("nan")


def scores_of(counts=((1, 0, 0),), dice=None, structures=1):
    """One structure's counts (tp, fp, fn) and Dice, a row per subject."""
    counts_CSK = np.asarray(counts, float).T[:, :, None].repeat(structures, axis=2)
    values = np.ones(len(counts)) if dice is None else np.asarray(dice, float)
    means = dict.fromkeys(MEANS, values[:, None].repeat(structures, axis=1))
    names = tuple(f"s{i}" for i in range(len(counts)))
    return SubjectScores(names, tuple(f"k{i}" for i in range(structures)), counts_CSK, means)


def table_of(*rows):
    columns = ["subject", "structure", "tp", "fp", "fn", "dice"]
    return pd.DataFrame(rows, columns=columns).assign(**dict.fromkeys(set(MEANS) - {"dice"}, NAN))


def test_seeds_are_averaged_within_a_subject_and_undefined_ones_left_out():
    first = table_of(("A", "nerve", 2, 0, 0, 0.6), ("B", "nerve", 1, 1, 0, NAN))
    second = table_of(("B", "nerve", 3, 1, 0, 0.8), ("A", "nerve", 0, 0, 2, 0.8))
    scores = subject_scores([first, second], ["A", "B"], ["nerve"])
    assert scores.counts_CSK[:, :, 0].tolist() == [[1, 2], [0, 1], [1, 0]]  # tp, fp, fn
    assert scores.values_SK("dice")[:, 0].tolist() == pytest.approx([0.7, 0.8])
    assert scores.values_SK("f1")[:, 0].tolist() == pytest.approx([2 / 3, 4 / 5])
    assert np.isnan(scores.values_SK("nsd")).all()


def test_estimates_pool_regions_but_average_dice_over_subjects():
    scores = scores_of([(9, 0, 1), (0, 1, 1)], dice=[0.8, 0.2])
    assert estimate_K(scores, "f1").item() == pytest.approx(18 / 21)  # not the mean of 18/19 and 0
    assert estimate_K(scores, "dice").item() == pytest.approx(0.5)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12), st.integers(0, 5))
def test_every_draw_has_as_many_subjects_as_there_are(subjects, seed):
    times_DS = draw_subjects(subjects, 50, seed)
    assert (times_DS.sum(axis=1) == subjects).all()
    assert (times_DS == draw_subjects(subjects, 50, seed)).all()


def test_intervals_are_those_of_draws_made_one_by_one():
    random = np.random.default_rng(5)
    arm, baseline = (
        scores_of(random.integers(0, 20, (7, 3)), dice=random.random(7)) for _ in range(2)
    )
    times_DS = draw_subjects(7, 400, seed=1)
    for metric in ("precision", "f1", "dice"):
        drawn = []
        for times_S in times_DS.astype(int):
            chosen = np.repeat(np.arange(7), times_S)
            values = []
            for scores in (arm, baseline):
                tp, fp, fn = scores.counts_CSK[:, chosen, 0].sum(axis=1)
                dice = scores.means_SK["dice"][chosen, 0].mean()
                ways = {"precision": tp / (tp + fp), "f1": 2 * tp / (2 * tp + fp + fn)}
                values.append(ways.get(metric, dice))
            drawn.append(values[0] - values[1])
        (interval,) = bootstrap(arm, baseline, metric, times_DS)
        low, high = np.percentile(drawn, [2.5, 97.5])
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-12)


def test_the_same_subjects_are_drawn_for_both_arms():
    # Subjects differ a lot, the arms by a constant: unpaired draws would not see it.
    dice = np.linspace(0, 0.9, 10)
    counts = np.ones((10, 3))
    (interval,) = bootstrap(
        scores_of(counts, dice + 0.05), scores_of(counts, dice), "dice", draw_subjects(10, 500, 0)
    )
    assert (interval.low, interval.high) == pytest.approx((0.05, 0.05))


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(0)
    times_DS = draw_subjects(40, 500, 0)
    zero = scores_of(np.ones((40, 3)), np.zeros(40))
    hits = 0
    for _ in range(200):
        (interval,) = bootstrap(
            scores_of(np.ones((40, 3)), random.normal(0.1, 0.2, 40)), zero, "dice", times_DS
        )
        hits += interval.low <= 0.1 <= interval.high
    assert 0.89 <= hits / 200 <= 0.99


def test_one_subject_gives_no_interval_and_no_test_but_reasons():
    arm = scores_of([(3, 1, 0)], dice=[0.5])
    (interval,) = bootstrap(arm, arm, "f1", draw_subjects(1, 100, 0))
    assert np.isnan(interval.low)
    assert interval.reason == "one subject with a value: no interval"
    p, reason = signed_rank(np.array([0.1]))
    assert np.isnan(p)
    assert reason == "one subject with a value in both arms: no test"
    assert signed_rank(np.array([NAN, NAN]))[1].startswith("no subject")


def test_draws_without_a_value_are_counted_and_left_out():
    counts = [(1, 0, 0), (2, 1, 0), *[(0, 0, 0)] * 6]
    arm, baseline = scores_of(counts), scores_of([(0, 0, 1), (1, 0, 2), *[(0, 0, 0)] * 6])
    times_DS = draw_subjects(8, 2000, 0)
    (interval,) = bootstrap(arm, baseline, "f1", times_DS)
    assert interval.undefined_draws == int((times_DS[:, :2].sum(axis=1) == 0).sum()) > 0
    assert interval.low <= interval.high


def test_an_arm_that_never_has_a_value_leaves_no_interval_but_a_reason():
    found, silent = scores_of([(1, 1, 0)] * 4), scores_of([(0, 0, 1)] * 4)
    (interval,) = bootstrap(found, silent, "precision", draw_subjects(4, 50, 0))
    assert np.isnan([interval.low, interval.high]).all()
    assert (interval.undefined_draws, interval.reason) == (
        50,
        "no draw has a value in both arms: no interval",
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=2, max_size=10).filter(any))
def test_the_test_is_scipys_with_pratts_zeros(tenths):
    differences = np.array(tenths) / 10
    expected = wilcoxon(differences, zero_method="pratt").pvalue
    assert signed_rank(differences)[0] == pytest.approx(expected, abs=1e-12)


def test_equal_arms_have_p_of_one_and_larger_samples_use_scipy_itself():
    assert signed_rank(np.zeros(5)) == (1.0, "")
    differences = np.random.default_rng(0).normal(0.1, 0.2, 60).round(1)
    assert signed_rank(differences)[0] == wilcoxon(differences, zero_method="pratt").pvalue


def test_differences_that_only_rounding_tells_apart_share_a_rank():
    differences = np.array([0.1 + 0.2, 0.3, -0.3, 0.5])
    assert signed_rank(differences) == signed_rank(np.array([0.3, 0.3, -0.3, 0.5]))


def test_holm_by_hand():
    assert holm([0.01, 0.03, 0.04]) == pytest.approx([0.03, 0.06, 0.06])
    assert np.isnan(holm([NAN, NAN])).all()


@pytest.mark.parametrize(
    ("low", "high", "p", "n", "expected"),
    [
        (0.01, 0.07, 0.01, 20, "better"),
        (-0.07, -0.01, 0.01, 20, "worse"),
        (0.01, 0.07, 0.06, 20, "not shown"),
        (-0.01, 0.07, 0.01, 20, "not shown"),
        (-0.019, 0.019, 0.001, 20, "equivalent"),
        (0.005, 0.015, 0.001, 20, "equivalent"),
        (-0.02, 0.01, 1.0, 20, "not shown"),  # the margin itself is outside
        (-0.001, 0.001, 1.0, 5, "not judged"),
        (None, None, None, 1, "not judged"),
    ],
)
def test_verdicts_follow_from_interval_test_and_margin(low, high, p, n, expected):
    assert verdict_of(low, high, p, n, measure("dice")) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.6, 0.9, "worse"), (-0.9, -0.6, "better"), (-0.4, 0.4, "equivalent"), (-1, 9, "not shown")],
)
def test_where_lower_is_better_a_negative_difference_is_the_better_one(low, high, expected):
    distance = replace(measure("dice"), unit="mm", highest=None, better="lower", margin=0.5)
    assert verdict_of(low, high, 0.01, 20, distance) == expected


def test_measures_that_are_not_tested_are_not_judged():
    assert verdict_of(0.01, 0.07, 0.01, 20, measure("onset_delay_ms")) == "not judged"


def test_ten_thousand_draws_of_a_hundred_subjects_take_under_two_seconds():
    random = np.random.default_rng(0)
    arm, baseline = (
        scores_of(random.integers(0, 90, (100, 3)), random.random(100), structures=6)
        for _ in range(2)
    )
    start = time.process_time()
    times_DS = draw_subjects(100, 10_000, seed=0)
    for metric in ("f1", "dice"):
        assert len(bootstrap(arm, baseline, metric, times_DS)) == 6
    assert time.process_time() - start < 2


@pytest.mark.parametrize(("found", "verdict"), [(0, "not judged"), (1, "equivalent")])
def test_arms_that_both_find_nothing_are_not_called_equivalent(found, verdict):
    same = scores_of([(found, 0, 1)] * 8)
    given = Settings(
        overlap="reference",
        overlap_threshold=0.25,
        ignored_radius_px=7.0,
        measures=(measure("f1"),),
        primary_metrics=("f1",),
        bootstrap_draws=50,
        confidence=0.95,
        alpha=0.05,
        seed=0,
    )
    (difference,) = differences_of(same, same, given, draw_subjects(8, 50, 0))
    assert difference.verdict == verdict
    assert ("neither arm finds it in any subject" in difference.sentence) == (not found)
