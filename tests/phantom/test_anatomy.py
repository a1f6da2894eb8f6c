"""Both procedures: what is drawn, how far it varies, and that bodies keep clear of each other."""

import numpy as np
import pytest

from sonotempo.phantom.anatomy import Ellipse, free_place
from sonotempo.phantom.axillary import draw_axillary
from sonotempo.phantom.femoral import draw_femoral

DRAWS = {"axillary": draw_axillary, "femoral": draw_femoral}


def people(procedure, count=40, variability=1.0):
    return [DRAWS[procedure](np.random.default_rng(i), variability) for i in range(count)]


def area(nerve):
    return np.pi * nerve.border.half_width_mm * nerve.border.half_height_mm


@pytest.mark.parametrize("procedure", DRAWS)
def test_vessels_keep_clear_of_the_skin_and_of_each_other(procedure):
    for subject in people(procedure, 100):
        for vessel in subject.vessels:
            assert vessel.lumen.z_mm - vessel.lumen.half_height_mm > subject.skin_mm
        for i, one in enumerate(subject.vessels):
            for other in subject.vessels[i + 1 :]:
                gap = np.hypot(one.lumen.x_mm - other.lumen.x_mm, one.lumen.z_mm - other.lumen.z_mm)
                assert gap > 0.6 * (one.lumen.half_height_mm + other.lumen.half_height_mm)


@pytest.mark.parametrize("procedure", DRAWS)
def test_bone_lies_below_the_artery(procedure):
    for subject in people(procedure):
        artery = subject.vessels[0].lumen
        assert subject.bone.z_mm - subject.bone.half_height_mm > artery.z_mm + artery.half_height_mm


def test_the_armpit_has_an_artery_one_to_three_veins_and_four_nerves():
    counts = set()
    for subject in people("axillary"):
        assert [vessel.artery for vessel in subject.vessels].count(True) == 1
        counts.add(len(subject.vessels) - 1)
        assert {nerve.name for nerve in subject.nerves if nerve.labelled} == {
            "median nerve",
            "ulnar nerve",
            "musculocutaneous nerve",
        }
    assert counts == {1, 2, 3}


def test_nerves_of_the_armpit_have_the_measured_size_and_side():
    subjects = people("axillary", 200)
    for name, mean_mm2 in (("median", 9.9), ("ulnar", 6.9), ("musculocutaneous", 3.8)):
        areas = [area(n) for s in subjects for n in s.nerves if n.name == f"{name} nerve"]
        assert np.mean(areas) == pytest.approx(mean_mm2, rel=0.08)
    side = {
        name: np.mean(
            [
                n.border.x_mm - s.vessels[0].lumen.x_mm
                for s in subjects
                for n in s.nerves
                if n.name == name
            ]
        )
        for name in ("median nerve", "ulnar nerve", "musculocutaneous nerve")
    }
    assert side["musculocutaneous nerve"] < side["median nerve"] < 0 < side["ulnar nerve"]


def test_the_femoral_nerve_has_the_measured_size_and_lies_lateral_to_the_artery():
    subjects = people("femoral", 200)
    nerves = [subject.nerves[0] for subject in subjects]
    assert 2 * np.mean([n.border.half_width_mm for n in nerves]) == pytest.approx(9.8, rel=0.05)
    assert 2 * np.mean([n.border.half_height_mm for n in nerves]) == pytest.approx(3.1, rel=0.05)
    for subject, nerve in zip(subjects, nerves, strict=True):
        artery, vein = (vessel.lumen for vessel in subject.vessels)
        assert nerve.border.x_mm < artery.x_mm < vein.x_mm


@pytest.mark.parametrize("procedure", DRAWS)
def test_without_variability_size_and_depth_are_alike(procedure):
    radii = {round(s.vessels[0].lumen.half_width_mm, 9) for s in people(procedure, 5, 0.0)}
    assert len(radii) == 1
    assert len({round(s.fat_bottom.z_mm, 9) for s in people(procedure, 5, 1.0)}) == 5


def test_the_distance_to_a_circle_is_exact_at_its_border():
    x = np.array([3.0, 4.0, 2.0], np.float32)
    distance = Ellipse(1, 0, 2, 2).distance_mm(x, np.zeros(3, np.float32))
    assert distance == pytest.approx([0, 1, -1], abs=0.6)
    assert distance[0] == pytest.approx(0, abs=1e-5)
    assert distance[1] > 0 > distance[2]


def test_a_place_that_is_free_stays():
    assert free_place((5.0, 5.0), 1.0, [(0.0, 0.0, 2.0)]) == (5.0, 5.0)
