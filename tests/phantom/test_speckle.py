import numpy as np
import pytest

from sonotempo.phantom.speckle import Reader, Speckle

SHAPE = (180, 220)


@pytest.fixture
def speckle():
    blood = np.arange(40 * SHAPE[1])  # the first 40 rows flow
    return Speckle(np.random.default_rng(0), SHAPE, blood)


def likeness(one, other):
    return abs(np.vdot(one, other)) / np.sqrt(np.vdot(one, one) * np.vdot(other, other)).real


@pytest.mark.parametrize("rho", [1.0, 0.9, 0.5])
def test_speckle_follows_rho_and_keeps_its_power(speckle, rho):
    first = speckle.scatterers_HW.copy()
    for steps in (1, 2, 3):
        speckle.step(rho)
        now = speckle.scatterers_HW
        assert likeness(first[40:], now[40:]) == pytest.approx(rho**steps, abs=0.03)
        assert np.mean(np.abs(now[40:]) ** 2) == pytest.approx(1, abs=0.08)


def test_blood_forgets_faster_than_tissue(speckle):
    first = speckle.scatterers_HW.copy()
    speckle.step(0.98)
    assert likeness(first[:40], speckle.scatterers_HW[:40]) == pytest.approx(0.3, abs=0.05)


def test_new_scatterers_resemble_no_earlier_ones(speckle):
    seen = [np.array(speckle.fresh(SHAPE)) for _ in range(6)]
    assert max(likeness(a, b) for i, a in enumerate(seen) for b in seen[:i]) < 0.1


@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5])
def test_reading_between_pixels_keeps_the_power(speckle, offset):
    z, x = np.mgrid[2:170, 2:210].astype(np.float32) * np.float32(0.2) + np.float32(offset * 0.2)
    read = Reader(x, z, 0.0, 0.2, SHAPE).scatterers(speckle.scatterers_HW)
    assert np.mean(np.abs(read) ** 2) == pytest.approx(1, abs=0.06)


def test_labels_are_read_from_the_nearest_point_and_held_at_the_rim():
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    z, x = (
        np.array([[0.4, 1.6], [-3.0, 9.0]], np.float32),
        np.array([[0.4, 1.6], [-3, 9]], np.float32),
    )
    read = Reader(x, z, 0.0, 1.0, (3, 4)).nearest(labels)
    assert read.tolist() == [[0, 10], [0, 11]]
