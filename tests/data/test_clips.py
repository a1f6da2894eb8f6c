from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.recordings import make_recording
from sonotempo.data.cache import CachedRecording, cache_recording
from sonotempo.data.clips import ClipDataset, Window, cut_windows, join_clips


def outline(numbers, labelled, name="r"):
    """A cached recording without pixels: enough to cut windows."""
    return CachedRecording(
        folder=Path(name),
        key=name,
        content=name,
        frames_sum=name,
        subject=name,
        name=name,
        source=Path(name),
        input_size=32,
        timestamps_ns=tuple(range(len(numbers))),
        frame_numbers=tuple(numbers),
        labelled=tuple(labelled),
        spacings_mm=(None,) * len(numbers),
        reference_px=(0, 0),
        cropped_px=(0, 0),
        dropped_masks=(),
    )


@st.composite
def outlines(draw):
    steps = draw(st.lists(st.sampled_from([1, 1, 1, 4]), min_size=1, max_size=40))
    numbers = np.cumsum(steps).tolist()
    labelled = draw(st.sets(st.integers(0, len(numbers) - 1)))
    return outline(numbers, sorted(labelled))


RECORDINGS = st.lists(outlines(), max_size=3)
RANDOM = st.one_of(st.none(), st.integers(0, 2**32).map(np.random.default_rng))


@settings(max_examples=200, deadline=None)
@given(RECORDINGS, st.integers(1, 12), RANDOM)
def test_windows_cover_every_label_and_never_cross_a_gap(recordings, frames, random):
    windows = cut_windows(recordings, frames, random)
    seen = {(window.recording, frame) for window in windows for frame in window.frames}
    for number, recording in enumerate(recordings):
        assert {(number, frame) for frame in recording.labelled} <= seen
    for window in windows:
        recording = recordings[window.recording]
        assert len(window.frames) == frames
        assert set(window.frames) & set(recording.labelled)
        (segment,) = [s for s in recording.segments() if window.frames[0] in s]
        assert all(frame in segment for frame in window.frames)
        steps = np.diff(window.frames)
        repeats = int((steps == 0).sum())
        assert (steps[:repeats] == 0).all()
        assert (steps[repeats:] == 1).all()
        assert repeats == max(0, frames - len(segment))


@settings(max_examples=50, deadline=None)
@given(RECORDINGS, st.integers(1, 12), st.integers(0, 2**32))
def test_windows_follow_from_their_source_of_randomness_alone(recordings, frames, seed):
    assert cut_windows(recordings, frames, None) == cut_windows(recordings, frames, None)
    one, other = np.random.default_rng(seed), np.random.default_rng(seed)
    assert cut_windows(recordings, frames, one) == cut_windows(recordings, frames, other)


def test_dense_labels_make_windows_one_after_the_other():
    windows = cut_windows([outline(range(8), range(8))], 4, None)
    assert [window.frames for window in windows] == [(0, 1, 2, 3), (4, 5, 6, 7)]


def test_a_rest_is_covered_by_a_window_that_begins_earlier():
    windows = cut_windows([outline(range(6), range(6))], 4, None)
    assert [window.frames for window in windows] == [(0, 1, 2, 3), (2, 3, 4, 5)]


def test_sparse_labels_end_their_windows_if_nothing_is_random():
    windows = cut_windows([outline(range(40), [10, 30])], 4, None)
    assert [window.frames[-1] for window in windows] == [10, 30]


def test_random_windows_put_a_sparse_label_anywhere():
    places = set()
    random = np.random.default_rng(0)
    for _ in range(200):
        (window,) = cut_windows([outline(range(40), [20])], 4, random)
        places.add(window.frames.index(20))
    assert places == {0, 1, 2, 3}


def test_random_windows_of_dense_labels_begin_elsewhere():
    random = np.random.default_rng(0)
    dense = [outline(range(32), range(32))]
    seconds = {cut_windows(dense, 8, random)[1].frames[0] for _ in range(200)}
    assert seconds == set(range(1, 9))


def test_a_segment_that_is_too_short_repeats_its_first_frame():
    (window,) = cut_windows([outline([0, 1, 9], [1])], 4, None)
    assert window == Window(0, (0, 0, 0, 1))


@pytest.fixture
def cached(tmp_path):
    def make(count, labelled, numbers=None):
        recording = make_recording(tmp_path, count, labelled=labelled, numbers=numbers)
        return cache_recording(recording, tmp_path / "cache", 32, None)

    return make


def test_a_clip_holds_its_frames_and_flags_exactly_the_labelled_ones(cached):
    recording = cached(6, (1, 4))
    clip = ClipDataset([recording], [Window(0, (1, 2, 3, 4))])[0]
    assert clip.frames_BTHW.dtype == clip.masks_BTHW.dtype == torch.uint8
    np.testing.assert_array_equal(clip.frames_BTHW[0], recording.frames_TSS()[1:5])
    assert clip.labelled_BT.tolist() == [[True, False, False, True]]
    np.testing.assert_array_equal(clip.masks_BTHW[0, 0], recording.masks_MSS()[0])
    np.testing.assert_array_equal(clip.masks_BTHW[0, 3], recording.masks_MSS()[1])
    assert not clip.masks_BTHW[0, 1:3].any()
    assert clip.still_B.tolist() == [False]


def test_a_repeated_first_frame_carries_its_label_once(cached):
    recording = cached(2, (0, 1))
    windows = cut_windows([recording], 5, None)
    clip = ClipDataset([recording], windows)[0]
    assert windows[0].frames == (0, 0, 0, 0, 1)
    assert clip.labelled_BT.tolist() == [[False, False, False, True, True]]
    assert not clip.masks_BTHW[0, :3].any()
    assert clip.still_B.tolist() == [False]


def test_a_lone_frame_of_a_recording_with_gaps_is_no_still(cached):
    recording = cached(3, (0, 1, 2), numbers=[0, 5, 10])
    clips = ClipDataset([recording], cut_windows([recording], 4, None))
    assert len(clips) == 3
    for clip in (clips[i] for i in range(3)):
        assert clip.labelled_BT.tolist() == [[False, False, False, True]]
        assert clip.still_B.tolist() == [False]


def test_a_still_is_labelled_in_every_frame_as_it_has_yet_to_be_moved(cached):
    recording = cached(1, (0,))
    clip = ClipDataset([recording], cut_windows([recording], 4, None))[0]
    assert clip.labelled_BT.tolist() == [[True] * 4]
    assert clip.still_B.tolist() == [True]
    assert (clip.masks_BTHW[0] == clip.masks_BTHW[0, 0]).all()
    single = ClipDataset([recording], cut_windows([recording], 1, None))[0]
    assert single.still_B.tolist() == [False]


def test_a_batch_keeps_its_clips_in_order(cached):
    recording = cached(6, range(6))
    clips = ClipDataset([recording], cut_windows([recording], 2, None))
    batch = join_clips([clips[2], clips[0]])
    np.testing.assert_array_equal(batch.frames_BTHW[0], recording.frames_TSS()[4:6])
    np.testing.assert_array_equal(batch.frames_BTHW[1], recording.frames_TSS()[0:2])
    assert batch.labelled_BT.shape == (2, 2)
    moved = batch.to(torch.device("cpu"))
    assert torch.equal(moved.masks_BTHW, batch.masks_BTHW)


def test_changing_a_clip_does_not_change_the_cache(cached):
    recording = cached(3, range(3))
    before = np.array(recording.frames_TSS())
    ClipDataset([recording], [Window(0, (0, 1, 2))])[0].frames_BTHW.zero_()
    np.testing.assert_array_equal(recording.frames_TSS(), before)
