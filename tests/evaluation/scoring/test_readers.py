from dataclasses import replace

import numpy as np
import pytest

from fakes.recordings import half_and_half, make_recording
from sonotempo.config import EvaluateConfig
from sonotempo.errors import RecordingError
from sonotempo.evaluation.scoring.readers import Reader, score_pair
from sonotempo.label_origin import Origin
from sonotempo.structures import NERVE_VESSEL

SHAPE = (40, 48)


def reader(folder, name, masks, **more):
    return Reader.of(name, (make_recording(folder / name, 6, masks=masks, **more),))


def compared(one, other):
    return score_pair(one, other, NERVE_VESSEL, EvaluateConfig())


def dice_of(pair, structure="nerve"):
    of = pair.frames[pair.frames["structure"] == structure]
    return of.groupby("arm")["dice"].mean().to_dict()


def test_each_reader_in_turn_is_the_reference(tmp_path):
    half, quarter = half_and_half(SHAPE), half_and_half(SHAPE)
    quarter[20:] = 0
    pair = compared(reader(tmp_path, "anna", {1: half}), reader(tmp_path, "ben", {1: quarter}))
    assert dice_of(pair) == pytest.approx({"anna": 2 / 3, "ben": 2 / 3})
    nerve = pair.frames[pair.frames["structure"] == "nerve"].set_index("arm")
    assert nerve.loc["anna", "reference_px"] == nerve.loc["ben", "predicted_px"] == 480
    assert nerve.loc["anna", "predicted_px"] == 960
    assert (pair.both, pair.alone, pair.unusable) == (1, (0, 0), ())


def test_frames_are_matched_by_number_and_the_others_are_counted(tmp_path):
    half = half_and_half(SHAPE)
    one = reader(tmp_path, "anna", dict.fromkeys((0, 1, 2), half), numbers=(3, 4, 5, 6, 7, 8))
    other = reader(tmp_path, "ben", dict.fromkeys((1, 2, 4, 5), half), numbers=(2, 3, 4, 5, 7, 9))
    pair = compared(one, other)
    assert sorted(set(pair.frames["frame"])) == [3, 4]
    assert (pair.both, pair.alone) == (2, (1, 2))


def test_a_mask_that_nobody_accepted_is_no_readers(tmp_path):
    half = half_and_half(SHAPE)
    origins = {0: Origin("propagated"), 1: Origin("model", "a", is_accepted=True)}
    one = reader(tmp_path, "anna", dict.fromkeys(range(3), half), origins=origins)
    assert sorted(number for _, _, number in one.masks) == [1, 2]
    assert one.accepted == 1


def test_masks_that_cannot_be_compared_are_left_out_with_the_reason(tmp_path):
    half = half_and_half(SHAPE)
    unknown, broken = np.full(SHAPE, 7, np.uint8), RecordingError("x_gt.mhd is damaged")
    one = reader(tmp_path, "anna", dict.fromkeys(range(4), half))
    other = reader(tmp_path, "ben", {0: half, 1: unknown, 2: broken, 3: half})
    small = make_recording(tmp_path / "small", 1, shape_HW=(20, 30), numbers=(3,))
    others = {**other.masks, ("anna", "anna/one", 3): (small, 0)}
    pair = compared(one, replace(other, masks=others))
    assert set(pair.frames["frame"]) == {0}
    assert [reason.split(";")[0] for reason in pair.unusable] == [
        f"the mask of frame 1 of {tmp_path / 'ben' / 'recording.bin'} holds the label value 7, but "
        "only 2 structures are named (nerve, vessel)",
        "x_gt.mhd is damaged",
        "frame 3 of anna/one is 40x48 pixels for anna but 20x30 pixels for ben (rows x columns)",
    ]
    alone = {("anna", "anna/one", 3): (small, 0)}
    with pytest.raises(RecordingError, match=r"none of the 1 frames that anna and ben .*20x30"):
        compared(one, replace(other, masks=alone))


@pytest.mark.parametrize(
    ("mine", "theirs", "known", "differing"),
    [
        ((0.5, 0.5), (0.5, 0.5), True, 0),
        ((0.5, 0.5), None, True, 0),
        (None, None, False, 0),
        ((0.5, 0.5), (0.5, 0.6), False, 1),
    ],
)
def test_nsd_needs_a_spacing_that_both_files_agree_on(tmp_path, mine, theirs, known, differing):
    half = {0: half_and_half(SHAPE)}
    pair = compared(
        reader(tmp_path, "anna", half, spacing_mm=mine),
        reader(tmp_path, "ben", half, spacing_mm=theirs),
    )
    nerve = pair.frames[pair.frames["structure"] == "nerve"]
    assert nerve["nsd"].notna().all() == known
    assert pair.other_spacing == differing


def test_readers_without_a_common_frame_are_told_what_each_has(tmp_path):
    half = {0: half_and_half(SHAPE)}
    one = reader(tmp_path, "anna", half)
    other = reader(tmp_path, "ben", half, subject="AB")
    with pytest.raises(
        RecordingError,
        match=r"no frame in common: anna has 1, such as frame 0 of anna/one and ben has 1,",
    ):
        compared(one, other)
    with pytest.raises(RecordingError, match="and ben has 0;"):
        compared(one, Reader("ben", {}))
