"""Models over a whole recording, without a window."""

import numpy as np
import pytest

from fakes.onnx_models import write_model
from fakes.recordings import make_recording
from napari_sonotempo.segment.job import SegmentRequest, model_names, segment
from sonotempo.errors import ModelError, RecordingError
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.structures import AXILLARY, FEMORAL, NERVE_VESSEL


def models(folder, *arms, **more):
    paths = [folder / f"{arm}.onnx" for arm in arms]
    for path, arm in zip(paths, arms, strict=True):
        write_model(path, arms=(arm,), **more)
    return tuple(paths)


def shown(result, model, index):
    return result.predictions[index][model].mask_HW()


def test_masks_are_those_that_the_streaming_predictor_makes(tmp_path):
    recording = make_recording(tmp_path, 5)
    paths = models(tmp_path, "frame", "sequence")
    result = segment(SegmentRequest(recording, paths, "onnxruntime"))
    assert result.names == ("frame", "sequence")
    for number, path in enumerate(paths):
        with OnnxPredictor(path, "onnxruntime") as predictor:
            for index, frame in enumerate(recording):
                (expected,) = predictor.step(frame)
                np.testing.assert_array_equal(shown(result, number, index), expected.mask_HW)
    assert not np.array_equal(shown(result, 0, 4), shown(result, 1, 4))


def test_a_pair_gives_both_its_members(tmp_path):
    recording = make_recording(tmp_path, 3)
    write_model(tmp_path / "pair.onnx", arms=("frame", "sequence"))
    pair = segment(SegmentRequest(recording, (tmp_path / "pair.onnx",), "onnxruntime"))
    alone = segment(SegmentRequest(recording, models(tmp_path, "frame", "sequence"), "onnxruntime"))
    assert pair.names == ("frame", "sequence")
    for number in range(2):
        np.testing.assert_array_equal(shown(pair, number, 2), shown(alone, number, 2))


def test_a_gap_resets_the_states_as_in_a_stream(tmp_path):
    paths = models(tmp_path, "sequence")
    times_ns = np.array([0, 50, 100, 5000, 5050]) * 1_000_000
    whole = make_recording(tmp_path, 5)
    broken = type(whole)(whole.source, "anna", "one", whole.images, times_ns, whole.structures)
    result = segment(SegmentRequest(broken, paths, "onnxruntime"))
    assert result.resets == ((0, "start"), (3, "gap"))
    with OnnxPredictor(paths[0], "onnxruntime") as predictor:
        (expected,) = predictor.step(broken[3])
    np.testing.assert_array_equal(shown(result, 0, 3), expected.mask_HW)
    unbroken = segment(SegmentRequest(whole, paths, "onnxruntime"))
    assert not np.array_equal(shown(unbroken, 0, 3), expected.mask_HW)


def test_areas_are_those_of_the_masks_in_square_millimetres(tmp_path):
    recording = make_recording(tmp_path, 3, labelled=[1], spacing_mm=(0.5, 0.2))
    areas = segment(SegmentRequest(recording, models(tmp_path, "frame"), "onnxruntime")).areas
    assert areas.unit == "mm²"
    np.testing.assert_allclose(areas.times_s, [0, 0.05, 0.1])
    result = segment(SegmentRequest(recording, models(tmp_path, "frame"), "onnxruntime"))
    for label in (1, 2):
        expected = np.count_nonzero(shown(result, 0, 2) == label) * 0.1
        assert areas.models[0].area_TK[2, label - 1] == pytest.approx(expected)
    assert expected > 0
    np.testing.assert_allclose(areas.reference.area_TK[1], [40 * 24 * 0.1, 0])
    assert np.isnan(areas.reference.area_TK[[0, 2]]).all()


def test_a_frame_that_cannot_be_read_is_counted_and_the_rest_goes_on(tmp_path):
    recording = make_recording(tmp_path, 4, broken={1: RecordingError("it is cut off")})
    result = segment(SegmentRequest(recording, models(tmp_path, "frame"), "onnxruntime"))
    assert sorted(result.predictions) == [0, 2, 3]
    assert result.skipped == ("frame 1: it is cut off",)
    assert np.isnan(result.areas.models[0].area_TK[1]).all()


def test_a_recording_without_a_readable_frame_is_refused(tmp_path):
    error = RecordingError("it is cut off")
    recording = make_recording(tmp_path, 2, broken={0: error, 1: error})
    with pytest.raises(
        RecordingError, match=r"no frame of .*recording\.bin could be read; frame 0: it is cut off"
    ):
        segment(SegmentRequest(recording, models(tmp_path, "frame"), "onnxruntime"))


def test_models_of_different_structures_are_refused(tmp_path):
    write_model(tmp_path / "a.onnx", structures=AXILLARY, name="armpit")
    write_model(tmp_path / "b.onnx", structures=FEMORAL, name="groin")
    request = SegmentRequest(
        make_recording(tmp_path, 1), (tmp_path / "a.onnx", tmp_path / "b.onnx"), "onnxruntime"
    )
    with pytest.raises(ModelError, match=r"'armpit'.*'groin'.*ulnar nerve in A, nothing in B"):
        segment(request)


def test_an_external_model_needs_names_and_runs_with_them(tmp_path):
    recording = make_recording(tmp_path, 2)
    write_model(tmp_path / "other.onnx", card=False)
    write_model(tmp_path / "ours.onnx")
    request = SegmentRequest(recording, (tmp_path / "other.onnx",), "onnxruntime")
    with pytest.raises(ModelError, match="Enter the names of its structures"):
        segment(request)
    paths = (tmp_path / "ours.onnx", tmp_path / "other.onnx")
    result = segment(SegmentRequest(recording, paths, "onnxruntime", NERVE_VESSEL))
    assert result.names == ("frame", "other")
    np.testing.assert_array_equal(shown(result, 0, 1), shown(result, 1, 1))


def test_without_a_model_it_says_where_to_get_one(tmp_path):
    with pytest.raises(ModelError, match="sonotempo export"):
        segment(SegmentRequest(make_recording(tmp_path, 1), ()))


def test_cancelling_stops_before_the_next_frame(tmp_path):
    recording = make_recording(tmp_path, 50)
    request = SegmentRequest(recording, models(tmp_path, "frame"), "onnxruntime")
    assert segment(request, is_cancelled=lambda: len(recording.images.reads) >= 3) is None
    assert recording.images.reads == [0, 1, 2]


def test_progress_begins_with_the_frames_and_ends_with_all(tmp_path):
    reported = []
    request = SegmentRequest(make_recording(tmp_path, 3), models(tmp_path, "frame"), "onnxruntime")
    segment(request, lambda frames, seconds: reported.append(frames))
    assert [reported[0], reported[-1]] == [0, 3]


def test_models_of_one_name_are_told_apart_by_their_side(tmp_path):
    card = write_model(tmp_path / "one.onnx")
    assert model_names([card]) == ("tiny frame",)
    assert model_names([card, card]) == ("tiny frame (A)", "tiny frame (B)")
