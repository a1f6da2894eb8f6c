"""Frame files: numbers and order."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sonotempo.io.frame_files import frame_number, in_order


@given(numbers=st.lists(st.integers(0, 10**17), min_size=1, unique=True), digits=st.integers(1, 6))
def test_numbers_order_frames_whatever_their_padding(numbers, digits):
    paths = [Path(f"us-2d_{number:0{digits}}.png") for number in numbers]
    ordered, found = in_order(paths)
    assert found.tolist() == sorted(numbers)
    assert [frame_number(path) for path in ordered] == sorted(numbers)


def test_a_number_too_long_for_a_frame_is_a_name():
    ordered, numbers = in_order([Path(f"{'1' * 30}{i}.png") for i in (2, 1)])
    assert [path.stem[-1] for path in ordered] == ["1", "2"]
    np.testing.assert_array_equal(numbers, [0, 1])
