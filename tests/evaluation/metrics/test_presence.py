"""Events on toy sequences worked out by hand; a frame takes 100 ms unless said otherwise."""

import math

import numpy as np
import pytest

from sonotempo.evaluation.metrics.presence import (
    continuity,
    dropout_p95_ms,
    dropouts_per_min,
    flicker_per_s,
    ghosting_ms,
    onset_delay_ms,
    runs,
)


def flags(text):
    """Read '##.#' as True, True, False, True."""
    return np.array([mark == "#" for mark in text])


def times(count, period_ms=100):
    return np.arange(count, dtype=np.int64) * period_ms * 1_000_000


def test_runs_are_found_at_both_ends():
    assert runs(flags("##..#")) == [range(0, 2), range(4, 5)]
    assert runs(flags("....")) == []


@pytest.mark.parametrize(
    ("predicted", "present", "expected"),
    [
        ("###########", "###########", 0.0),
        ("#.#########", "###########", 2.0),  # two flips in one second
        ("#####......", "#####......", 0.0),  # flips with the reference
        ("###########", "#####......", -1.0),  # never notices
        ("#.#.#.#.#.#", "#####......", 9.0),  # ten flips against one
        ("...........", "...........", 0.0),
    ],
)
def test_flicker_counts_flips_beyond_the_reference_s_per_second(predicted, present, expected):
    value = flicker_per_s(flags(predicted), flags(present), times(11))
    assert value == pytest.approx(expected)


def test_flicker_follows_the_time_stamps():
    predicted, present = flags("#.#"), flags("###")
    assert flicker_per_s(predicted, present, times(3, 250)) == pytest.approx(4.0)
    assert math.isnan(flicker_per_s(flags("#"), flags("#"), times(1)))


@pytest.mark.parametrize(
    ("found", "present", "expected"),
    [
        ("###...", "######", 0.0),
        (".###..", "######", 100.0),
        ("##.###", "######", 300.0),  # the first two are not three on end
        ("...###", "..####", 100.0),  # from the onset in the reference, not from the start
        ("##.##.", "######", math.nan),  # never three on end: censored
        ("......", "######", math.nan),
        ("......", "......", math.nan),
        ("......###", "##...####", 600.0),  # missed at first: the delay is from the first onset
    ],
)
def test_onset_delay_is_from_the_reference_to_the_first_of_three(found, present, expected):
    value = onset_delay_ms(flags(found), flags(present), times(len(found)))
    assert value == pytest.approx(expected, nan_ok=True)


def test_onset_delay_follows_the_time_stamps():
    stamps = np.array([0, 40, 90, 190, 290], np.int64) * 1_000_000
    assert onset_delay_ms(flags("..###"), flags("#####"), stamps) == 90.0


@pytest.mark.parametrize(
    ("found", "present", "per_min", "p95_ms"),
    [
        ("##########", "##########", 0.0, 0.0),
        # One loss of three frames in one second.
        ("####...###", "##########", 60.0, 300.0),
        # Losses of one and three frames; np.percentile([100, 300], 95) = 290.
        ("##.##...##", "##########", 120.0, 290.0),
        # Misses before the first detection are no losses; half a second is left after it.
        (".....#.###", "##########", 120.0, 100.0),
        # While the reference does not show it there is nothing to lose: 7 frames are left.
        ("###...#.##", "###...####", 600 / 7, 100.0),
        # Lost before the gap and after it: two losses.
        ("##....#.##", "###...####", 1200 / 7, 100.0),
        ("..........", "##########", math.nan, math.nan),
    ],
)
def test_dropouts_are_losses_after_the_first_detection(found, present, per_min, p95_ms):
    given = flags(found), flags(present), times(10)
    assert dropouts_per_min(*given) == pytest.approx(per_min, nan_ok=True)
    assert dropout_p95_ms(*given) == pytest.approx(p95_ms, nan_ok=True)


@pytest.mark.parametrize(
    ("found", "present", "expected"),
    [
        ("##########", "##########", 1.0),
        ("###.####..", "##########", 0.4),
        ("..........", "##########", 0.0),
        ("..##......", "..####....", 0.5),
        # 2 of 4 and 1 of 2 frames.
        ("##.#..#...", "####..##..", 0.5),
        ("..........", "..........", math.nan),
    ],
)
def test_continuity_is_the_longest_run_over_the_segment(found, present, expected):
    assert continuity(flags(found), flags(present)) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("invented", "present", "expected"),
    [
        ("..........", "#####.....", 0.0),
        (".....###..", "#####.....", 300.0),
        # A false positive that does not follow at once is no ghost.
        ("......###.", "#####.....", 0.0),
        # Beside a true positive it is none either: the structure is still there.
        ("...####...", "#####.....", 200.0),
        # Two ends, 200 and 0 ms.
        ("..##......", "##...##...", 100.0),
        # The last frame lasts as long as the others.
        (".....#####", "#####.....", 500.0),
        ("##........", "..########", math.nan),
        ("..........", "..........", math.nan),
    ],
)
def test_ghosting_lasts_from_the_reference_s_end(invented, present, expected):
    value = ghosting_ms(flags(invented), flags(present), times(10))
    assert value == pytest.approx(expected, nan_ok=True)


def test_arrays_of_other_lengths_and_times_that_stand_still_are_refused():
    with pytest.raises(ValueError, match="one value a frame"):
        continuity(flags("##"), flags("###"))
    with pytest.raises(ValueError, match="do not increase"):
        flicker_per_s(flags("##"), flags("##"), np.zeros(2, np.int64))
