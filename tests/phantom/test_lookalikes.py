from itertools import islice

import numpy as np
import pytest

from sonotempo.phantom.lookalikes import LOOK_ALIKE_GAIN, draw_lookalikes
from sonotempo.phantom.settings import phantom_settings
from sonotempo.phantom.simulate import cast, simulate


def settings(**changes):
    return phantom_settings(
        **{"procedure": "lookalikes", "size": 64, "event_rate": 0, "depth_cm": 3} | changes
    )


def frames_of(count, number=0, **changes):
    wanted = settings(**changes)
    return list(islice(simulate(cast(wanted, number), wanted), count))


def test_one_of_seven_bodies_is_the_nerve_and_none_is_favoured():
    nerves, others, first = [], [], []
    for seed in range(300):
        subject = draw_lookalikes(np.random.default_rng(seed), 1.0)
        labelled = [nerve.labelled for nerve in subject.nerves]
        assert len(labelled) == 7
        assert sum(labelled) == 1
        first.append(labelled[0])
        for nerve in subject.nerves:
            place = (
                nerve.border.x_mm,
                nerve.border.z_mm,
                nerve.border.half_width_mm,
                nerve.echo_db,
            )
            (nerves if nerve.labelled else others).append(place)
    assert np.mean(nerves, axis=0) == pytest.approx(np.mean(others, axis=0), abs=1.0)
    assert np.std(nerves, axis=0) == pytest.approx(np.std(others, axis=0), abs=1.0)
    assert np.mean(first) == pytest.approx(1 / 7, abs=0.07), "painted in any order"


def test_a_faded_nerve_is_as_bright_as_its_look_alikes_and_a_visible_one_is_brighter():
    inside, around = {True: [], False: []}, {True: [], False: []}
    for number in range(8):
        for frame in frames_of(30, number)[::6]:
            gain = frame.nerve_gains["nerve"]
            if LOOK_ALIKE_GAIN + 0.01 < gain < 0.99 or not (frame.mask_HW == 2).any():
                continue
            visible = "nerve" in frame.visible
            assert visible == (gain > 0.9)
            inside[visible].append(frame.image_HW[frame.mask_HW == 2].mean())
            around[visible].append(frame.image_HW.mean())
    contrast = {key: np.mean(inside[key]) / np.mean(around[key]) for key in (True, False)}
    assert contrast[True] > 1.6 * contrast[False]


def test_the_same_seed_gives_the_same_frames():
    for one, other in zip(frames_of(3, 1), frames_of(3, 1), strict=True):
        assert np.array_equal(one.image_HW, other.image_HW)
        assert np.array_equal(one.mask_HW, other.mask_HW)


def test_nerves_of_other_procedures_are_visible_by_their_tilt():
    frames = frames_of(80, procedure="femoral", depth_cm=None, fading=1.0)
    for frame in frames:
        assert ("femoral nerve" in frame.visible) == (frame.nerve_gains["femoral nerve"] >= 0.3)
        assert "blood" in frame.visible


def test_what_lies_under_lost_contact_cannot_be_seen():
    frames = frames_of(200, 2, event_rate=2.0, fading=0.0)
    lost = [f for f in frames if f.disturbance.lifted > 0.4 and not f.disturbance.frozen]
    assert lost
    hidden = [f for f in lost if f.visible != {"blood", "nerve"}]
    assert hidden
    for frame in hidden:
        for label, name in enumerate(("blood", "nerve"), start=1):
            if name not in frame.visible:
                pixels = frame.image_HW[frame.mask_HW == label]
                assert pixels.mean() < frame.image_HW.mean() + 5
