from dataclasses import FrozenInstanceError, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.recordings import Generated, make_recording
from sonotempo.errors import RecordingError
from sonotempo.recording import Box, consecutive_runs


def test_nothing_is_read_before_a_frame_is_asked_for(tmp_path):
    recording = make_recording(tmp_path, 5)
    assert len(recording) == 5
    assert recording.labelled == (0, 1, 2, 3, 4)
    assert recording.segments() == (range(5),)
    assert recording.images.reads == []
    recording[3]
    assert recording.images.reads == [3]


def test_a_frame_knows_its_place_in_time_and_space(tmp_path):
    recording = make_recording(tmp_path, 3, spacing_mm=(0.1, 0.2), area=Box(0, 0, 4, 4))
    frame = recording[2]
    assert frame.index == 2
    assert frame.timestamp_ns == recording.timestamps_ns[2]
    assert isinstance(frame.timestamp_ns, int)
    assert frame.spacing_mm == (0.1, 0.2)
    assert frame.area == Box(0, 0, 4, 4)
    assert [each.index for each in recording] == [0, 1, 2]


@pytest.mark.parametrize("index", [-1, 3])
def test_a_frame_outside_the_recording_is_an_index_error(tmp_path, index):
    with pytest.raises(IndexError, match="expected 0 to 2"):
        make_recording(tmp_path, 3)[index]


def test_a_recording_cannot_be_changed(tmp_path):
    with pytest.raises(FrozenInstanceError):
        make_recording(tmp_path, 1).subject = "someone else"


def test_frames_without_a_mask_have_none(tmp_path):
    recording = make_recording(tmp_path, 4, labelled=(2,))
    assert recording.mask(1) is None
    assert recording.mask(2).shape == recording[2].image_HW.shape


def test_a_mask_of_another_size_is_refused_with_both_sizes(tmp_path):
    recording = make_recording(tmp_path, 2, masks={0: np.zeros((5, 7), np.uint8)})
    with pytest.raises(RecordingError, match="5x7 pixels but its image is 40x48"):
        recording.mask(0)


def test_a_label_without_a_name_is_refused_with_the_names(tmp_path):
    recording = make_recording(tmp_path, 2, masks={0: np.full((40, 48), 3, np.uint8)})
    with pytest.raises(RecordingError, match=r"label value 3, but only 2 structures .*nerve"):
        recording.mask(0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": Generated(0)}, "holds no frames"),
        ({"timestamps_ns": np.arange(2)}, "3 frames but 2 time stamps"),
        ({"frame_numbers": np.arange(4)}, "3 frames but 4 frame numbers"),
        ({"frame_numbers": np.array([0, 2, 1])}, "do not increase"),
        ({"frame_numbers": np.array([0, 1, 1])}, "do not increase"),
        ({"mask_readers": {3: lambda: None}}, "masks for frames"),
        ({"mask_readers": {-1: lambda: None}}, "masks for frames"),
    ],
)
def test_a_recording_that_contradicts_itself_is_refused(tmp_path, changes, words):
    with pytest.raises(RecordingError, match=words):
        replace(make_recording(tmp_path, 3), **changes)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=30))
def test_runs_hold_every_frame_once_and_break_exactly_at_gaps(steps):
    numbers = np.cumsum(steps)
    runs = consecutive_runs(numbers)
    assert [i for run in runs for i in run] == list(range(len(numbers)))
    for run in runs:
        assert numbers[run[-1]] - numbers[run[0]] == len(run) - 1
    for left, right in pairwise(runs):
        assert numbers[right[0]] - numbers[left[-1]] > 1


@pytest.mark.parametrize("sides", [(-1, 0, 4, 4), (0, 0, 0, 4), (0, 5, 4, 5), (4, 0, 2, 4)])
def test_a_box_without_pixels_is_refused(sides):
    with pytest.raises(RecordingError, match="is empty or starts outside"):
        Box(*sides)


def test_a_box_larger_than_its_image_is_cut_to_it():
    assert Box(2, 3, 500, 600).clamped((40, 48)) == Box(2, 3, 40, 48)


def test_the_source_is_named_in_what_goes_wrong(tmp_path):
    with pytest.raises(RecordingError, match="elsewhere"):
        replace(make_recording(tmp_path, 1), source=Path("elsewhere"), images=Generated(0))
