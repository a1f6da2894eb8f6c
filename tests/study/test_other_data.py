import shutil

import pytest
import yaml

from fakes.experiments import FinishedRun, Told, write_config
from fakes.shapes import write_shapes
from sonotempo.data.folds import load_folds
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.evaluation.comparison.compare import compare
from sonotempo.evaluation.comparison.runs import read_run
from sonotempo.evaluation.scoring.files import read_scores
from sonotempo.evaluation.scoring.provenance import read_facts
from sonotempo.io.writers import write_sequence
from sonotempo.label_origin import Origin, write_origins
from sonotempo.study.other_data import evaluate_weights


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Two subjects that no fold has seen."""
    root = tmp_path_factory.mktemp("others") / "data"
    write_shapes(root, 2, 3, 32, seed=77)
    return root


def scored_on(weights, data, tmp_path):
    with Told() as progress:
        return evaluate_weights(weights, data, tmp_path / "cache", progress)


def test_weights_score_everything_that_they_have_not_seen(finished_run, others, tmp_path):
    scored = scored_on(finished_run.weights("sequence"), others, tmp_path)
    assert len(scored.evaluation.frames) == 2 * 3 * 2
    assert set(scored.evaluation.frames.arm) == {"sequence"}
    assert {cell.arm for cell in scored.table.cells} == {"sequence"}
    assert "left out" not in scored.table.markdown()


def test_a_run_scores_every_recording_once_with_both_arms(finished_run, others, tmp_path):
    frames = scored_on(finished_run.folder, others, tmp_path).evaluation.frames
    assert not frames.duplicated(["arm", "subject", "recording", "frame", "structure"]).any()
    assert frames.groupby("arm").size().to_dict() == {"frame": 12, "sequence": 12}
    assert set(frames.fold) == {0}


def test_what_weights_were_trained_on_is_left_out_and_said(finished_run, shapes, tmp_path):
    scored = scored_on(finished_run.weights("frame"), shapes, tmp_path)
    fold = load_folds(finished_run.folder / "folds.json")[0]
    assert set(scored.evaluation.frames.subject) == {*fold.test, *fold.validation}
    assert "1 recordings left out: these weights were trained on their subjects" in (
        scored.table.markdown()
    )


def test_a_copy_of_the_training_data_elsewhere_is_left_out_as_well(finished_run, shapes, tmp_path):
    copy = shutil.copytree(shapes, tmp_path / "copy")
    fold = load_folds(finished_run.folder / "folds.json")[0]
    frames = scored_on(finished_run.weights("sequence"), copy, tmp_path).evaluation.frames
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
    scored = scored_on(finished_run.weights("frame"), grown, tmp_path)
    assert trained not in set(scored.evaluation.frames.subject)
    assert (
        scored.evaluation.frames[scored.evaluation.frames.subject == tested].recording.nunique()
        == 2
    )
    assert "2 recordings left out: these weights were trained on their subjects" in (
        scored.table.markdown()
    )
    # Of a run, the fold that has not seen the subject scores it.
    frames = scored_on(finished_run.folder, grown, tmp_path).evaluation.frames
    assert set(frames[frames.subject == trained].fold) == {1}


def test_a_run_scored_on_its_own_data_never_scores_what_a_fold_has_learnt(
    finished_run, shapes, tmp_path
):
    frames = scored_on(finished_run.folder, shapes, tmp_path).evaluation.frames
    for fold in load_folds(finished_run.folder / "folds.json"):
        of_fold = frames[frames.fold == fold.number]
        assert not set(of_fold.subject) & set(fold.train)
    assert frames.groupby("arm").subject.nunique().to_dict() == {"frame": 4, "sequence": 4}


def test_data_that_were_all_trained_on_cannot_be_scored_on(finished_run, shapes, tmp_path):
    fold = load_folds(finished_run.folder / "folds.json")[0]
    only = tmp_path / "only"
    for subject in fold.train:
        shutil.copytree(shapes / subject, only / subject)
    with pytest.raises(RecordingError, match="was used to train"):
        scored_on(finished_run.weights("frame"), only, tmp_path)


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
        "unfinished": "continue with",
    }
    with pytest.raises(ConfigError, match=words[what]):
        scored_on(weights, others, tmp_path)


def test_only_folds_that_every_arm_has_finished_are_scored_on(finished_run, others, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(finished_run.folder, copy)
    (copy / "sequence" / "fold-00" / "weights.safetensors").unlink()
    frames = scored_on(copy, others, tmp_path).evaluation.frames
    assert set(frames["arm"]) == {"frame", "sequence"}
    assert set(frames["fold"]) == {1}


def test_data_without_masks_cannot_be_scored_on(finished_run, tmp_path):
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
        scored_on(finished_run.weights("frame"), tmp_path / "data", tmp_path)


@pytest.fixture(scope="module")
def fair_run(shapes, tmp_path_factory):
    """A finished run with the control of the memory effect."""
    data = shutil.copytree(shapes, tmp_path_factory.mktemp("fair") / "data")
    return FinishedRun.of(data, arms=("frame", "frame_continued", "sequence"))


@pytest.fixture(scope="module")
def scored_run(fair_run, others, tmp_path_factory):
    """The same run evaluated on other data, as streamed too, with its scores kept."""
    folder = tmp_path_factory.mktemp("evaluated")
    run = shutil.copytree(fair_run.folder, folder / "run")
    settings = yaml.safe_load((run / "config.yaml").read_text())
    settings["evaluate"]["streaming_latency_ms"] = 20.0
    (run / "config.yaml").write_text(yaml.safe_dump(settings))
    with Told() as progress:
        evaluate_weights(run, others, folder / "cache", progress, folder / "out")
    return folder / "out"


def test_how_arms_were_trained_stays_with_their_scores_on_other_data(fair_run, scored_run):
    read = read_run(scored_run)
    assert [arm.role for arm in read.arms] == sorted(fair_run.experiment.arms)
    for arm in read.arms:
        for fold, facts in arm.facts.items():
            job = fair_run.folder / arm.role / f"fold-{fold:02d}"
            assert facts == read_facts(job / "facts.json")
        assert set(arm.frames["fold"]) == set(arm.facts)


def test_a_memory_effect_can_be_stated_on_other_data(scored_run):
    pairs = {(one.arm, one.baseline): one for one in compare([scored_run]).pairs}
    effect = pairs["sequence", "frame_continued"]
    assert (effect.kind, effect.refused) == ("memory effect", ())


def test_scores_as_streamed_are_kept_for_all_arms_and_for_each(scored_run):
    together = read_scores(scored_run).streaming
    assert set(together["arm"]) == {"frame", "frame_continued", "sequence"}
    alone = read_scores(scored_run / "sequence").streaming
    assert set(alone["arm"]) == {"sequence"}
    assert compare([scored_run]).streaming


def test_a_lone_weights_file_has_no_facts_and_the_comparison_says_why(
    finished_run, others, tmp_path
):
    lone = shutil.copy(finished_run.weights("sequence"), tmp_path / "weights.safetensors")
    for weights, name in ((lone, "lone"), (finished_run.weights("frame"), "frame")):
        with Told() as progress:
            evaluate_weights(weights, others, tmp_path / "cache", progress, tmp_path / name)
    (arm,) = read_run(tmp_path / "lone").arms
    assert arm.facts == {}
    (pair,) = compare([tmp_path / "frame", tmp_path / "lone"]).pairs
    assert any("scored without their run folder" in fact for fact in pair.differs_in)


def test_masks_that_nobody_accepted_are_not_scored_by(finished_run, others, tmp_path):
    data = shutil.copytree(others, tmp_path / "data")
    write_origins(data / "subject-00" / "sequence-0", {0: Origin("propagated")})
    write_origins(data / "subject-01" / "sequence-0", {n: Origin("model", "x") for n in range(3)})
    scored = scored_on(finished_run.weights("frame"), data, tmp_path)
    assert set(scored.evaluation.frames.frame) == {1, 2}
    assert set(scored.evaluation.frames.subject) == {"subject-00"}
    assert "references: 2 human; not used: 3 model:x, 1 propagated" in scored.table.markdown()


def test_a_recording_that_has_got_more_labels_is_still_one_that_was_trained_on(
    finished_run, shapes, tmp_path
):
    data = shutil.copytree(shapes, tmp_path / "data")
    for mask in data.rglob("frame_3_gt.*"):
        mask.unlink()
    fold = load_folds(finished_run.folder / "folds.json")[0]
    frames = scored_on(finished_run.weights("frame"), data, tmp_path).evaluation.frames
    assert set(frames.subject) == {*fold.test, *fold.validation}
