import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_masks

from sonotempo.errors import RecordingError
from sonotempo.exchange.run_lengths import from_run_lengths, run_lengths, unpacked


@given(hnp.arrays(bool, st.integers(1, 60)))
def test_pixels_come_back(pixels):
    np.testing.assert_array_equal(from_run_lengths(run_lengths(pixels), len(pixels), "a"), pixels)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)),
                  elements=st.integers(0, 1)))  # fmt: skip
def test_texts_of_pycocotools_are_unpacked(mask_HW):
    packed = coco_masks.encode(np.asfortranarray(mask_HW))
    assert unpacked(packed["counts"].decode(), "a") == run_lengths(mask_HW.T.astype(bool))


@given(st.text(max_size=20))
def test_any_text_is_numbers_or_a_sentence(text):
    try:
        assert all(isinstance(number, int) for number in unpacked(text, "a.json"))
    except RecordingError as error:
        refused = str(error)
    else:
        refused = "a.json holds run lengths"
    assert refused.startswith("a.json holds run lengths")


@pytest.mark.parametrize("lengths", [[1, 1], [5, 5], [-1, 4], [10**30], []])
def test_lengths_of_another_size_are_refused(lengths):
    with pytest.raises(RecordingError, match=r"a\.json holds a mask whose run lengths cover"):
        from_run_lengths(lengths, 3, "a.json")
