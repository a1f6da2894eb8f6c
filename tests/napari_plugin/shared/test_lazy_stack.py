"""Recordings as arrays: what is read when, and masks that can be painted on."""

import copy
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

from fakes.recordings import make_recording
from napari_sonotempo.shared import lazy_stack as _lazy_stack
from napari_sonotempo.shared.lazy_masks import LazyMasks
from napari_sonotempo.shared.lazy_stack import LazyStack
from sonotempo.errors import RecordingError

SHAPE = (5, 4, 6)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    masks = {1: np.full(SHAPE[1:], 1, np.uint8), 3: np.eye(*SHAPE[1:], dtype=np.uint8)}
    return make_recording(folder, SHAPE[0], shape_HW=SHAPE[1:], masks=masks)


def whole(recording):
    return np.stack([frame.image_HW for frame in recording])


def whole_masks(recording):
    nothing = np.zeros(SHAPE[1:], np.uint8)
    masks = [recording.mask(index) for index in range(len(recording))]
    return np.stack([nothing if mask is None else mask for mask in masks])


def test_only_the_frames_that_are_looked_at_are_read(tmp_path):
    recording = make_recording(tmp_path, 1000)
    stack = LazyStack(recording)
    assert (stack.shape, stack.dtype, stack.ndim) == ((1000, 40, 48), np.uint8, 3)
    recording.images.reads.clear()
    assert stack[700, :, :].shape == (40, 48)
    assert stack[10:12].shape == (2, 40, 48)
    assert stack[-1, 3, 4] == recording.images[999][3, 4]
    assert recording.images.reads[:4] == [700, 10, 11, 999]


def test_a_frame_looked_at_again_is_not_read_again(tmp_path):
    recording = make_recording(tmp_path, 3)
    stack = LazyStack(recording)
    for _ in range(3):
        stack[2]
    assert recording.images.reads.count(2) == 1


def test_the_memory_for_frames_looked_at_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(_lazy_stack, "CACHE_BYTES", 3 * 40 * 48)
    recording = make_recording(tmp_path, 10)
    stack = LazyStack(recording)
    for index in (*range(10), 9, 8, 7, 0):
        stack[index]
    assert recording.images.reads == [0, *range(10), 0]


def test_going_back_through_a_slow_recording_reads_ahead_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(_lazy_stack, "SLOW_SECONDS", 0)
    monkeypatch.setattr(_lazy_stack, "FRAMES_BACK", 4)
    recording = make_recording(tmp_path, 20)
    stack = LazyStack(recording)
    recording.images.reads.clear()
    for index in range(12, 3, -1):
        np.testing.assert_array_equal(stack[index], recording.images[index])
        recording.images.reads.pop()
    assert recording.images.reads == [12, 8, 9, 10, 11, 4, 5, 6, 7]


@settings(deadline=None)
@given(key=basic_indices(SHAPE, allow_newaxis=False))
def test_any_index_reads_what_numpy_would(small, key):
    expected = whole(small)[key]
    found = LazyStack(small)[key]
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_array_equal(found, expected)


@settings(deadline=None)
@given(
    key=basic_indices(SHAPE, allow_newaxis=False),
    value=st.integers(0, 2),
)
def test_any_index_writes_what_numpy_would(small, key, value):
    expected = whole_masks(small)
    expected[key] = value
    masks = LazyMasks(small)
    masks[key] = value
    np.testing.assert_array_equal(np.asarray(masks), expected)
    np.testing.assert_array_equal(np.asarray(LazyMasks(small)), whole_masks(small))


@settings(deadline=None)
@given(
    places=st.lists(
        st.tuples(*(st.integers(-size, size - 1) for size in SHAPE)), min_size=1, max_size=8
    ),
    data=st.data(),
)
def test_single_pixels_are_read_and_written_as_numpy_would(small, places, data):
    values = data.draw(st.lists(st.integers(0, 9), min_size=len(places), max_size=len(places)))
    values = np.array([values[places.index(place)] for place in places])  # one value a place
    index = tuple(np.array(axis) for axis in zip(*places, strict=True))
    expected = whole_masks(small)
    masks = LazyMasks(small)
    np.testing.assert_array_equal(masks[index], expected[index])
    index = tuple(axis % size for axis, size in zip(index, SHAPE, strict=True))
    values = np.array([values[list(map(tuple, np.transpose(index))).index(p)]
                       for p in map(tuple, np.transpose(index))])  # fmt: skip
    expected[index] = values
    masks[index] = values
    np.testing.assert_array_equal(np.asarray(masks), expected)


def test_a_pick_by_truth_values_is_what_numpy_would_give(small):
    masks = LazyMasks(small)
    chosen = whole_masks(small) == 1
    assert masks[chosen].tolist() == [1] * int(chosen.sum())
    masks[chosen] = 2
    assert np.count_nonzero(np.asarray(masks) == 2) == chosen.sum()


@pytest.mark.parametrize("key", [5, -6, (0, 0, 0, 0), (None, 0)])
def test_an_index_outside_is_an_index_error(small, key):
    with pytest.raises(IndexError):
        LazyStack(small)[key]


def test_painting_leaves_files_and_what_was_shown_alone(tmp_path):
    given_HW = np.zeros((40, 48), np.uint8)
    masks = LazyMasks(make_recording(tmp_path, 4, masks={2: given_HW}))
    shown_HW = masks[2]
    masks[2, 3:5, 3:5] = 1
    assert masks[2].sum() == 4
    assert (given_HW.sum(), shown_HW.sum()) == (0, 0)
    shown_HW[:] = 7  # napari writes into what it is shown
    assert masks[2].sum() == 4


def test_labelled_are_the_frames_with_a_mask_and_those_painted_on(small):
    masks = LazyMasks(small)
    assert masks.labelled == (1, 3)
    masks[0, 0, 0] = 1
    assert masks.labelled == (0, 1, 3)


def test_given_masks_take_the_place_of_the_recordings_own(small):
    masks = LazyMasks(small, masks={2: np.full(SHAPE[1:], 2, np.uint8)})
    assert masks.labelled == (2,)
    assert np.asarray(masks).sum() == 2 * 4 * 6


def test_a_copy_of_masks_is_painted_on_alone(small):
    masks = LazyMasks(small)
    masks[0] = 1
    other = copy.deepcopy(masks)
    other[0] = 2
    assert (masks[0].max(), other[0].max()) == (1, 2)
    assert other.labelled == masks.labelled


def test_a_frame_that_cannot_be_read_is_black_and_reported_once(tmp_path, monkeypatch):
    broken = {2: RecordingError("frame 2 is damaged; copy it again")}
    stack = LazyStack(make_recording(tmp_path, 4, broken=broken))
    with pytest.warns(UserWarning, match="frame 2 is damaged") as reported:
        black_HW = stack[2]
    assert (black_HW.max(), len(reported)) == (0, 1)
    monkeypatch.setattr(_lazy_stack, "CACHE_BYTES", 0)
    stack[3]  # takes the place of frame 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert stack[2].max() == 0
    assert stack[3].max() > 0


def test_a_recording_whose_first_frame_is_broken_is_not_opened(tmp_path):
    broken = {0: RecordingError("frame 0 is damaged; copy it again")}
    with pytest.raises(RecordingError, match="frame 0"):
        LazyStack(make_recording(tmp_path, 4, broken=broken))


def test_frames_of_another_size_are_cut_or_filled_up(tmp_path):
    recording = make_recording(tmp_path, 1, shape_HW=(3, 5))
    stack = LazyStack(recording, (4, 4))
    np.testing.assert_array_equal(stack[0, :3], recording.images[0][:, :4])
    assert stack[0, 3].tolist() == [0] * 4
