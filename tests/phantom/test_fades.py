import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonotempo.phantom.fades import Fades


@given(seed=st.integers(0, 1000), share=st.floats(0.05, 0.95))
def test_a_nerve_is_visible_at_first_and_its_gain_stays_in_range(seed, share):
    fades = Fades(np.random.default_rng(seed), share, 0.2)
    gains = [fades.gain(seconds) for seconds in np.arange(0, 20, 0.1)]
    assert gains[:5] == [1.0] * 5
    assert min(gains) >= 0.2 - 1e-9
    assert max(gains) <= 1


def test_fades_last_from_half_a_second_to_two():
    fades = Fades(np.random.default_rng(3), 0.5, 0.2)
    faded = np.array([fades.gain(seconds) < 0.6 for seconds in np.arange(0, 300, 0.01)])
    edges = np.flatnonzero(np.diff(faded.astype(int)))
    lengths = np.diff(edges)[:: 1 if faded[0] else 2] * 0.01
    assert lengths.min() > 0.35
    assert lengths.max() < 2.2
    assert faded.mean() == pytest.approx(0.5, abs=0.08)


def test_the_order_of_questions_does_not_matter():
    forwards, backwards = (Fades(np.random.default_rng(1), 0.5, 0.2) for _ in range(2))
    times = np.arange(0, 10, 0.3)
    asked = [forwards.gain(t) for t in times]
    assert [backwards.gain(t) for t in times[::-1]][::-1] == asked


def test_without_fading_the_nerve_stays():
    fades = Fades(np.random.default_rng(1), 0.0, 0.2)
    assert {fades.gain(t) for t in range(100)} == {1.0}
