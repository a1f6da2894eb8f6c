from dataclasses import replace

import numpy as np
import pytest

from sonotempo.phantom.axillary import draw_axillary
from sonotempo.phantom.displacement import tissue_coordinates
from sonotempo.phantom.motion import Pose

REST = Pose(0, 0, 0, 0, 0.3, 0, (0, 0))
X = np.linspace(-19, 19, 200, dtype=np.float32)
Z = np.linspace(0.1, 30, 160, dtype=np.float32)


@pytest.fixture(scope="module")
def subject():
    return draw_axillary(np.random.default_rng(3), 1.0)


def alone(subject, *, artery):
    """The subject with only its artery, or only its first vein, and nothing that drifts."""
    vessels = [vessel for vessel in subject.vessels if vessel.artery == artery][:1]
    still = [replace(vessel, obliquity=(0.0, 0.0)) for vessel in vessels]
    return replace(subject, vessels=tuple(still), nerves=())


def lumen_px(subject, pose):
    x, z = tissue_coordinates(X, Z, pose, subject)
    return np.sum(np.hypot(*subject.vessels[0].lumen.local(x, z)) < 1)


def test_a_slide_of_the_probe_shifts_everything(subject):
    x, z = tissue_coordinates(X, Z, replace(REST, lateral_mm=2.5), alone(subject, artery=True))
    np.testing.assert_allclose(x[0], X + 2.5, atol=1e-5)
    np.testing.assert_allclose(z[:, 0], Z, atol=1e-5)


def test_pressure_shows_deeper_tissue(subject):
    _, z = tissue_coordinates(X, Z, replace(REST, pressure=1.0), alone(subject, artery=True))
    assert z[-1, 0] > Z[-1] + 0.5
    assert np.all(np.diff(z[:, 0]) > 0)


def test_a_pulse_widens_the_artery_by_its_pulsation(subject):
    patient = alone(subject, artery=True)
    growth = 1 + patient.vessels[0].pulsation
    ratio = lumen_px(patient, replace(REST, pulse=1.0)) / lumen_px(patient, REST)
    assert ratio == pytest.approx(growth**2, rel=0.04)


def test_pressure_flattens_the_vein_and_breath_moves_the_depth(subject):
    patient = alone(subject, artery=False)
    assert lumen_px(patient, replace(REST, pressure=1.0)) < 0.35 * lumen_px(patient, REST)
    _, z = tissue_coordinates(X, Z, replace(REST, breath_mm=(0.0, 0.5)), patient)
    assert z[-1, 0] == pytest.approx(Z[-1] + 0.5, abs=0.01)


def test_tilt_out_of_the_plane_moves_nothing(subject):
    for still, tilted in zip(
        tissue_coordinates(X, Z, REST, subject),
        tissue_coordinates(X, Z, replace(REST, tilt_deg=12.0), subject),
        strict=True,
    ):
        np.testing.assert_array_equal(still, tilted)


def test_moving_across_the_plane_shifts_each_body_by_its_obliquity(subject):
    nerve = replace(subject.nerves[0], obliquity=(0.25, 0.0))
    patient = replace(subject, nerves=(nerve,), vessels=())
    x, _ = tissue_coordinates(X, Z, replace(REST, across_mm=4.0), patient)
    row = np.argmin(abs(Z - nerve.border.z_mm))
    column = np.argmin(abs(X - nerve.border.x_mm))
    assert x[row, column] == pytest.approx(X[column] - 1.0, abs=0.05)
