"""Frame scores, and tables added up by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sonotempo.config import EvaluateConfig
from sonotempo.evaluation.scoring.frames import (
    FRAME_COLUMNS,
    MEANS,
    FrameKey,
    FrameScore,
    frame_table,
    per_subject,
    pooled,
    score_frame,
)
from sonotempo.measures import COMPARED
from sonotempo.structures import FEMORAL, structure_set

CONFIG = EvaluateConfig()
NAN = float("nan")


def score(structure, tp=0, fp=0, fn=0, pixels=(0, 0, 0), *, iou=None, **values):
    intersection, predicted, reference = pixels
    total = predicted + reference
    dice = 2 * intersection / total if total else NAN
    measured = dict.fromkeys((of.column for of in MEANS.values()), NAN) | {"dice": dice} | values
    return FrameScore(structure, tp, fp, fn, *(iou or (tp, fp, fn)), *pixels, measured)


def frames_of(*rows):
    """Make a table of frames from (arm, subject, frame, score)."""
    return frame_table(
        [(FrameKey(arm, 0, subject, "scan", frame), [of]) for arm, subject, frame, of in rows]
    )


# One arm, one structure, three subjects: A is mixed, B is perfect, C never has the structure and
# is once accused of it.
FRAMES = frames_of(
    ("frame", "A", 0, score("nerve", 1, 1, 0, (30, 60, 40))),  # Dice 0.6
    ("frame", "A", 1, score("nerve", 0, 0, 1, (0, 0, 50))),  # Dice 0
    ("frame", "B", 0, score("nerve", 2, 0, 0, (50, 50, 50))),  # Dice 1
    ("frame", "B", 1, score("nerve")),  # empty-empty
    ("frame", "C", 0, score("nerve", 0, 1, 0, (0, 20, 0))),  # Dice 0, absent
    ("frame", "C", 1, score("nerve")),
)


def test_a_frame_is_scored_per_structure_under_both_readings():
    reference = np.zeros((256, 256), np.uint8)
    reference[10:40, 10:40] = 1
    reference[100:130, 100:130] = 3
    prediction = np.zeros_like(reference)
    prediction[0:80, 0:80] = 1  # all of the reference, but 900 of 6400 pixels of the union
    prediction[200:230, 200:230] = 2
    blood, bone, nerve = score_frame(prediction, reference, FEMORAL, CONFIG)
    for one, name, counts, dice in (
        (blood, "blood", (1, 0, 0, 0, 1, 1, 900, 6400, 900), 1800 / 7300),
        (bone, "bone", (0, 1, 0, 0, 1, 0, 0, 900, 0), 0.0),
        (nerve, "femoral nerve", (0, 0, 1, 0, 0, 1, 0, 0, 900), 0.0),
    ):
        assert one == FrameScore(name, *counts, one.values)
        assert one.values["dice"] == dice


def test_the_ignored_radius_scales_with_the_grid_and_follows_the_config():
    labels = np.zeros((128, 128), np.uint8)
    labels[:6, :6] = 1  # 36 pixels: below 38.5 on this grid
    assert score_frame(labels, labels, FEMORAL, CONFIG)[0].tp_reference == 0
    labels[:6, 6] = 1  # 42
    assert score_frame(labels, labels, FEMORAL, CONFIG)[0].tp_reference == 1
    larger = EvaluateConfig(ignored_radius_px=8)
    assert score_frame(labels, labels, FEMORAL, larger)[0].tp_reference == 0


def test_the_threshold_follows_the_config():
    reference = np.zeros((256, 256), np.uint8)
    reference[:40, :40] = 1
    prediction = np.zeros_like(reference)
    prediction[:40, :20] = 1
    counts = [
        score_frame(prediction, reference, FEMORAL, EvaluateConfig(overlap_threshold=t))[0]
        for t in (0.25, 0.5)
    ]
    assert [one.tp_reference for one in counts] == [1, 0]


@settings(max_examples=30)
@given(
    arrays(np.uint8, (8, 8), elements=st.integers(0, 3)),
    arrays(np.uint8, (8, 8), elements=st.integers(0, 3)),
    st.permutations([1, 2, 3]),
)
def test_renaming_the_labels_of_both_masks_renames_the_scores(prediction, reference, order):
    config = EvaluateConfig(ignored_radius_px=24)  # 1.8 pixels on a grid of 8
    names = structure_set(["a", "b", "c"])
    renamed = np.array([0, *order], np.uint8)
    before = score_frame(prediction, reference, names, config)
    after = score_frame(renamed[prediction], renamed[reference], names, config)
    for old, new in zip(before, (after[label - 1] for label in order), strict=True):
        # As text, because NaN differs from itself.
        assert str(replace(old, structure="")) == str(replace(new, structure=""))


def test_boundaries_are_scored_where_the_spacing_is_known():
    labels = np.zeros((256, 256), np.uint8)
    labels[10:40, 10:40] = 1
    shifted = np.roll(labels, 3, axis=0)
    unknown = score_frame(shifted, labels, FEMORAL, CONFIG)
    assert all(np.isnan(one.values["nsd"]) for one in unknown)
    near = score_frame(shifted, labels, FEMORAL, CONFIG, spacing_mm=(0.3, 0.3))
    assert (near[0].values["nsd"], str(near[1].values["nsd"])) == (1.0, "nan")
    strict = EvaluateConfig(nsd_tolerance_mm=0.5)
    assert score_frame(shifted, labels, FEMORAL, strict, (0.3, 0.3))[0].values["nsd"] < 1


def test_nsd_is_averaged_over_the_frames_with_the_structure():
    scores = [
        score("nerve", 1, 0, 0, (9, 9, 9), nsd=0.5),
        score("nerve", 1, 0, 0, (9, 9, 9), nsd=1.0),
        score("nerve", 0, 1, 0, (0, 9, 0), nsd=0.0),  # absent
    ]
    (row,) = pooled(frames_of(*(("frame", "A", i, one) for i, one in enumerate(scores)))).to_dict(
        "records"
    )
    assert row["nsd"] == 0.75


def test_a_table_of_frames_has_the_agreed_columns_and_types_even_when_empty():
    assert tuple(FRAMES.columns) == FRAME_COLUMNS
    assert (
        *("arm", "fold", "subject", "recording", "frame", "state_age", "structure"),
        *("tp_reference", "fp_reference", "fn_reference", "tp_iou", "fp_iou", "fn_iou"),
        *("intersection_px", "predicted_px", "reference_px"),
        *dict.fromkeys(of.column for of in MEANS.values()),
    ) == FRAME_COLUMNS
    empty = frame_table([])
    assert list(empty.dtypes) == list(FRAMES.dtypes)
    assert empty["fold"].dtype == np.int64
    assert empty["dice"].dtype == np.float64


def test_pooling_adds_counts_over_frames_and_averages_dice_over_them():
    (row,) = pooled(FRAMES).to_dict("records")
    assert (row["arm"], row["structure"], row["frames"]) == ("frame", "nerve", 6)
    assert (row["tp"], row["fp"], row["fn"]) == (3, 2, 1)
    assert row["precision"] == pytest.approx(3 / 5)
    assert row["recall"] == pytest.approx(3 / 4)
    assert row["f1"] == pytest.approx(6 / 9)
    assert row["dice"] == pytest.approx((0.6 + 0 + 1) / 3)
    assert row["dice_all"] == pytest.approx((0.6 + 0 + 1 + 0) / 4)


def test_each_subject_is_pooled_over_its_frames():
    table = per_subject(FRAMES).set_index("subject")
    assert list(table.index) == ["A", "B", "C"]
    expected = pd.DataFrame(
        {
            "precision": [0.5, 1.0, 0.0],
            "recall": [0.5, 1.0, NAN],
            "f1": [0.5, 1.0, 0.0],
            "dice": [0.3, 1.0, NAN],
            "dice_all": [0.3, 1.0, 0.0],
        },
        index=table.index,
    )
    pd.testing.assert_frame_equal(table[list(expected)], expected)
    assert table["nsd"].isna().all()


def test_dice_of_a_subject_is_averaged_over_its_recordings_and_regions_are_summed():
    long = [
        (FrameKey("frame", 0, "A", "long", i), [score("nerve", 1, 0, 0, (9, 9, 9))])
        for i in range(3)
    ]
    short = (FrameKey("frame", 0, "A", "short", 0), [score("nerve", 0, 1, 1, (0, 5, 5))])
    (row,) = per_subject(frame_table([*long, short])).to_dict("records")
    assert row["dice"] == row["dice_all"] == 0.5  # of recordings with 1 and 0
    assert row["f1"] == pytest.approx(6 / 8)  # of 3 true, 1 false and 1 missed region
    assert row["frames"] == 4
    absent = (FrameKey("frame", 0, "A", "empty", 0), [score("nerve")])
    (row,) = per_subject(frame_table([*long, absent])).to_dict("records")
    assert row["dice"] == 1  # a recording without the structure has no Dice to average


def test_without_regions_every_ratio_is_undefined():
    frames = frames_of(("frame", "A", 0, score("nerve")), ("frame", "A", 1, score("nerve")))
    (row,) = pooled(frames).to_dict("records")
    assert row["frames"] == 2
    assert all(np.isnan(row[one.name]) for one in COMPARED)


def test_the_reading_chooses_the_counts():
    frames = frames_of(("frame", "A", 0, score("nerve", 1, 0, 0, (9, 90, 9), iou=(0, 1, 1))))
    assert pooled(frames)["f1"].item() == 1
    assert pooled(frames, "iou")["f1"].item() == 0


def test_arms_and_structures_stay_apart_and_in_order():
    rows = [
        (arm, subject, 0, score(structure, 1, extra, 0, (9, 9, 9)))
        for arm, extra in (("sequence", 0), ("frame", 1))
        for subject in ("B", "A")
        for structure in ("vein", "artery")
    ]
    table = pooled(frames_of(*rows))
    assert list(zip(table["arm"], table["structure"], strict=True)) == [
        ("sequence", "vein"),
        ("sequence", "artery"),
        ("frame", "vein"),
        ("frame", "artery"),
    ]
    assert list(table["precision"]) == [1, 1, 0.5, 0.5]


def test_the_order_of_the_rows_changes_no_number():
    shuffled = FRAMES.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(pooled(FRAMES), pooled(shuffled))


def test_a_table_that_cannot_be_added_up_is_named():
    with pytest.raises(ValueError, match="lacks reference_px, dice; make it with frame_table"):
        pooled(FRAMES.drop(columns=["dice", "reference_px"]))
    with pytest.raises(ValueError, match="rows without subject"):
        pooled(FRAMES.assign(subject=[None, *"ABCDE"]))
    with pytest.raises(ValueError, match=r"6 rows score a frame a second time.*subject A"):
        per_subject(pd.concat([FRAMES, FRAMES.assign(fold=1)]))


def test_distances_leave_out_missed_and_absent_structures():
    scores = [
        score("nerve", 1, 0, 0, (9, 9, 9), hd95=1.0),
        score("nerve", 1, 0, 0, (9, 9, 9), hd95=2.0),
        score("nerve", 0, 0, 1, (0, 0, 9)),  # missed
        score("nerve", 0, 1, 0, (0, 9, 0)),  # invented
    ]
    frames = frames_of(*(("frame", "A", i, one) for i, one in enumerate(scores)))
    assert pooled(frames)["hd95"].item() == 1.5
    missed = frames_of(("frame", "A", 0, scores[2]))
    assert np.isnan(pooled(missed)["hd95"].item())
