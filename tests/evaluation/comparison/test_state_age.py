import numpy as np
import pytest

from sonotempo.evaluation.comparison.state_age import state_age_curve
from sonotempo.evaluation.scoring.frames import FrameKey, FrameScore, frame_table


def row(age, dice, *, arm="sequence", subject="A", tp=1, fp=0, fn=0, present=True):
    score = FrameScore(
        "nerve", tp, fp, fn, 0, 0, 0, 0, 1, 9 if present else 0, {"dice": dice, "nsd": np.nan}
    )
    return FrameKey(arm, 0, subject, "scan", age, age), [score]


def curve_of(rows, arm="sequence"):
    return state_age_curve(arm, frame_table(rows), "reference")


def test_ages_are_put_into_bins_that_double():
    curve = curve_of([row(age, 0.5) for age in range(1, 18)])
    assert [(one.first, one.last, one.frames) for one in curve] == [
        (1, 1, 1),
        (2, 2, 1),
        (3, 4, 2),
        (5, 8, 4),
        (9, 16, 8),
        (17, 32, 1),
    ]


def test_dice_is_averaged_over_subjects_and_f1_is_of_all_regions():
    (point,) = curve_of(
        [row(3, 0.2), row(4, 0.4, tp=0, fn=1), row(3, 0.9, subject="B", tp=2, fp=1)]
    )
    assert point.dice == pytest.approx((0.3 + 0.9) / 2)
    assert point.f1 == pytest.approx(2 * 3 / (2 * 3 + 2))
    assert (point.subjects, point.frames) == (2, 3)


def test_frames_without_the_structure_have_no_dice_but_their_regions_count():
    one, two = curve_of(
        [row(1, 0.0, tp=0, fp=1, present=False), row(2, np.nan, tp=0, present=False)]
    )
    assert (one.f1, one.subjects, one.dice) == (0.0, 0, None)
    assert two.f1 is None
