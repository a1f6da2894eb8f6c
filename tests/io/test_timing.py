import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sonotempo.io.timing import times_from


@given(
    steps=st.lists(st.integers(1, 10**9), min_size=2, max_size=20),
    missing=st.sets(st.integers(0, 19)),
)
def test_known_times_are_kept_and_missing_ones_lie_between(steps, missing):
    true_ns = np.cumsum(steps) * 1000
    given_ns = [None if i in missing else int(t) for i, t in enumerate(true_ns)]
    known = [i for i, time in enumerate(given_ns) if time is not None]
    times = times_from(given_ns, np.arange(len(steps)))
    assert np.all(np.diff(times.timestamps_ns) > 0)
    assert times.timestamps_ns[0] == 0
    assert times.are_assumed == (len(known) < 2)
    if not times.are_assumed:
        found = times.timestamps_ns[known] - times.timestamps_ns[known[0]]
        assert found.tolist() == (true_ns[known] - true_ns[known[0]]).tolist()


def test_one_missing_time_does_not_change_the_rate():
    times = times_from([10_000, 10_050, None, 10_200], np.arange(4))
    assert times.timestamps_ns.tolist() == [0, 50, 125, 200]


def test_equal_times_are_spread_to_the_next_one():
    times = times_from([0, 40, 40, 120], np.arange(4))
    assert times.timestamps_ns.tolist() == [0, 40, 80, 120]


def test_a_clock_that_runs_backwards_is_not_believed():
    assert times_from([5, 3, 9], np.arange(3)).are_assumed


def test_a_single_frame_has_no_rate_to_assume():
    assert not times_from(None, np.array([7])).are_assumed
