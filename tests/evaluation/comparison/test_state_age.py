from dataclasses import replace

import numpy as np
import pytest

from sonotempo.evaluation.comparison.state_age import state_age_curve
from sonotempo.evaluation.scoring.frames import FrameKey, FrameScore, frame_table


def row(age, dice, *, arm="sequence", subject="A", tp=1, fp=0, fn=0, present=True):
    score = FrameScore(
        "nerve", tp, fp, fn, 0, 0, 0, 0, 1, 9 if present else 0, {"dice": dice, "nsd": np.nan}
    )
    return FrameKey(arm, 0, subject, "scan", age, age), [score]


def test_ages_are_put_into_bins_that_double():
    curve = state_age_curve(frame_table([row(age, 0.5) for age in range(1, 18)]))
    assert list(zip(curve.age_from, curve.age_to, curve.frames, strict=True)) == [
        (1, 1, 1),
        (2, 2, 1),
        (3, 4, 2),
        (5, 8, 4),
        (9, 16, 8),
        (17, 32, 1),
    ]


def test_dice_is_averaged_over_subjects_and_f1_is_of_all_regions():
    frames = [row(3, 0.2), row(4, 0.4, tp=0, fn=1), row(3, 0.9, subject="B", tp=2, fp=1)]
    (point,) = state_age_curve(frame_table(frames)).to_dict("records")
    assert point["dice"] == pytest.approx((0.3 + 0.9) / 2)
    assert point["f1"] == pytest.approx(2 * 3 / (2 * 3 + 2))
    assert (point["subjects"], point["frames"]) == (2, 3)


def test_frames_without_the_structure_have_no_dice_but_their_regions_count():
    frames = [row(1, 0.0, tp=0, fp=1, present=False), row(2, np.nan, tp=0, present=False)]
    one, two = state_age_curve(frame_table(frames)).to_dict("records")
    assert (one["f1"], one["subjects"], str(one["dice"])) == (0.0, 0, "nan")
    assert str(two["f1"]) == "nan"


def test_unknown_ages_are_left_out_and_arms_keep_their_order():
    frames = [row(2, 0.5), row(1, 0.5), row(1, 0.7, arm="frame")]
    key, scores = row(9, 0.1)
    curve = state_age_curve(frame_table([*frames, (replace(key, state_age=0), scores)]))
    assert list(zip(curve.arm, curve.age_to, strict=True)) == [
        ("sequence", 1),
        ("sequence", 2),
        ("frame", 1),
    ]
    assert state_age_curve(frame_table([])).empty
