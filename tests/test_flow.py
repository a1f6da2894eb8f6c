from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from sonotempo.flow import (
    FINE,
    HELD,
    LONGEST_HOLD,
    STEADY,
    carried,
    followed_stream,
    grid_side,
    track,
)
from sonotempo.phantom.settings import phantom_settings
from sonotempo.phantom.simulate import cast, simulate


def texture(seed: int, size: int = 64) -> np.ndarray:
    """Speckle, as in a picture of tissue: no two seeds are alike."""
    random = np.random.default_rng(seed)
    grey = gaussian_filter(random.rayleigh(1.0, (size, size)), 1.0) * 90
    return np.clip(grey, 0, 255).astype(np.uint8)


def tracked(frames):
    state, motions = None, []
    for frame in frames:
        motion, state = track(frame, state)
        motions.append(motion)
    return motions, state


def weights(motions):
    return [float(motion.weight_hw.mean()) for motion in motions]


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    size=st.sampled_from([32, 64, 96, 160, 256]),
    kinds=st.lists(st.sampled_from(["texture", "black", "white", "noise"]), min_size=1, max_size=5),
)
def test_any_frames_give_finite_motion_and_weights_in_range(seed, size, kinds):
    random = np.random.default_rng(seed)
    make = {
        "texture": lambda: texture(seed % 100, size),
        "black": lambda: np.zeros((size, size), np.uint8),
        "white": lambda: np.full((size, size), 255, np.uint8),
        "noise": lambda: random.integers(0, 256, (size, size)).astype(np.uint8),
    }
    motions, _ = tracked([make[kind]() for kind in kinds])
    side = grid_side(size)
    for motion in motions:
        assert motion.flow_2hw.shape == (2, side, side)
        assert np.isfinite(motion.flow_2hw).all()
        assert motion.weight_hw.min() >= HELD * 0.99
        assert motion.weight_hw.max() <= 1.0001
    assert motions[0].starts
    assert motions[0].network_input().shape == (3, side, side)


def test_motion_is_found_in_pixels_of_the_grid():
    scene = texture(1)
    (_, motion), _ = tracked([scene, np.roll(scene, (3, 1), axis=(0, 1))])
    x, y = (axis[16:48, 16:48].mean() for axis in motion.flow_2hw)
    assert (x, y) == (pytest.approx(-1, abs=0.3), pytest.approx(-3, abs=0.3))


def test_a_freeze_moves_nothing():
    scene = texture(2)
    motions, _ = tracked([scene] * 5)
    assert all(np.abs(motion.flow_2hw).max() < 0.05 for motion in motions[1:])
    assert weights(motions)[1:] == pytest.approx([STEADY] * 4, abs=1e-3)


def test_a_cut_is_held_for_one_frame_and_then_starts_over():
    other = np.random.default_rng(0).choice([10, 240], (16, 16))
    other = np.kron(other, np.ones((4, 4))).astype(np.uint8)
    motions, _ = tracked([texture(1)] * 4 + [other] * 3)
    assert [motion.starts for motion in motions] == [True, *[False] * 4, True, False]
    assert weights(motions)[4] == pytest.approx(HELD)


@pytest.mark.parametrize("kind", ["dark", "noise"])
def test_a_disturbance_is_held_and_the_scene_is_known_again_after_it(kind):
    random = np.random.default_rng(0)
    scene = texture(3)
    bad = {
        "dark": lambda: (scene * 0.05).astype(np.uint8),
        "noise": lambda: np.clip(random.rayleigh(90, scene.shape), 0, 255).astype(np.uint8),
    }[kind]
    motions, _ = tracked([scene] * 4 + [bad() for _ in range(5)] + [scene] * 3)
    assert max(weights(motions)[4:9]) < 0.05
    assert [motion.starts for motion in motions[1:]] == [False] * 11
    assert weights(motions)[9:] == pytest.approx([STEADY] * 3, abs=0.02)


def test_where_contact_is_lost_only_that_part_is_held():
    scene = texture(4)
    lost = scene.copy()
    lost[:, :24] = 3
    motions, _ = tracked([scene] * 4 + [lost] * 3)
    held = motions[-1].weight_hw
    assert held[:, :14].max() < 0.03
    assert held[:, 40:].mean() == pytest.approx(STEADY, abs=0.1)


def test_lost_contact_over_most_of_the_picture_is_no_cut():
    scene = texture(4)
    lost = scene.copy()
    lost[:, :48] = 2
    motions, _ = tracked([scene] * 4 + [lost] * 10 + [scene] * 2)
    assert [motion.starts for motion in motions[1:]] == [False] * 15
    assert motions[10].weight_hw[:, :40].max() < 0.03


def test_darkness_is_not_held_for_ever():
    scene = texture(5)
    motions, _ = tracked([scene] * 4 + [(scene * 0.02).astype(np.uint8)] * (LONGEST_HOLD + 5))
    assert weights(motions)[-1] > STEADY / 2


def test_a_frame_of_another_size_starts_over():
    motions, _ = tracked([texture(1, 64), texture(1, 96)])
    assert motions[1].starts
    assert motions[1].weight_hw.shape == (96, 96)


def probabilities(seed, classes=3, size=64):
    raw = np.random.default_rng(seed).uniform(0.01, 1, (classes, size, size)).astype(np.float32)
    return raw / raw.sum(0)


@pytest.mark.parametrize("size", [64, 256])
def test_carried_probabilities_stay_probabilities_and_inputs_stay_as_they_are(size):
    first, second = probabilities(0, size=size), probabilities(1, size=size)
    motions, _ = tracked([texture(1, size), np.roll(texture(1, size), 2, axis=1)])
    shown, running = carried(None, first, motions[0])
    assert np.array_equal(shown, first)
    before = running.copy()
    shown, after = carried(running, second, motions[1])
    assert np.array_equal(running, before)
    assert np.array_equal(second, probabilities(1, size=size))
    assert shown.shape == second.shape
    assert after.shape == (3, grid_side(size), grid_side(size))
    assert shown.sum(0) == pytest.approx(np.ones((size, size)), abs=1e-4)
    # Mostly the carried ones: that is what steadies a mask.
    assert np.abs(shown - second).mean() > 0.2 * np.abs(first - second).mean()


def test_a_fine_search_keeps_the_shape_and_checks_the_way_back():
    random = np.random.default_rng(0)
    scene = np.clip(gaussian_filter(random.rayleigh(1.0, (120, 700)), 2.0) * 90, 0, 255)
    scene = scene.astype(np.uint8)
    _, state = track(scene, None, FINE)
    motion, state = track(np.roll(scene, 4, axis=1), followed_stream(state), FINE)
    assert motion.flow_2hw.shape == (2, 60, 350), "at most 512 wide"
    assert motion.flow_2hw[0, 20:40, 50:300].mean() == pytest.approx(-2, abs=0.1)
    assert np.median(motion.round_trip_hw) < 0.1
    other = np.clip(gaussian_filter(random.rayleigh(1.0, (120, 700)), 2.0) * 90, 0, 255)
    motion, _ = track(other.astype(np.uint8), state, FINE)
    assert motion.is_held, "as bright as the scene before, but no way leads back"


def test_frames_that_never_follow_one_another_are_taken_one_by_one():
    settings = phantom_settings(
        procedure="lookalikes", size=64, event_rate=0, depth_cm=3, shuffle=True
    )
    motions, _ = tracked(
        [frame.image_HW for frame in islice(simulate(cast(settings, 1), settings), 8)]
    )
    assert all(motion.starts for motion in motions)


def test_two_alike_frames_of_a_slide_show_do_not_make_it_a_stream():
    settings = phantom_settings(
        procedure="lookalikes", size=64, event_rate=0, depth_cm=3, shuffle=True
    )
    slides = [frame.image_HW for frame in islice(simulate(cast(settings, 1), settings), 8)]
    motions, _ = tracked([*slides[:3], slides[2], *slides[3:]])
    assert [motion.starts for motion in motions] == [True] * 3 + [False] + [True] * 5
