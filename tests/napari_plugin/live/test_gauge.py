"""For how long each structure has been in view."""

import pytest

from fakes.live_results import result_of
from napari_sonotempo.live.gauge import Gauge


def at(seconds, **more):
    return result_of(at_ns=round(seconds * 1e9), **more)


def test_a_structure_is_in_view_since_it_was_found():
    gauge = Gauge(2)
    for tenth in range(11):
        gauge.see(at(tenth / 10))
    assert gauge.in_view(0, 1).is_now
    assert gauge.in_view(0, 1).seconds == 1.0
    assert not gauge.in_view(0, 2).is_now
    assert gauge.in_view(1, 2).is_now
    assert not gauge.in_view(1, 1).is_now


def test_a_short_miss_is_forgiven_and_a_long_one_is_not():
    gauge = Gauge(2)
    gauge.see(at(0.0))
    gauge.see(at(0.2, masks=False))
    assert gauge.in_view(0, 1).is_now
    gauge.see(at(0.25))
    assert gauge.in_view(0, 1).seconds == 0.25
    gauge.see(at(1.0, masks=False))
    assert not gauge.in_view(0, 1).is_now
    assert gauge.in_view(0, 1).seconds == 0.0
    gauge.see(at(1.1))
    assert gauge.in_view(0, 1).seconds == 0.0


def test_a_time_that_goes_back_starts_over():
    gauge = Gauge(2)
    gauge.see(at(5.0))
    gauge.see(at(1.0, masks=False))
    assert not gauge.in_view(0, 1).is_now


def test_a_confidence_follows_slowly_and_starts_at_its_first_value():
    gauge = Gauge(2)
    gauge.see(at(0.0))
    assert gauge.in_view(0, 1).confidence is None, "the model does not say"
    gauge.see(at(0.05, confidence=0.9))
    assert gauge.in_view(0, 1).confidence == pytest.approx(0.9)
    gauge.see(at(0.1, confidence=0.3))
    assert 0.75 < gauge.in_view(0, 1).confidence < 0.9
    for step in range(60):
        gauge.see(at(0.15 + step / 20, confidence=0.3))
    assert gauge.in_view(0, 1).confidence == pytest.approx(0.3, abs=0.01)
    gauge.see(at(5.0, confidence=0.8))
    assert gauge.in_view(0, 1).confidence == pytest.approx(0.8), "it was gone meanwhile"
