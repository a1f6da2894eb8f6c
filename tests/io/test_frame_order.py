"""The order of frames by the names of their files."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonotempo.errors import RecordingError
from sonotempo.io.frame_order import frame_number, in_order


def ordered(*names):
    """The names in order, the frame numbers, and whether these are in the names."""
    order = in_order([Path(name) for name in names])
    return [path.name for path in order.paths], order.numbers.tolist(), order.are_numbered


@given(
    numbers=st.lists(st.integers(0, 10**12 - 1), min_size=1, unique=True),
    digits=st.integers(1, 6),
    ending=st.sampled_from(["", "_v2", " copy 3", "-12mm"]),
)
def test_the_number_that_differs_orders_frames_whatever_its_padding(numbers, digits, ending):
    paths = [Path(f"us-2d_{number:0{digits}}{ending}.png") for number in numbers]
    order = in_order(paths)
    if len(numbers) > 1:
        assert order.numbers.tolist() == sorted(numbers)
    assert order.are_numbered
    found = [int(path.stem.split("_")[1].split(" ")[0].split("-")[0]) for path in order.paths]
    assert found == sorted(numbers)


@pytest.mark.parametrize(
    "names",
    [
        ["cap 10.15.58.png", "cap 10.15.59.png", "cap 10.16.00.png", "cap 11.00.01.png"],
        ["10h15m58.png", "10h16m02.png", "11h00m00.png"],
        ["t0.40.png", "t0.80.png", "t1.20.png", "t2.00.png", "t10.40.png"],
        ["2024-01-31-235959.png", "2024-02-01-000000.png", "2024-02-01-000001.png"],
        ["scan_20240131_235958.png", "scan_20240131_235959.png", "scan_20240201_000000.png"],
        ["2024-01-31T23.59.59.250.png", "2024-02-01T00.00.00.125.png"],
        ["b2.png", "b10.png", "last.png"],
    ],
)
def test_clocks_dates_and_decimals_are_in_their_order_and_counted(names):
    if names[-1] == "last.png":
        names = names[:2]
    assert ordered(*reversed(names))[0] == names


def test_clock_names_are_counted_for_they_hold_no_frame_number():
    names = ["cap 10.15.58.png", "cap 10.15.59.png", "cap 10.16.00.png"]
    assert ordered(*names) == (names, [0, 1, 2], False)


def test_numbers_below_zero_come_first():
    assert ordered("f1.png", "f-1.png", "f0.png") == (
        ["f-1.png", "f0.png", "f1.png"],
        [-1, 0, 1],
        1,
    )


def test_a_hyphen_in_every_name_is_no_minus():
    assert ordered("us-2.png", "us-1.png")[1:] == ([1, 2], True)


def test_digits_of_other_scripts_count():
    assert ordered("f\uff11\uff10.png", "f\uff12.png")[1] == [2, 10]


def test_unix_times_are_times():
    order = in_order([Path(f"1690000000{ms:03}.png") for ms in (80, 0, 40)])
    assert order.numbers.tolist() == [0, 1, 2]
    assert np.diff(order.times_ns).tolist() == [40_000_000] * 2


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (["a_1.png", "a_2.png", "b_3.png", "b_4.png"], "a_1.png and b_3.png"),
        (["a_1.png", "a_2.png", "b_1.png"], "a_1.png and b_1.png"),
        (["a_1.png", "b_1.png"], "a_1.png and b_1.png"),
        (["scan1_1.png", "scan1_2.png", "scan2_1.png"], "scan1_1.png and scan2_1.png"),
        (["scan1_1.png", "scan1_2.png", "scan2_3.png"], "scan1_1.png and scan2_3.png"),
    ],
)
def test_two_series_are_refused_and_named(names, named):
    with pytest.raises(RecordingError, match=f"two series, {named}"):
        in_order([Path(name) for name in sorted(names)])


def test_one_frame_in_two_formats_is_refused():
    with pytest.raises(RecordingError, match=r"f_1.jpg and f_1.png both have the frame number 1"):
        in_order([Path("f_1.png"), Path("f_1.jpg")])


def test_names_without_numbers_are_in_alphabetical_order():
    assert ordered("right.png", "left.png") == (["left.png", "right.png"], [0, 1], False)


def test_a_number_too_long_for_a_frame_orders_and_is_not_kept():
    names = [f"{'1' * 30}{i}.png" for i in (1, 2)]
    assert ordered(*reversed(names)) == (names, [0, 1], False)


def test_a_single_frame_has_the_number_at_the_end_of_its_name():
    assert ordered("us_2d_017.png")[1:] == ([17], True)
    assert frame_number(Path("us_2d_017.png")) == 17


def test_a_frame_number_may_be_followed_by_a_time_stamp():
    names = [f"frame_{i:03}_1690000000{40 * i:03}.png" for i in (3, 1, 2)]
    order = in_order([Path(name) for name in names])
    assert order.numbers.tolist() == [1, 2, 3]
    assert order.are_numbered
    assert np.diff(order.times_ns).tolist() == [40_000_000] * 2
    assert ordered("f1_d40.png", "f2_d39.png", "f10_d40.png")[1] == [1, 2, 10]
