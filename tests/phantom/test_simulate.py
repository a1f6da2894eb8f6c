"""Whole frames: masks, vessels, nerves, bone, disturbances, streams, determinism."""

from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from sonotempo.phantom.disturbances import Disturbance
from sonotempo.phantom.motion import Pose
from sonotempo.phantom.settings import phantom_settings
from sonotempo.phantom.simulate import Scan, cast, simulate

REST = Pose(0, 0, 0, 0, 0.3, 0, (0, 0))


def frames(count, number=0, **settings):
    chosen = phantom_settings(**{"size": 128, "event_rate": 0.0, **settings})
    return list(islice(simulate(cast(chosen, number), chosen), count))


def scan(number=0, **settings):
    chosen = phantom_settings(**{"size": 256, "event_rate": 0.0, **settings})
    return Scan(cast(chosen, number), chosen), chosen.structures


def around(inside):
    return binary_dilation(inside, iterations=9) & ~binary_dilation(inside, iterations=4)


@pytest.mark.parametrize("procedure", ["axillary", "femoral"])
def test_masks_hold_the_procedures_labels_only_and_all_of_them(procedure):
    structures = phantom_settings(procedure=procedure).structures
    seen = set()
    for number in range(6):
        (frame,) = frames(1, number, procedure=procedure, depth_cm=5)
        assert frame.image_HW.dtype == frame.mask_HW.dtype == np.uint8
        assert frame.image_HW.shape == frame.mask_HW.shape == (128, 128)
        seen |= set(np.unique(frame.mask_HW))
    assert seen == set(range(structures.channels))


def test_blood_is_darker_than_what_is_around_it():
    for number in range(3):
        one, structures = scan(number)
        frame = one.frame(0, REST)
        blood = frame.mask_HW == structures.label("blood")
        ring = around(blood) & (frame.mask_HW == 0)
        assert frame.image_HW[blood].mean() < 0.7 * frame.image_HW[ring].mean()


def test_a_nerve_fades_with_tilt_and_does_not_move():
    one, structures = scan(procedure="femoral")
    best = one.plane.nerves[0].nerve.best_tilt_deg
    seen = one.frame(0, replace(REST, tilt_deg=best))
    faded = one.frame(1, replace(REST, tilt_deg=best + 13))
    np.testing.assert_array_equal(seen.mask_HW, faded.mask_HW)
    nerve = seen.mask_HW == structures.label("femoral nerve")
    assert seen.nerve_gains["femoral nerve"] == 1
    assert faded.nerve_gains["femoral nerve"] < 0.3
    assert faded.image_HW[nerve].mean() < 0.75 * seen.image_HW[nerve].mean()
    rest = ~binary_dilation(nerve, iterations=8) & (seen.image_HW > 0)
    difference = seen.image_HW[rest].astype(float).mean() - faded.image_HW[rest].mean()
    assert abs(difference) < 1.0


def test_below_bone_it_is_dark():
    one, structures = scan(1, depth_cm=6)
    frame = one.frame(0, REST)
    bone = frame.mask_HW == structures.label("bone")
    columns = np.flatnonzero(bone.sum(axis=0) > 0.6 * bone.sum(axis=0).max())
    last = bone.shape[0] - np.argmax(bone[::-1], axis=0)
    shadow = [frame.image_HW[last[c] + 12 : last[c] + 40, c].mean() for c in columns]
    surface = [frame.image_HW[:, c][bone[:, c]].max() for c in columns]
    assert np.mean(shadow) < 0.25 * np.mean(surface)


def test_speckle_stays_with_the_tissue_until_the_plane_changes():
    one, _ = scan()
    still = one.frame(0, REST).image_HW.astype(float)
    step = one.plane.spacing_mm
    moved = one.frame(1, replace(REST, lateral_mm=3 * step)).image_HW.astype(float)
    top = slice(10, 120)
    assert np.corrcoef(still[top, 13:-10].ravel(), moved[top, 10:-13].ravel())[0, 1] > 0.95


def test_a_stream_has_its_clock_and_never_ends():
    line = frames(30, frame_rate_hz=10)
    assert [frame.index for frame in line] == list(range(30))
    assert [frame.timestamp_ns for frame in line] == [i * 100_000_000 for i in range(30)]
    assert len({frame.image_HW.tobytes() for frame in line}) == 30


def test_disturbances_leave_their_marks():
    line = frames(160, event_rate=4.0, size=64, seed=2, depth_cm=5)
    steps = np.diff([frame.index for frame in line])
    assert steps.max() > 1  # dropped
    frozen = [i for i, frame in enumerate(line) if frame.disturbance.frozen and i]
    assert frozen
    for i in frozen:
        np.testing.assert_array_equal(line[i].image_HW, line[i - 1].image_HW)
        np.testing.assert_array_equal(line[i].mask_HW, line[i - 1].mask_HW)
        assert line[i].timestamp_ns > line[i - 1].timestamp_ns
    depths = {frame.depth_mm for frame in line}
    assert len(depths) > 1
    assert len({frame.spacing_mm for frame in line}) > 1


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    once, again = (
        [frame.image_HW.tobytes() + frame.mask_HW.tobytes() for frame in frames(5, event_rate=2.0)]
        for _ in range(2)
    )
    assert once == again
    assert once[0] != frames(1, seed=1)[0].image_HW.tobytes()


def test_a_subject_does_not_depend_on_how_many_there_are():
    few, many = (phantom_settings(subjects=count) for count in (2, 50))
    assert cast(few, 1) == cast(many, 1)


def test_subjects_take_turns_on_the_scanners():
    settings = phantom_settings()
    assert len({cast(settings, number).scanner.name for number in range(3)}) == 3


def test_the_depth_shows_the_nerves_unless_it_is_given():
    settings = phantom_settings()
    for number in range(12):
        start = cast(settings, number)
        assert 2.5 <= start.depth_cm <= 5
        assert 10 * start.depth_cm > start.subject.deepest_target_mm
    assert cast(phantom_settings(depth_cm=7.3), 0).depth_cm == 7.3


def overlap(one, other):
    both = ((one.mask_HW == 1) & (other.mask_HW == 1)).sum()
    return 2 * both / max(1, (one.mask_HW == 1).sum() + (other.mask_HW == 1).sum())


def test_shuffled_frames_tell_nothing_about_each_other():
    line, shuffled = (frames(8, size=64, shuffle=shuffle) for shuffle in (False, True))
    assert np.mean([overlap(a, b) for a, b in pairwise(line)]) > 0.85
    next_one = [overlap(a, b) for a, b in pairwise(shuffled)]
    far_one = [overlap(a, b) for a, b in zip(shuffled, shuffled[4:], strict=False)]
    assert np.mean(next_one) < 0.6
    assert abs(np.mean(next_one) - np.mean(far_one)) < 0.3


def test_a_live_scan_has_wide_frames_all_depths_and_may_leave_periods_out():
    chosen = phantom_settings(size=96, event_rate=0.0, frame_rate_hz=20)
    start = cast(chosen, 1)
    one = Scan(start, chosen, width=160, has_all_depths=True)
    first, later = one.next(0), one.next(7)
    assert first.image_HW.shape == first.mask_HW.shape == (96, 160)
    assert later.timestamp_ns == 350_000_000
    for step, depth_cm in ((-9, min(start.depths_cm)), (9, max(start.depths_cm))):
        frame = one.next(8, Disturbance(depth_step=step))
        assert frame.depth_mm == 10 * depth_cm
        assert frame.image_HW[:, : one.area.left].max(initial=0) == 0
        assert frame.image_HW[: one.area.bottom, one.area.left : one.area.right].mean() > 5


def test_gain_lifts_a_live_scan_without_changing_its_mask():
    chosen = phantom_settings(size=96, event_rate=0.0)
    plain, turned = (Scan(cast(chosen, 0), chosen) for _ in range(2))
    turned.turn_gain(8)
    before, after = plain.next(0), turned.next(0)
    np.testing.assert_array_equal(before.mask_HW, after.mask_HW)
    assert after.image_HW.mean() > before.image_HW.mean() + 10
