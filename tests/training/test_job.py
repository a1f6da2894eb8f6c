import hashlib
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from fakes.experiments import SIZE, TINY, Stopped, Told, tiny_experiment
from fakes.predictors import Recorder
from fakes.recordings import make_recording
from sonotempo.config import EvaluateConfig, SequenceConfig, TrainConfig
from sonotempo.data.cache import cache_recording
from sonotempo.data.folds import Fold
from sonotempo.errors import SonotempoError
from sonotempo.evaluation.scoring.evaluate import evaluate
from sonotempo.evaluation.scoring.files import read_scores
from sonotempo.evaluation.scoring.mask_files import read_masks
from sonotempo.evaluation.scoring.provenance import FACTS_FILE, read_facts
from sonotempo.measures import TEMPORAL
from sonotempo.training import fit as fit_module
from sonotempo.training.job import Job, run_job, shown_recordings
from sonotempo.training.weights import load_weights, read_weights_metadata

FOLD = Fold(0, ("s0",), ("s1",), ("s2",))


@pytest.fixture
def cohort(tmp_path):
    """Three subjects of four labelled frames."""

    def subject(number):
        name = f"s{number}"
        recording = make_recording(
            tmp_path / name, 4, subject=name, name=name, content=name.encode(), seed=number
        )
        cached = cache_recording(recording, tmp_path / "cache", SIZE, None)
        return replace(cached, frames_sum=name)  # the generated frames are the same for everyone

    return [subject(number) for number in range(3)]


def run_both(run, cohort, experiment, fold=FOLD, progress=None):
    progress = progress or Told()
    for arm in experiment.arms:
        run_job(Job(arm, fold, run), experiment, cohort, progress)
    return progress


def tensors(run, arm, fold=0):
    model, _ = load_weights(run / arm / f"fold-{fold:02d}" / "weights.safetensors")
    return model.state_dict()


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_weights_know_what_they_were_trained_on_and_what_they_must_not_have_seen(tmp_path, cohort):
    run_both(tmp_path / "run", cohort, tiny_experiment())
    for arm in ("frame", "sequence"):
        metadata = read_weights_metadata(tmp_path / "run" / arm / "fold-00" / "weights.safetensors")
        assert metadata.trained_on == (cohort[0].content,)
        assert (metadata.arm, metadata.fold, metadata.input_size) == (arm, 0, SIZE)


def test_a_shared_encoder_and_all_statistics_are_the_frame_arm_s(tmp_path, cohort):
    run_both(tmp_path / "run", cohort, tiny_experiment())
    frame, sequence = tensors(tmp_path / "run", "frame"), tensors(tmp_path / "run", "sequence")
    shared = [name for name in frame if name.startswith("encoder.") or "running_" in name]
    assert all(torch.equal(frame[name], sequence[name]) for name in shared)
    assert not torch.equal(frame["head.weight"], sequence["head.weight"])


def test_a_finished_job_is_not_done_again(tmp_path, cohort):
    experiment = tiny_experiment(arms=("frame",))
    run_both(tmp_path / "run", cohort, experiment)
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*") if p.is_file()}
    again = run_both(tmp_path / "run", cohort, experiment)
    assert again.steps == []
    assert files == {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert not list((tmp_path / "run").rglob("*.ckpt"))


@pytest.mark.parametrize(("arm", "schedule"), [("frame", "cosine"), ("sequence", "constant")])
def test_a_training_that_is_cut_off_ends_like_one_that_is_not(tmp_path, cohort, arm, schedule):
    train = TrainConfig(epochs=3, batch_size=4, accelerator="cpu", schedule=schedule)
    experiment = tiny_experiment(
        train=train, sequence=tiny_experiment().sequence.model_copy(update={"epochs": 3})
    )
    run_both(tmp_path / "whole", cohort, experiment)
    cut = Told(stop_in=f"{arm}, fold 0: training", stop_after=3)
    with pytest.raises(Stopped):
        run_both(tmp_path / "cut", cohort, experiment, progress=cut)
    assert not (tmp_path / "cut" / arm / "fold-00" / "weights.safetensors").exists()
    torch.rand(3)
    resumed = run_both(tmp_path / "cut", cohort, experiment)
    assert (f"{arm}, fold 0: training", 3, 2) in resumed.steps, "it goes on with the third epoch"
    assert same(tensors(tmp_path / "cut", arm), tensors(tmp_path / "whole", arm))


def test_a_run_that_is_cut_off_after_the_last_epoch_keeps_its_training(
    tmp_path, cohort, monkeypatch
):
    experiment = tiny_experiment(arms=("frame",))
    run_both(tmp_path / "whole", cohort, experiment)

    def cut(*_):
        raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(fit_module, "save_weights", cut)
        with pytest.raises(Stopped):
            run_both(tmp_path / "cut", cohort, experiment)
    resumed = run_both(tmp_path / "cut", cohort, experiment)
    assert ("frame, fold 0: training", 2, 2) in resumed.steps
    assert same(tensors(tmp_path / "cut", "frame"), tensors(tmp_path / "whole", "frame"))


def test_a_job_that_is_cut_off_while_scoring_is_not_trained_again(tmp_path, cohort):
    experiment = tiny_experiment(arms=("frame",))
    with pytest.raises(Stopped):
        run_both(tmp_path, cohort, experiment, progress=Told(stop_in="frame, fold 0: scoring"))
    weights = tmp_path / "frame" / "fold-00" / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    resumed = run_both(tmp_path, cohort, experiment)
    assert [name for name, *_ in resumed.steps] == ["frame, fold 0: scoring"]
    assert weights.stat().st_mtime_ns == before


def swap_folds(run, folds):
    one, other = (run / "frame" / f"fold-{k:02d}" for k in folds)
    shutil.move(one, run / "aside")
    shutil.move(other, one)
    shutil.move(run / "aside", other)


def test_a_sequence_fold_never_starts_from_another_fold_s_frame_weights(tmp_path, cohort):
    experiment = tiny_experiment()
    folds = (FOLD, Fold(1, ("s2",), ("s1",), ("s0",)))
    for fold in folds:
        run_job(Job("frame", fold, tmp_path), experiment, cohort, Told())
    swap_folds(tmp_path, (0, 1))
    with pytest.raises(
        SonotempoError, match=r"in fold 0 \(their metadata: frame, fold 1\); delete"
    ):
        run_job(Job("sequence", FOLD, tmp_path), experiment, cohort, Told())
    assert not (tmp_path / "sequence" / "fold-00" / "weights.safetensors").exists()


def test_weights_of_the_same_fold_number_but_of_other_subjects_are_no_start(tmp_path, cohort):
    experiment = tiny_experiment()
    leaky = Fold(0, ("s2",), ("s1",), ("s0",))
    run_job(Job("frame", leaky, tmp_path), experiment, cohort, Told())
    with pytest.raises(SonotempoError, match="were not trained by this run's frame arm"):
        run_job(Job("sequence", FOLD, tmp_path), experiment, cohort, Told())


def test_sequence_weights_in_the_place_of_frame_weights_are_no_start(tmp_path, cohort):
    run_both(tmp_path, cohort, tiny_experiment())
    for name in ("weights.safetensors", FACTS_FILE):
        shutil.copy(tmp_path / "sequence" / "fold-00" / name, tmp_path / "frame" / "fold-00")
    shutil.rmtree(tmp_path / "sequence")
    with pytest.raises(SonotempoError, match="their metadata: sequence, fold 0"):
        run_job(Job("sequence", FOLD, tmp_path), tiny_experiment(), cohort, Told())


def test_a_memory_that_stays_unused_is_told_of(tmp_path, cohort):
    slow = SequenceConfig(
        epochs=1,
        batch_size=2,
        clip_frames=4,
        backpropagation_frames=4,
        memory_learning_rate=1e-12,
    )
    said = run_both(tmp_path, cohort, tiny_experiment(sequence=slow)).text
    assert "warning: sequence, fold 0: the memory changes probabilities by" in said
    assert "raise sequence.memory_learning_rate" in said
    assert "warning: frame, fold 0: the memory" not in said


def test_a_memory_that_is_used_is_not_told_of(tmp_path, cohort, monkeypatch):
    monkeypatch.setattr(fit_module, "UNUSED_MEMORY", 1e-9)  # two epochs do not teach it much
    assert "the memory changes" not in run_both(tmp_path, cohort, tiny_experiment()).text


def test_a_structure_that_no_training_subject_shows_is_told_of_as_such(tmp_path, cohort):
    said = run_both(tmp_path, cohort, tiny_experiment(arms=("frame",))).text
    assert "no training subject shows 'vessel', so it cannot be learned" in said
    assert "train longer" not in said


def test_a_training_that_diverges_is_a_sentence_and_leaves_no_weights(tmp_path, cohort):
    wild = TrainConfig(epochs=3, batch_size=4, accelerator="cpu", learning_rate=1e30)
    bare = TINY.model_copy(update={"normalization": "none"})
    experiment = tiny_experiment(arms=("frame",), train=wild, model=bare)
    with pytest.raises(SonotempoError, match=r"diverged.*lower train\.learning_rate.*--out"):
        run_both(tmp_path, cohort, experiment)
    assert not list(tmp_path.rglob("weights.safetensors"))


def test_every_labelled_frame_of_the_test_subjects_is_scored_and_no_other(tmp_path, cohort):
    import pandas as pd

    run_both(tmp_path, cohort, tiny_experiment())
    for arm in ("frame", "sequence"):
        frames = pd.read_parquet(tmp_path / arm / "fold-00" / "frames.parquet")
        assert set(frames.subject) == {"s2"}
        assert frames.frame.unique().tolist() == [0, 1, 2, 3]
        assert set(frames.arm) == {arm}
        subjects = pd.read_csv(tmp_path / arm / "fold-00" / "subjects.csv")
        assert set(subjects.subject) == {"s2"}


def test_a_job_keeps_temporal_metrics_and_the_masks_of_every_test_frame(tmp_path, cohort):
    run_both(tmp_path, cohort, tiny_experiment())
    for arm in ("frame", "sequence"):
        folder = tmp_path / arm / "fold-00"
        scores = read_scores(folder)
        assert set(scores.temporal.metric) == {one.name for one in TEMPORAL}
        assert set(scores.temporal.arm) == {arm}
        masks = read_masks(folder, "s2")
        assert masks.frame_numbers.tolist() == [0, 1, 2, 3]
        frames = scores.frames.set_index(["frame", "structure"])
        for number, mask_SS in masks.by_number().items():
            assert frames.predicted_px[number, "nerve"] == np.count_nonzero(mask_SS == 1)
            assert frames.state_age[number, "nerve"] == number + 1


def test_masks_are_complete_even_where_labels_are_sparse(tmp_path):
    recordings = [
        cache_recording(
            make_recording(tmp_path / name, 4, labelled=(1, 3), subject=name, name=name),
            tmp_path / "cache",
            SIZE,
            None,
        )
        for name in ("s0", "s1", "s2")
    ]
    run_both(tmp_path / "run", recordings, tiny_experiment())
    for arm in ("frame", "sequence"):
        folder = tmp_path / "run" / arm / "fold-00"
        assert read_masks(folder, "s2").frame_numbers.tolist() == [0, 1, 2, 3]
        temporal = read_scores(folder).temporal
        assert set(temporal.reason) == {"sparse labels"}


def test_scores_that_were_deleted_are_made_again_without_training(tmp_path, cohort):
    experiment = tiny_experiment(arms=("frame",))
    run_both(tmp_path, cohort, experiment)
    folder = tmp_path / "frame" / "fold-00"
    shutil.rmtree(folder / "masks")
    for name in ("temporal.parquet", "finished.json"):
        (folder / name).unlink()
    weights = folder.joinpath("weights.safetensors").read_bytes()
    again = run_both(tmp_path, cohort, experiment)
    assert [name for name, *_ in again.steps] == ["frame, fold 0: scoring"]
    assert len(read_scores(folder).temporal)
    assert (folder / "masks").is_dir()
    assert folder.joinpath("weights.safetensors").read_bytes() == weights


def test_arms_are_scored_as_streamed_if_the_experiment_says_how_late(tmp_path, cohort):
    late = EvaluateConfig(streaming_latency_ms={"frame": 20, "sequence": (20, 70)})
    run_both(tmp_path, cohort, tiny_experiment(evaluate=late))
    for arm in ("frame", "sequence"):
        streaming = read_scores(tmp_path / arm / "fold-00").streaming
        assert streaming.shown_frame.iloc[0] == -1
        assert (streaming.shown_frame < streaming.frame).all()
        assert len(streaming) == 4 * 2


@pytest.fixture
def still(tmp_path):
    recording = make_recording(tmp_path / "still", 1, name="still", content=b"still")
    return cache_recording(recording, tmp_path / "cache", SIZE, None)


def test_a_still_is_shown_as_a_clip_that_ends_in_it_untouched(still):
    experiment = tiny_experiment()
    (shown,) = shown_recordings([still], experiment)
    assert len(shown) == EvaluateConfig().still_clip_frames == 16
    assert shown.labelled == (15,)
    assert len(shown.segments()) == 1
    np.testing.assert_array_equal(shown.images[15], still.frames_TSS()[0])
    np.testing.assert_array_equal(shown.mask(15), still.masks_MSS()[0])
    assert any(not np.array_equal(shown.images[i], shown.images[15]) for i in range(15))
    assert np.diff(shown.timestamps_ns).tolist() == [50_000_000] * 15


def test_every_arm_is_shown_the_same_clip_of_a_still(still):
    experiment = tiny_experiment()
    (one,), (other,) = (list(shown_recordings([still], experiment)) for _ in range(2))
    np.testing.assert_array_equal(np.asarray(one.images), np.asarray(other.images))


def test_stills_and_seeds_have_motions_of_their_own(still):
    experiment = tiny_experiment()
    (one,) = shown_recordings([still], experiment)
    (named,) = shown_recordings([replace(still, name="other")], experiment)
    (seeded,) = shown_recordings([still], experiment.model_copy(update={"seed": 1}))
    assert not np.array_equal(np.asarray(one.images), np.asarray(named.images))
    assert not np.array_equal(np.asarray(one.images), np.asarray(seeded.images))


@pytest.mark.parametrize("stateful", [True, False])
def test_only_the_last_frame_of_a_still_s_clip_is_scored(still, stateful):
    experiment = tiny_experiment()
    predictor = Recorder(stateful=stateful)
    frames = evaluate(
        predictor,
        shown_recordings([still], experiment),
        experiment.evaluate,
        arm="sequence",
        fold=0,
    ).frames
    assert frames.frame.tolist() == [15, 15]
    assert predictor.calls == ["reset", *(range(16) if stateful else [15])]


def test_a_still_may_also_be_shown_as_it_is(still):
    single = tiny_experiment(evaluate=EvaluateConfig(still_clip_frames=1))
    (shown,) = shown_recordings([still], single)
    assert len(shown) == 1
    assert shown.labelled == (0,)


def test_recordings_are_shown_as_they_are(cohort):
    shown = list(shown_recordings(cohort, tiny_experiment()))
    assert [recording.name for recording in shown] == ["s0", "s1", "s2"]
    np.testing.assert_array_equal(shown[1][3].image_HW, cohort[1].frames_TSS()[3])


def test_training_can_start_from_weights_of_other_data(tmp_path, cohort):
    run_both(tmp_path / "first", cohort[:1] + cohort[:1], tiny_experiment(arms=("frame",)))
    weights = tmp_path / "first" / "frame" / "fold-00" / "weights.safetensors"
    start = tiny_experiment(arms=("frame",))
    changed = start.train.model_copy(update={"initial_weights": weights, "learning_rate": 1e-9})
    run_both(tmp_path / "second", cohort, start.model_copy(update={"train": changed}))
    one, other = tensors(tmp_path / "first", "frame"), tensors(tmp_path / "second", "frame")
    learned = [name for name in one if name.endswith("weight")]
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in learned)
    facts = read_facts(tmp_path / "second" / "frame" / "fold-00" / FACTS_FILE)
    assert facts.start_sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert facts.frozen == ()


def flipped(path):
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_weights_that_have_changed_are_not_used(tmp_path, cohort):
    run_both(tmp_path, cohort, tiny_experiment())
    flipped(tmp_path / "frame" / "fold-00" / "weights.safetensors")
    shutil.rmtree(tmp_path / "sequence")
    with pytest.raises(SonotempoError, match="has changed since it was trained"):
        run_job(Job("sequence", FOLD, tmp_path), tiny_experiment(), cohort, Told())


@pytest.mark.parametrize("damage", ["a flipped bit", "cut short", "empty", "a part is missing"])
def test_a_damaged_checkpoint_is_said_and_training_begins_again(tmp_path, cohort, damage):
    experiment = tiny_experiment(arms=("frame",))
    run_both(tmp_path / "whole", cohort, experiment)
    with pytest.raises(Stopped):
        run_both(
            tmp_path / "run",
            cohort,
            experiment,
            progress=Told(stop_in="frame, fold 0: training", stop_after=2),
        )
    checkpoint = tmp_path / "run" / "frame" / "fold-00" / "resume.ckpt"
    content = checkpoint.read_bytes()
    if damage == "a flipped bit":
        flipped(checkpoint)
    elif damage == "a part is missing":
        torch.save({"epoch": 1}, checkpoint)
    else:
        checkpoint.write_bytes(content[: len(content) // 2] if damage == "cut short" else b"")
    said = run_both(tmp_path / "run", cohort, experiment).text
    assert "resume.ckpt is damaged" in said
    assert "trained from its beginning" in said
    assert same(tensors(tmp_path / "whole", "frame"), tensors(tmp_path / "run", "frame"))


def test_weights_that_saw_a_test_subject_on_another_grid_are_no_start(tmp_path, cohort):
    shown = make_recording(tmp_path / "s2", 4, subject="s2", name="s2", content=b"s2")
    larger = replace(cache_recording(shown, tmp_path / "cache", 2 * SIZE, None), subject="s0")
    settings = tiny_experiment(arms=("frame",))
    data = settings.data.model_copy(update={"input_size": 2 * SIZE})
    first = settings.model_copy(update={"data": data})
    run_both(tmp_path / "first", [larger, larger, replace(larger, subject="s2")], first)
    weights = tmp_path / "first" / "frame" / "fold-00" / "weights.safetensors"
    train = settings.train.model_copy(update={"initial_weights": weights})
    with pytest.raises(SonotempoError, match="trained on 1 of this fold's validation or test"):
        run_both(tmp_path / "run", cohort, settings.model_copy(update={"train": train}))
