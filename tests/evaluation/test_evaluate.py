import numpy as np

from fakes.predictors import Recorder
from fakes.recordings import half_and_half, make_recording
from sonotempo.config import EvaluateConfig
from sonotempo.evaluation.evaluate import evaluate
from sonotempo.evaluation.scores import FRAME_COLUMNS

SHAPE = (64, 64)


def recordings(tmp_path):
    return [
        make_recording(
            tmp_path, 6, numbers=[10, 11, 12, 20, 21, 22], labelled=(1, 4), shape_HW=SHAPE
        ),
        make_recording(tmp_path, 2, labelled=(0, 1), shape_HW=SHAPE, subject="bob", name="bob/one"),
    ]


def scored(predictor, given, **more):
    return evaluate(predictor, given, EvaluateConfig(), arm="sequence", fold=3, **more)


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
