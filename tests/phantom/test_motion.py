from dataclasses import replace

import numpy as np
import pytest

from sonotempo.phantom.motion import Motion, kept_correlation, nerve_gain, pulse_wave, vein_opening
from sonotempo.phantom.settings import phantom_settings


def motion(seed=0, **settings):
    return Motion(np.random.default_rng(seed), phantom_settings(**settings))


def poses(seconds=20.0, rate=20, **settings):
    moving = motion(**settings)
    return [moving.pose(i / rate) for i in range(round(seconds * rate))]


def test_motion_is_smooth_and_bounded_for_ever():
    for start in (0.0, 1e6):
        moving = motion()
        line = [moving.pose(start + i / 20) for i in range(200)]
        assert all(0 <= pose.pressure <= 1 for pose in line)
        assert all(0 <= pose.pulse <= 1.1 for pose in line)
        assert max(abs(np.diff([pose.lateral_mm for pose in line]))) < 1.0
        assert max(abs(pose.lateral_mm) for pose in line) < 8.5


def test_the_heart_beats_50_to_120_times_a_minute():
    for seed in range(4):
        moving = motion(seed)
        pulse = np.array([moving.pose(i / 100).pulse for i in range(3000)])
        beats = np.sum((pulse[:-1] < 0.5) & (pulse[1:] >= 0.5))
        assert 24 <= beats <= 61


def test_the_pulse_rises_fast_and_falls_slowly():
    wave = [pulse_wave(phase) for phase in np.linspace(0, 0.999, 200)]
    assert np.argmax(wave) < 0.2 * len(wave)
    assert wave[-1] < 0.05


@pytest.mark.parametrize(("fading", "low", "high"), [(0.0, 0, 1.0), (1.0, 12, 16)])
def test_fading_is_how_far_the_probe_tilts(fading, low, high):
    largest = max(abs(pose.tilt_deg) for pose in poses(60, fading=fading))
    assert low <= largest <= high


def test_a_nerve_is_gone_at_the_tilt_at_which_it_was_seen_to_go():
    assert nerve_gain(70, 2.0, 2.0) == 1
    assert 20 * np.log10(nerve_gain(70, 0, 12)) < -12


def test_standing_still_keeps_the_speckle_and_moving_across_the_plane_loses_it():
    pose = poses(0.1)[0]
    assert kept_correlation(pose, pose, 1.0) == 1
    moved = replace(pose, across_mm=pose.across_mm + 0.4)
    assert kept_correlation(pose, moved, 1.0) == pytest.approx(np.exp(-1 / 4))
    assert kept_correlation(pose, moved, 0.0) == 1
    assert kept_correlation(pose, replace(pose, lateral_mm=9.0), 1.0) == 1
    assert kept_correlation(pose, replace(pose, tilt_deg=pose.tilt_deg + 3), 1.0) < 0.6


def test_pressure_shuts_veins():
    openings = [vein_opening(pressure, 0.5) for pressure in np.linspace(0, 1, 20)]
    assert np.all(np.diff(openings) < 0)
    assert openings[-1] < 0.12
