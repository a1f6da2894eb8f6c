import shutil

import pytest

from fakes.experiments import Told, write_config
from fakes.shapes import write_shapes
from sonotempo.data.folds import load_folds
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.io.writers import write_sequence
from sonotempo.study.other_data import evaluate_weights


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Two subjects that no fold has seen."""
    root = tmp_path_factory.mktemp("others") / "data"
    write_shapes(root, 2, 3, 32, seed=77)
    return root


def judged(weights, data, tmp_path):
    with Told() as progress:
        return evaluate_weights(weights, data, tmp_path / "cache", progress)


def test_weights_score_everything_that_they_have_not_seen(finished_run, others, tmp_path):
    scored = judged(finished_run.weights("sequence"), others, tmp_path)
    assert len(scored.frames) == 2 * 3 * 2
    assert set(scored.frames.arm) == {"sequence"}
    assert scored.table.arms == ("sequence",)
    assert "left out" not in scored.table.markdown()


def test_a_run_scores_every_recording_once_with_both_arms(finished_run, others, tmp_path):
    frames = judged(finished_run.folder, others, tmp_path).frames
    assert not frames.duplicated(["arm", "subject", "recording", "frame", "structure"]).any()
    assert frames.groupby("arm").size().to_dict() == {"frame": 12, "sequence": 12}
    assert set(frames.fold) == {0}


def test_what_weights_were_trained_on_is_left_out_and_said(finished_run, shapes, tmp_path):
    scored = judged(finished_run.weights("frame"), shapes, tmp_path)
    fold = load_folds(finished_run.folder / "folds.json")[0]
    assert set(scored.frames.subject) == {*fold.test, *fold.validation}
    assert "1 recordings left out: these weights were trained on their subjects" in (
        scored.table.markdown()
    )


def test_a_copy_of_the_training_data_elsewhere_is_left_out_as_well(finished_run, shapes, tmp_path):
    copy = shutil.copytree(shapes, tmp_path / "copy")
    fold = load_folds(finished_run.folder / "folds.json")[0]
    frames = judged(finished_run.weights("sequence"), copy, tmp_path).frames
    assert not set(frames.subject) & set(fold.train)


def test_another_recording_of_a_training_subject_is_left_out_as_well(
    finished_run, shapes, tmp_path
):
    """Subjects never leak, also not through a recording that was made after the training."""
    grown = shutil.copytree(shapes, tmp_path / "grown")
    fold = load_folds(finished_run.folder / "folds.json")[0]
    (trained, *_), (tested, *_) = fold.train, fold.test
    write_shapes(tmp_path / "new", 2, 3, 32, seed=99)
    for number, subject in enumerate((trained, tested)):
        new = tmp_path / "new" / f"subject-{number:02d}" / "sequence-0"
        shutil.copytree(new, grown / subject / "sequence-1")
    scored = judged(finished_run.weights("frame"), grown, tmp_path)
    assert trained not in set(scored.frames.subject)
    assert scored.frames[scored.frames.subject == tested].recording.nunique() == 2
    assert "2 recordings left out: these weights were trained on their subjects" in (
        scored.table.markdown()
    )
    # Of a run, the fold that has not seen the subject scores it.
    frames = judged(finished_run.folder, grown, tmp_path).frames
    assert set(frames[frames.subject == trained].fold) == {1}


def test_a_run_judged_on_its_own_data_never_scores_what_a_fold_has_learnt(
    finished_run, shapes, tmp_path
):
    frames = judged(finished_run.folder, shapes, tmp_path).frames
    for fold in load_folds(finished_run.folder / "folds.json"):
        of_fold = frames[frames.fold == fold.number]
        assert not set(of_fold.subject) & set(fold.train)
    assert frames.groupby("arm").subject.nunique().to_dict() == {"frame": 4, "sequence": 4}


def test_data_that_were_all_trained_on_cannot_be_judged(finished_run, shapes, tmp_path):
    fold = load_folds(finished_run.folder / "folds.json")[0]
    only = tmp_path / "only"
    for subject in fold.train:
        shutil.copytree(shapes / subject, only / subject)
    with pytest.raises(RecordingError, match="was used to train"):
        judged(finished_run.weights("frame"), only, tmp_path)


def test_a_run_s_own_data_are_read_as_it_read_them(finished_run, shapes, tmp_path):
    """An export of key frames paired with its recordings: alone it would look like other data."""
    from sonotempo.study.other_data import with_data

    run = finished_run.experiment
    paired = run.data.model_copy(update={"frames_root": tmp_path, "layout": "annotation_web"})
    own = with_data(
        run.model_copy(update={"data": paired}), shapes / ".." / shapes.name, tmp_path / "c"
    )
    assert own.data.frames_root == tmp_path
    assert own.data.layout == "annotation_web"
    assert own.data.cache == tmp_path / "c"
    other = with_data(run.model_copy(update={"data": paired}), tmp_path, tmp_path / "c")
    assert other.data.frames_root is None
    assert other.data.layout == "auto"


@pytest.mark.parametrize("what", ["missing", "no run", "unfinished"])
def test_what_is_no_run_and_no_weights_is_refused(finished_run, others, tmp_path, what):
    weights = tmp_path / "weights"
    if what != "missing":
        weights.mkdir()
    if what == "unfinished":
        write_config(weights / "config.yaml", finished_run.experiment)
    words = {
        "missing": "not a weights file",
        "no run": "no config.yaml",
        "unfinished": "go on with",
    }
    with pytest.raises(ConfigError, match=words[what]):
        judged(weights, others, tmp_path)


def test_only_folds_that_every_arm_has_finished_are_judged(finished_run, others, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(finished_run.folder, copy)
    (copy / "sequence" / "fold-00" / "weights.safetensors").unlink()
    frames = judged(copy, others, tmp_path).frames
    assert set(frames["arm"]) == {"frame", "sequence"}
    assert set(frames["fold"]) == {1}


def test_data_without_masks_cannot_be_judged(finished_run, tmp_path):
    import numpy as np

    folder = tmp_path / "data" / "anna" / "one"
    write_sequence(
        folder,
        "frame",
        np.zeros((2, 32, 32), np.uint8),
        None,
        spacing_mm=None,
        timestamps_ns=np.arange(2, dtype=np.int64),
    )
    with pytest.raises(RecordingError, match="no frame has a mask"):
        judged(finished_run.weights("frame"), tmp_path / "data", tmp_path)
