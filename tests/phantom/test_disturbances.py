from itertools import pairwise

import numpy as np
import pytest

from sonotempo.phantom.disturbances import Disturbance, Events, contact


def stream(rate, frames=20_000, seed=0):
    events = Events(np.random.default_rng(seed), rate, 20.0)
    return [events.step() for _ in range(frames)]


def test_without_a_rate_nothing_happens():
    assert set(stream(0.0, 500)) == {Disturbance()}


def test_events_come_as_often_as_asked_and_of_every_kind():
    line = stream(0.2)
    active = [each != Disturbance() for each in line]
    begun = sum(now and not before for before, now in pairwise([False, *active]))
    assert begun == pytest.approx(0.2 * 1000, rel=0.25)
    assert any(each.lifted > 0.15 for each in line)
    assert {each.depth_step for each in line} == {-1, 0, 1}
    assert any(each.frozen for each in line)
    assert any(each.dropped for each in line)


def test_contact_comes_and_goes_gradually():
    lifted = [each.lifted for each in stream(0.3, 3000)]
    assert max(abs(np.diff(lifted))) < 0.35


def test_lost_contact_darkens_the_lines_around_its_centre():
    np.testing.assert_array_equal(contact(Disturbance(), 50), 1)
    left = contact(Disturbance(lifted=0.6, centre=0.0), 100)
    assert left[:25].max() < 0.02
    assert left[45:].min() == 1
