from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.moving import SIZE, TISSUE, dice, scene, seen, steady, tissue, x, y
from fakes.predictors import Recorder
from fakes.recordings import Generated, make_recording
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.labels.propagate import propagate
from sonotempo.recording import Prediction


def moving(tmp_path, moves, labels=(1,), change=lambda frames: frames, **more):
    """A recording of moved tissue, and its true masks. ``moves``: (down, right) of each frame."""
    frames, truth = scene(moves, labels)
    recording = make_recording(tmp_path, len(moves), shape_HW=(SIZE, SIZE), masks={}, **more)
    return replace(recording, images=change(frames)), truth


def masks(results):
    return {one.index: one.mask_HW for one in results if one.mask_HW is not None}


def problems(results):
    return {one.index: one.problem for one in results if one.problem}


@settings(max_examples=12, deadline=None)
@given(
    step=st.tuples(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5)),
    bend=st.floats(0, 2.5),
    key=st.integers(0, 9),
)
def test_a_mask_arrives_where_the_tissue_has_moved_and_bent(tmp_path_factory, step, bend, key):
    wave = np.sin(x / 30) * np.cos(y / 25)
    moves = [
        (step[0] * index + bend * wave * index / 9, step[1] * index - bend * wave * index / 9)
        for index in range(10)
    ]
    recording, truth = moving(tmp_path_factory.mktemp("r"), moves, labels=(1, 7, 254))
    found = masks(propagate(recording, {key: truth[key]}, range(10)))
    assert sorted(found) == list(range(10))
    for index, mask in found.items():
        assert mask.dtype == np.uint8
        for label in (1, 7, 254):
            assert dice(mask == label, truth[index] == label) > 0.85, (index, label)


def test_what_is_surer_is_nearer_to_the_truth(tmp_path):
    recording, truth = moving(tmp_path, steady(20))
    *_, last = propagate(recording, {0: truth[0]}, range(20))
    wrong = last.mask_HW != truth[-1]
    assert last.confidence_HW.dtype == np.float32
    assert last.confidence_HW.min() > 0
    assert last.confidence_HW.max() <= 1.0001
    assert last.confidence_HW[wrong].mean() < 0.9 < last.confidence_HW[~wrong].mean()
    first = next(one for one in propagate(recording, {0: truth[0]}, range(1, 20)))
    assert first.confidence_HW.mean() > last.confidence_HW.mean()


@pytest.mark.parametrize("wrong_by", [0, 5])
def test_two_key_frames_keep_their_masks_and_what_is_between_leads_from_one_to_the_other(
    tmp_path, wrong_by
):
    """With a second mask that is somewhere else, the nearer one counts more."""
    recording, truth = moving(tmp_path, steady(11))
    keys = {0: truth[0], 10: np.roll(truth[10], wrong_by, axis=0)}
    results = list(propagate(recording, keys, range(11)))
    assert [one.index for one in results] == list(range(11))
    assert [one.index for one in results if one.is_key] == [0, 10]
    found = masks(results)
    for index, mask in keys.items():
        assert np.array_equal(found[index], mask)
    assert dice(found[1], truth[1]) > 0.95
    assert dice(found[9], np.roll(truth[9], wrong_by, axis=0)) > 0.95


def test_a_structure_that_only_one_key_frame_shows_ends_half_way(tmp_path):
    recording, truth = moving(tmp_path, steady(11, (0, 0)), labels=(1, 2))
    later = np.where(truth[10] == 2, 0, truth[10]).astype(np.uint8)
    found = masks(propagate(recording, {0: truth[0], 10: later}, range(11)))
    assert [index for index, mask in found.items() if (mask == 2).any()] == [0, 1, 2, 3, 4]
    assert all((mask == 1).any() for mask in found.values())


@pytest.mark.parametrize(
    ("direction", "reach", "expected"),
    [
        ("forward", None, range(4, 10)),
        ("backward", None, range(5)),
        ("both", None, range(10)),
        ("both", 2, range(2, 7)),
        ("forward", 3, range(4, 8)),
    ],
)
def test_directions_and_reach(tmp_path, direction, reach, expected):
    recording, truth = moving(tmp_path, steady())
    results = propagate(recording, {4: truth[4]}, range(10), direction=direction, reach=reach)
    assert sorted(masks(results)) == list(expected)


def test_only_the_range_is_filled_and_key_frames_outside_it_serve(tmp_path):
    recording, truth = moving(tmp_path, steady())
    keys = {0: truth[0], 9: truth[9]}
    assert sorted(masks(propagate(recording, keys, range(3, 6)))) == [3, 4, 5]
    results = propagate(recording, {9: truth[9]}, range(3, 6), direction="forward")
    assert list(results) == []


def test_a_cut_ends_the_mask_and_is_named(tmp_path):
    def cut(frames):
        frames[6:] = np.stack([seen(tissue(9), 0, index) for index in range(len(frames) - 6)])
        return frames

    recording, truth = moving(tmp_path, steady(12), change=cut)
    results = list(propagate(recording, {2: truth[2]}, range(12)))
    assert sorted(masks(results)) == list(range(6))
    assert [one.index for one in results if one.ends] == [7]
    assert problems(results)[7] == (
        "frame 6 does not follow the one before: a cut, or motion too fast"
    )
    both = list(propagate(recording, {2: truth[2], 11: truth[0]}, range(12)))
    assert set(masks(both)) >= {0, 5, 7, 11}, "each side has the mask of its own key frame"
    assert dice(masks(both)[9], truth[0]) < dice(masks(both)[4], truth[4])


def test_a_dark_or_unreadable_frame_is_passed_over(tmp_path):
    class Broken:
        def __init__(self, frames):
            self.frames = frames

        def __len__(self):
            return len(self.frames)

        def __getitem__(self, index):
            if index == 4:
                raise RecordingError("frame_4.mhd is truncated")
            return self.frames[index]

    def dark(frames):
        frames[7] = 0
        return Broken(frames)

    recording, truth = moving(tmp_path, steady(), change=dark)
    results = list(propagate(recording, {1: truth[1]}, range(10)))
    assert sorted(masks(results)) == [0, 1, 2, 3, 5, 6, 8, 9]
    assert dice(masks(results)[9], truth[9]) > 0.9
    assert problems(results) == {
        4: "frame 4 cannot be read (frame_4.mhd is truncated)",
        7: "frame 7 is dark, disturbed or of another scene",
    }
    assert not any(one.ends for one in results)


def test_a_key_frame_that_cannot_be_read_keeps_its_mask_and_gives_none(tmp_path):
    recording = make_recording(tmp_path, 4, broken={1: RecordingError("gone")})
    mask = np.ones((40, 48), np.uint8)
    (result,) = propagate(recording, {1: mask}, range(4))
    assert result.mask_HW is mask
    assert (result.ends, result.problem) == (True, "frame 1 cannot be read (gone)")


def test_another_size_and_another_depth_end_it(tmp_path):
    class Grown(Generated):
        def __getitem__(self, index):
            return TISSUE[:50, :60].astype(np.uint8) if index > 2 else TISSUE[:40, :48].astype("u1")

    recording = replace(make_recording(tmp_path, 6), images=Grown(6))
    mask = np.ones((40, 48), np.uint8)
    results = list(propagate(recording, {0: mask}, range(6)))
    assert sorted(masks(results)) == [0, 1, 2]
    assert results[-1].problem == (
        "frame 3 has 50x60 pixels (rows x columns), the key frame 40x48 pixels (rows x columns)"
    )
    recording, truth = moving(
        tmp_path, steady(6), spacings_mm=((0.1, 0.1),) * 4 + ((0.2, 0.2),) * 2
    )
    *_, last = propagate(recording, {0: truth[0]}, range(6))
    assert (last.index, last.mask_HW, last.ends) == (4, None, True)
    assert last.problem == "the depth changes at frame 4"


def test_numbers_in_sentences_are_those_of_the_files(tmp_path):
    recording, truth = moving(tmp_path, steady(4), change=dark_second, numbers=[5, 6, 9, 10])
    assert problems(propagate(recording, {0: truth[0]}, range(4))) == {
        1: "frame 6 is dark, disturbed or of another scene"
    }


def dark_second(frames):
    frames[1] = 0
    return frames


def test_bad_keys_are_named(tmp_path):
    recording = make_recording(tmp_path, 4)
    with pytest.raises(RecordingError, match=r"of frame 2 of .* is 3x4 pixels but its image is 40"):
        list(propagate(recording, {2: np.zeros((3, 4), np.uint8)}, range(4)))
    with pytest.raises(RecordingError, match="frames 0 to 3, but a mask is given for frame 4"):
        list(propagate(recording, {4: np.zeros((40, 48), np.uint8)}, range(4)))
    with pytest.raises(ConfigError, match="did you mean 'both'"):
        list(propagate(recording, {}, range(4), direction="boht"))
    with pytest.raises(ConfigError, match="at least 1"):
        list(propagate(recording, {}, range(4), reach=0))


@pytest.mark.parametrize("shape_HW", [(8, 8), (12, 12), (9, 300), (13, 200), (700, 30)])
def test_frames_of_any_shape(tmp_path, shape_HW):
    recording = make_recording(tmp_path, 3, shape_HW=shape_HW)
    still = recording.images[0]
    recording = replace(recording, images=[still] * 3)
    mask = np.zeros(shape_HW, np.uint8)
    mask[2:6, 2:6] = 3
    results = list(propagate(recording, {0: mask}, range(3)))
    if min(shape_HW) < 12:
        assert "at least 12" in results[0].problem
    else:
        assert all(np.array_equal(one.mask_HW, mask) for one in results)


def test_an_empty_mask_stays_empty(tmp_path):
    recording, truth = moving(tmp_path, steady(4))
    results = list(propagate(recording, {0: np.zeros_like(truth[0])}, range(4)))
    assert not np.any([one.mask_HW for one in results])
    assert all((one.confidence_HW == 1).all() for one in results)


class TestModel:
    def answer(self, truth, far_away=False, confidence=0.97):
        """A model that finds the true mask, and also something far from it."""

        class Model(Recorder):
            def step(self, frame):
                self.calls.append(frame.index)
                mask = truth[frame.index].copy()
                if far_away:
                    mask[80:90, 80:90] = 1
                sure = np.full(mask.shape, confidence, np.float32)
                return (Prediction(frame, mask, sure, 1, "model"),)

        return Model()

    def test_it_corrects_the_outline_and_adds_nothing_far_from_it(self, tmp_path):
        recording, truth = moving(tmp_path, steady(40, (0.3, 0.5)))
        shifted = np.roll(truth[0], 1, axis=0)
        model = self.answer(truth, far_away=True)
        plain = masks(propagate(recording, {0: shifted}, range(40)))
        better = masks(propagate(recording, {0: shifted}, range(40), model=model))
        assert dice(better[39], truth[39]) > dice(plain[39], truth[39]) + 0.02
        assert not better[39][80:90, 80:90].any()
        assert model.calls == ["reset", *range(1, 40)]

    def test_an_unsure_model_changes_little_and_a_frame_without_mask_resets_it(self, tmp_path):
        recording, truth = moving(tmp_path, steady(), change=dark_second)
        model = self.answer(np.zeros_like(truth), confidence=0.5)
        results = masks(propagate(recording, {0: truth[0]}, range(10), model=model))
        assert dice(results[9], truth[9]) > 0.85
        assert model.calls == ["reset", *range(2, 10)]
