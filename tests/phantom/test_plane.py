"""The maps at rest: labels that match the anatomy, echo, attenuation, nerves at their faintest."""

import numpy as np
import pytest

from sonotempo.phantom.axillary import draw_axillary
from sonotempo.phantom.femoral import draw_femoral
from sonotempo.phantom.plane import build_plane
from sonotempo.structures import AXILLARY, FEMORAL


@pytest.fixture(scope="module")
def subject():
    return draw_axillary(np.random.default_rng(5), 1.0)


@pytest.fixture(scope="module")
def plane(subject):
    return build_plane(subject, AXILLARY, 29.0, 50.0, 0.2)


def inside(plane, border):
    rows, columns = plane.label_HW.shape
    z, x = np.mgrid[:rows, :columns].astype(np.float32) * np.float32(plane.spacing_mm)
    return np.hypot(*border.local(x + np.float32(plane.left_mm), z)) < 1


def test_nerves_and_vessels_are_labelled_where_they_lie(subject, plane):
    for nerve in subject.nerves:
        shown = plane.label_HW[inside(plane, nerve.border)]
        expected = AXILLARY.label(nerve.name) if nerve.labelled else 0
        assert np.mean(shown == expected) > 0.9
    for vessel in subject.vessels:
        shown = plane.label_HW[inside(plane, vessel.lumen)]
        assert np.mean(shown == AXILLARY.label("blood")) > 0.8


def test_only_the_side_of_the_bone_that_faces_the_probe_is_labelled(subject, plane):
    bone = plane.label_HW == AXILLARY.label("bone")
    assert bone.any()
    assert np.flatnonzero(bone.any(axis=1)).max() * plane.spacing_mm < subject.bone.z_mm


def test_bone_takes_the_sound_and_blood_hardly_any(plane):
    median = np.median(plane.loss_HW)
    assert plane.loss_HW[plane.label_HW == AXILLARY.label("bone")].min() > 4 * median
    assert plane.loss_HW.ravel()[plane.blood].max() < 0.4 * median


def test_a_nerve_adds_a_honeycomb_to_an_even_ground(plane):
    for patch in plane.nerves:
        ground = plane.echo_HW[patch.rows, patch.columns]
        border = inside(plane, patch.nerve.border)[patch.rows, patch.columns]
        full = (ground + patch.extra_echo)[border]
        assert np.percentile(full, 90) > 1.5 * np.median(ground[border])
        assert np.percentile(full, 5) < 0.5 * np.percentile(full, 90)
        assert np.all(ground + patch.extra_echo >= -1e-3)


def test_the_femoral_plane_has_its_four_channels():
    subject = draw_femoral(np.random.default_rng(1), 1.0)
    plane = build_plane(subject, FEMORAL, 29.0, 60.0, 0.3)
    assert set(np.unique(plane.label_HW)) == {0, 1, 2, 3}


def test_the_same_subject_gives_the_same_maps(subject, plane):
    again = build_plane(subject, AXILLARY, 29.0, 50.0, 0.2)
    np.testing.assert_array_equal(again.echo_HW, plane.echo_HW)
    np.testing.assert_array_equal(again.label_HW, plane.label_HW)
