from dataclasses import replace

import numpy as np
import pytest

from fakes.predictors import Recorder
from fakes.recordings import half_and_half, make_recording
from sonotempo.config import EvaluateConfig
from sonotempo.errors import SonotempoError
from sonotempo.evaluation.scoring.evaluate import evaluate
from sonotempo.evaluation.scoring.frames import FRAME_COLUMNS
from sonotempo.evaluation.scoring.temporal_table import TEMPORAL_COLUMNS
from sonotempo.measures import TEMPORAL

SHAPE = (64, 64)


def recordings(tmp_path):
    return [
        make_recording(
            tmp_path, 6, numbers=[10, 11, 12, 20, 21, 22], labelled=(1, 4), shape_HW=SHAPE
        ),
        make_recording(tmp_path, 2, labelled=(0, 1), shape_HW=SHAPE, subject="bob", name="bob/one"),
    ]


def scored(predictor, given, **more):
    return evaluated(predictor, given, **more).frames


def evaluated(predictor, given, config=None, **more):
    return evaluate(predictor, given, config or EvaluateConfig(), arm="sequence", fold=3, **more)


def test_the_state_is_reset_at_every_recording_and_every_gap(tmp_path):
    predictor = Recorder()
    scored(predictor, recordings(tmp_path))
    assert predictor.calls == ["reset", 0, 1, 2, "reset", 3, 4, 5, "reset", 0, 1]


def test_a_predictor_without_state_sees_labelled_frames_only(tmp_path):
    predictor = Recorder(stateful=False)
    scored(predictor, recordings(tmp_path))
    assert [call for call in predictor.calls if call != "reset"] == [1, 4, 0, 1]


def test_skipping_frames_does_not_change_a_stateless_predictor_s_scores(tmp_path):
    def answer(frame):
        return (frame.image_HW > 128).astype(np.uint8)

    given = recordings(tmp_path)
    every = scored(Recorder(stateful=True, answer=answer), given)
    labelled = scored(Recorder(stateful=False, answer=answer), given)
    assert every.equals(labelled)


def test_rows_follow_the_labelled_frames_and_carry_the_files_numbers(tmp_path):
    frames = scored(Recorder(), recordings(tmp_path))
    assert list(frames.columns) == list(FRAME_COLUMNS)
    rows = frames[frames.structure == "nerve"]
    keys = ["arm", "fold", "subject", "recording", "frame"]
    assert rows[keys].to_numpy().tolist() == [
        ["sequence", 3, "anna", "anna/one", 11],
        ["sequence", 3, "anna", "anna/one", 21],
        ["sequence", 3, "bob", "bob/one", 0],
        ["sequence", 3, "bob", "bob/one", 1],
    ]
    assert len(frames) == 2 * len(rows)


def test_each_frame_is_scored_against_its_own_mask(tmp_path):
    masks = {1: half_and_half(SHAPE, 1), 3: half_and_half(SHAPE, 2)}
    recording = make_recording(tmp_path, 4, masks=masks, shape_HW=SHAPE)
    predictor = Recorder(answer=lambda frame: masks.get(frame.index, np.zeros(SHAPE, np.uint8)))
    frames = scored(predictor, [recording])
    shown = frames[frames.reference_px > 0]
    assert shown.structure.tolist() == ["nerve", "vessel"]
    assert shown.dice.tolist() == [1, 1]
    swapped = Recorder(answer=lambda frame: masks[4 - frame.index if frame.index in masks else 1])
    assert scored(swapped, [recording]).query("reference_px > 0").dice.tolist() == [0, 0]


def test_the_first_of_several_predictions_counts(tmp_path):
    class Pair(Recorder):
        def step(self, frame):
            (first,) = super().step(frame)
            return first, object()

    assert len(scored(Pair(), recordings(tmp_path))) == 8


def test_each_frame_says_how_long_the_state_had_been_carried(tmp_path):
    for stateful in (True, False):  # and it is the same for both: ages can be lined up
        frames = scored(Recorder(stateful=stateful), recordings(tmp_path))
        assert frames[frames.structure == "nerve"].state_age.tolist() == [2, 2, 1, 2]


def test_masks_are_handed_out_recording_by_recording(tmp_path):
    kept = []
    answer = dict.fromkeys(range(6), half_and_half(SHAPE, 2))
    predictor = Recorder(answer=lambda frame: answer[frame.index])
    scored(predictor, recordings(tmp_path), on_masks=kept.append)
    one, two = kept
    assert one.frame_numbers.tolist() == [10, 11, 12, 20, 21, 22]
    assert one.masks_TSS.shape == (6, *SHAPE)
    np.testing.assert_array_equal(one.by_number()[21], half_and_half(SHAPE, 2))
    assert (two.recording, len(two.masks_TSS)) == ("bob/one", 2)


def test_a_predictor_without_state_can_be_asked_for_every_frame(tmp_path):
    kept = []
    predictor = Recorder(stateful=False)
    scored(predictor, recordings(tmp_path), every_frame=True, on_masks=kept.append)
    assert [call for call in predictor.calls if call != "reset"] == [0, 1, 2, 3, 4, 5, 0, 1]
    assert [len(masks.frame_numbers) for masks in kept] == [6, 2]


def test_temporal_metrics_of_sparse_labels_are_not_available_never_zero(tmp_path):
    table = evaluated(Recorder(), recordings(tmp_path)).temporal
    assert list(table.columns) == list(TEMPORAL_COLUMNS)
    assert len(table) == 2 * 2 * len(TEMPORAL)
    assert table.value.isna().all()
    assert set(table.reason) == {"sparse labels"}


def test_temporal_metrics_of_dense_labels_have_values_and_absent_structures_a_reason(tmp_path):
    recording = make_recording(tmp_path, 20, shape_HW=SHAPE, spacing_mm=(0.5, 0.5))
    perfect = Recorder(answer=lambda frame: half_and_half(SHAPE))
    evaluation = evaluated(perfect, [recording])
    nerve = evaluation.temporal[evaluation.temporal.structure == "nerve"].set_index("metric")
    assert nerve.value.drop(["ghosting_ms"]).to_dict() == {
        "flicker_per_s": 0.0,
        "onset_delay_ms": 0.0,
        "dropouts_per_min": 0.0,
        "dropout_p95_ms": 0.0,
        "continuity": 1.0,
        "vc_correct_8": 1.0,
        "vc_correct_16": 1.0,
        "dtssd": 0.0,
        "area_inconsistency": 0.0,
        "centroid_inconsistency": 0.0,
        "lag_frames": 0.0,
    }
    assert nerve.reason["ghosting_ms"] == "the reference never ends"
    vessel = evaluation.temporal[evaluation.temporal.structure == "vessel"]
    assert set(vessel.reason) == {"structure absent"}
    assert evaluation.frames[evaluation.frames.structure == "nerve"].nsd.tolist() == [1.0] * 20


def test_outputs_that_are_no_numbers_name_arm_recording_and_frame(tmp_path):
    class Broken(Recorder):
        def step(self, frame):
            (made,) = super().step(frame)
            confidence_HW = np.ones(SHAPE, np.float32)
            confidence_HW[3, 4] = np.nan if frame.index == 4 else 1
            return (replace(made, confidence_HW=confidence_HW),)

    with pytest.raises(SonotempoError, match=r"arm 'sequence' .* frame 21 of anna/one, 1 of 4096"):
        scored(Broken(), recordings(tmp_path))


def test_arms_are_scored_as_streamed_only_where_a_latency_is_given(tmp_path):
    recording = make_recording(tmp_path, 4, shape_HW=SHAPE)  # 50 ms a frame
    predictor = Recorder(answer=lambda frame: half_and_half(SHAPE))
    assert evaluated(predictor, [recording]).streaming is None
    other = EvaluateConfig(streaming_latency_ms={"frame": 20})
    assert evaluated(predictor, [recording], other).streaming is None
    config = EvaluateConfig(streaming_latency_ms={"sequence": 20})
    streaming = evaluated(predictor, [recording], config).streaming
    nerve = streaming[streaming.structure == "nerve"]
    assert nerve.shown_frame.tolist() == [-1, 0, 1, 2]
    assert nerve.dice.tolist() == [0, 1, 1, 1]


def test_progress_is_told_of_every_recording(tmp_path):
    told = []
    scored(Recorder(), recordings(tmp_path), on_recording=lambda: told.append(1))
    assert len(told) == 2


def test_recordings_are_read_one_after_the_other(tmp_path):
    predictor = Recorder()

    def one_by_one():
        for recording in recordings(tmp_path):
            predictor.calls.append(recording.name)
            yield recording

    scored(predictor, one_by_one())
    assert predictor.calls[0] == "anna/one"
    assert predictor.calls.index("bob/one") > predictor.calls.index(5)


def test_nothing_to_score_gives_an_empty_table_with_its_columns():
    assert list(scored(Recorder(), []).columns) == list(FRAME_COLUMNS)
