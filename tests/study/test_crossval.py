import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from fakes.experiments import TINY, FinishedRun, Told, tiny_experiment, write_config
from fakes.shapes import moving_shapes, write_shapes
from sonotempo.config import DataConfig, FoldsConfig, TrainConfig
from sonotempo.config_file import experiment_from, load_run
from sonotempo.data.folds import load_folds
from sonotempo.errors import ConfigError, RecordingError, SonotempoError
from sonotempo.evaluation.scoring.provenance import read_facts
from sonotempo.io.writers import write_sequence
from sonotempo.label_origin import Origin, write_origins
from sonotempo.study import crossval as crossval_module
from sonotempo.study.crossval import crossvalidate
from sonotempo.training.cohort import open_cohort
from sonotempo.training.weights import load_weights, read_weights_metadata

GROUPED = TINY.model_copy(update={"normalization": "group"})


def test_a_run_folder_explains_itself(finished_run):
    folder = finished_run.folder
    assert load_run(folder) == finished_run.experiment
    plain = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    assert experiment_from(plain, "config.yaml") == finished_run.experiment
    environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    assert environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert environment["packages"]["torch"] == torch.__version__
    assert (folder / "bars.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "table.md").read_text(encoding="utf-8") == finished_run.table.markdown()
    assert (folder / "table.csv").read_text(encoding="utf-8") == finished_run.table.csv()
    assert (folder / "skipped.txt").read_text(encoding="utf-8") == ""


def test_only_the_settings_say_where_the_data_lie_and_nothing_names_the_host(finished_run, shapes):
    place, host = str(shapes.parent).encode(), socket.gethostname()
    files = [path for path in finished_run.folder.rglob("*") if path.is_file()]
    telling = [path.name for path in files if place in path.read_bytes()]
    assert telling == ["config.yaml"]
    events = [path.name for path in files if "tfevents" in path.name]
    assert events
    assert all(f".{host}." not in name for name in events)


def test_every_labelled_frame_is_scored_once_by_every_arm(finished_run):
    frames = pd.read_parquet(finished_run.folder / "frames.parquet")
    assert len(frames) == 2 * 4 * 6 * 2  # arms, subjects, frames, structures
    assert not frames.duplicated(["arm", "subject", "recording", "frame", "structure"]).any()
    assert set(frames.arm) == {"frame", "sequence"}
    tested = {
        fold.number: set(fold.test) for fold in load_folds(finished_run.folder / "folds.json")
    }
    for number, of_fold in frames.groupby("fold"):
        assert set(of_fold.subject) == tested[number]


def test_no_weights_were_trained_on_a_recording_of_their_test_or_validation_subjects(finished_run):
    recordings = open_cohort(finished_run.experiment, Told()).recordings
    content = {recording.name: recording.content for recording in recordings}
    assert len(set(content.values())) == len(content)
    for fold in load_folds(finished_run.folder / "folds.json"):
        for arm in ("frame", "sequence"):
            seen = set(read_weights_metadata(finished_run.weights(arm, fold.number)).trained_on)
            of = {name: one for name, one in content.items() if name.split("/")[0] in fold.train}
            assert seen == set(of.values())
            assert len(seen) == len(fold.train)


def test_every_job_logs_its_training(finished_run):
    for arm in ("frame", "sequence"):
        logs = list((finished_run.folder / arm / "fold-00" / "log").rglob("metrics.csv"))
        (metrics,) = [pd.read_csv(log) for log in logs]
        assert metrics["training_loss"].count() == 2
        assert ("memory_use" in metrics) == (arm == "sequence")


def copied(finished_run, tmp_path):
    return Path(shutil.copytree(finished_run.folder, tmp_path / "run"))


def again(run, experiment):
    with Told() as progress:
        crossvalidate(experiment, run, progress)
    return progress


def test_a_finished_run_is_only_tabulated_again(finished_run, tmp_path):
    run = copied(finished_run, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("weights.safetensors")}
    said = again(run, finished_run.experiment)
    assert "4 jobs, 0 to do" in said.text
    assert not any("training" in name for name, *_ in said.steps)
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("weights.safetensors")}
    assert (run / "table.md").read_text("utf-8") == finished_run.table.markdown()


def test_what_a_kill_in_the_last_moment_leaves_is_removed(finished_run, tmp_path):
    run = copied(finished_run, tmp_path)
    left = [run / "frame" / "fold-00" / name for name in ("resume.ckpt", ".progress-1.jsonl")]
    for path in left:
        path.touch()
    again(run, finished_run.experiment)
    assert not any(path.exists() for path in left)


def test_another_experiment_in_the_same_folder_is_refused_with_what_differs(finished_run, tmp_path):
    run = copied(finished_run, tmp_path)
    other = finished_run.experiment.model_copy(
        update={"seed": 9, "train": finished_run.experiment.train.model_copy(update={"epochs": 5})}
    )
    with pytest.raises(ConfigError) as error:
        crossvalidate(other, run, Told())
    said = str(error.value)
    assert "seed: 0 there, 9 now" in said
    assert "train.epochs: 2 there, 5 now" in said
    assert "batch_size" not in said
    assert "--out" in said
    assert load_run(run) == finished_run.experiment


def test_folds_of_an_earlier_start_are_reused(finished_run, tmp_path, monkeypatch):
    run = tmp_path / "run"
    run.mkdir()
    folds = json.loads((finished_run.folder / "folds.json").read_text(encoding="utf-8"))
    for fold in folds:  # some that the seed would not give
        fold["train"], fold["validation"] = fold["validation"], fold["train"]
    (run / "folds.json").write_text(json.dumps(folds), encoding="utf-8")
    used = []

    def note(job, *_):
        used.append(job.fold)
        if len(used) == 4:
            stop()

    monkeypatch.setattr(crossval_module, "run_job", note)
    with pytest.raises(SonotempoError, match="began"):
        crossvalidate(finished_run.experiment, run, Told())
    assert [fold.train for fold in used[::2]] == [tuple(fold["train"]) for fold in folds]
    assert load_folds(run / "folds.json") == tuple(used[::2])


def test_data_with_another_subject_are_refused(finished_run, tmp_path, shapes):
    run, root = copied(finished_run, tmp_path), tmp_path / "data"
    shutil.copytree(shapes, root)
    write_shapes(tmp_path / "more", 5, 6, 32, seed=3)
    shutil.move(tmp_path / "more" / "subject-04", root / "subject-04")
    moved = with_root(finished_run.experiment, root, run)
    (run / "recordings.json").unlink()
    with pytest.raises(ConfigError, match=r"different subjects \(subject-04\).*data have changed"):
        crossvalidate(moved, run, Told())


def with_root(experiment, root, run=None):
    data = experiment.data.model_copy(update={"root": root})
    moved = experiment.model_copy(update={"data": data})
    if run is not None:
        write_config(run / "config.yaml", moved)
    return moved


def test_data_whose_content_has_changed_are_refused_by_name(
    finished_run, tmp_path, shapes, monkeypatch
):
    monkeypatch.setattr(crossval_module, "run_job", lambda job, *_: stop())
    run, root = copied(finished_run, tmp_path), tmp_path / "data"
    (run / "frame" / "fold-00" / "finished.json").unlink()
    shutil.copytree(shapes, root)
    moved = with_root(finished_run.experiment, root, run)
    with pytest.raises(SonotempoError, match="began"):  # the same content elsewhere is fine
        crossvalidate(moved, run, Told())
    frame = root / "subject-02" / "sequence-0" / "frame_3_gt.mhd"
    shutil.copy(frame.with_name("frame_0_gt.zraw"), frame.with_name("frame_3_gt.zraw"))
    with pytest.raises(ConfigError, match=r"1 recordings .*subject-02/sequence-0.*have changed"):
        crossvalidate(moved, run, Told())


SELF_KILL = """
import os, signal, sys
from sonotempo import cli
from sonotempo.training.progress import RunProgress
advance = RunProgress.advance
left = 2
def killing(self, note=""):
    global left
    advance(self, note)
    if self._name == "sequence, fold 0: training":
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
RunProgress.advance = killing
sys.argv = ["sonotempo", "crossval", *sys.argv[1:]]
cli.main()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_run_goes_on_and_ends_like_one_that_was_not(finished_run, tmp_path):
    from typer.testing import CliRunner

    from sonotempo.cli import app

    run = tmp_path / "run"
    config = write_config(tmp_path / "tiny.yaml", finished_run.experiment)
    arguments = [str(config), "--out", str(run)]
    killed = subprocess.run(
        [sys.executable, "-c", SELF_KILL, *arguments],
        capture_output=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert (run / "sequence" / "fold-00" / "resume.ckpt").is_file()
    done = run / "frame" / "fold-00" / "weights.safetensors"
    finished, folds = done.stat().st_mtime_ns, (run / "folds.json").read_bytes()

    result = CliRunner().invoke(app, ["crossval", *arguments])
    assert result.exit_code == 0, result.output
    assert "4 jobs, 3 to do" in result.output
    assert done.stat().st_mtime_ns == finished
    assert (run / "folds.json").read_bytes() == folds
    assert folds == (finished_run.folder / "folds.json").read_bytes()
    for arm in ("frame", "sequence"):
        for fold in (0, 1):
            resumed, _ = load_weights(run / arm / f"fold-{fold:02d}" / "weights.safetensors")
            whole, _ = load_weights(finished_run.weights(arm, fold))
            for name, value in whole.state_dict().items():
                assert torch.equal(resumed.state_dict()[name], value), (arm, fold, name)
    assert (run / "table.md").read_bytes() == (finished_run.folder / "table.md").read_bytes()


def test_arms_in_any_order_are_trained_frame_first(shapes, tmp_path, monkeypatch):
    seen = []

    class Enough(Exception):
        pass

    def note(job, *_):
        seen.append(job.arm)
        if len(seen) == 4:
            raise Enough

    monkeypatch.setattr(crossval_module, "run_job", note)
    experiment = tiny_experiment(shapes, tmp_path / "cache", arms=("sequence", "frame"))
    with pytest.raises(Enough):
        crossvalidate(experiment, tmp_path / "run", Told())
    assert seen == ["frame", "sequence"] * 2


MISTAKES = {
    "no data folder": ({"root": None}, ConfigError, r"data\.root=FOLDER"),
    "a missing folder": ({"root": Path("no such folder")}, RecordingError, "is not a folder"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_in_the_data_does_not_claim_the_run_folder(shapes, tmp_path, monkeypatch, what):
    changes, kind, words = MISTAKES[what]
    good = tiny_experiment(shapes, tmp_path / "cache")
    bad = good.model_copy(update={"data": good.data.model_copy(update=changes)})
    with pytest.raises(kind, match=words):
        crossvalidate(bad, tmp_path / "run", Told())
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(crossval_module, "run_job", lambda job, *_: stop())
    with pytest.raises(SonotempoError, match="began"):
        crossvalidate(good, tmp_path / "run", Told())


def stop():
    raise SonotempoError("began")


def test_too_few_subjects_do_not_claim_the_run_folder(shapes, tmp_path):
    many = tiny_experiment(shapes, tmp_path / "cache", folds=FoldsConfig(count=10))
    with pytest.raises(
        ConfigError, match=r"4 subjects cannot make 10 folds .* folds.count to 2 to 4"
    ):
        crossvalidate(many, tmp_path / "run", Told())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"memory_strides": (5,)}, "memory_strides holds 5"),
        ({"encoder": "resnet"}, "neither 'plain' nor a timm backbone"),
        ({"channels": (8,) * 8}, "multiples of 128"),
    ],
)
def test_a_network_that_cannot_be_is_refused_before_anything_is_read(tmp_path, changes, words):
    wrong = tiny_experiment(
        tmp_path / "nothing here", tmp_path / "cache", model=TINY.model_copy(update=changes)
    )
    with pytest.raises(ConfigError, match=words):
        crossvalidate(wrong, tmp_path / "run", Told())


def test_a_file_in_the_way_of_the_run_folder_is_a_sentence(shapes, tmp_path):
    (tmp_path / "run").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"cannot be created .*--out"):
        crossvalidate(tiny_experiment(shapes, tmp_path / "cache"), tmp_path / "run", Told())


def test_a_config_of_a_run_that_was_damaged_is_a_sentence(tmp_path):
    (tmp_path / "config.yaml").write_text("name: [", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_run(tmp_path)


def write_key_frames(root, subjects, size=32):
    """An annotation export that holds every tenth frame only."""
    import numpy as np

    for number in range(subjects):
        images, masks = moving_shapes(3, size, np.random.default_rng(number))
        folder = root / f"subject-{number}" / "sequence-0"
        times = np.arange(3, dtype=np.int64) * 500_000_000
        write_sequence(folder, "frame", images, masks, spacing_mm=None, timestamps_ns=times)
        for old in sorted(folder.iterdir(), reverse=True):
            stem, index, *rest = old.name.replace(".", "_", 1).split("_")
            del stem, rest
            new = old.with_name(old.name.replace(f"frame_{index}", f"frame_{10 * int(index)}"))
            if old.suffix == ".mhd":
                text = old.read_text("utf-8")
                old.write_text(text.replace(f"frame_{index}", f"frame_{10 * int(index)}"), "utf-8")
            old.rename(new)


def test_a_run_folder_that_cannot_be_written_is_refused_before_training(tmp_path, shapes):
    (tmp_path / "run" / "skipped.txt").mkdir(parents=True)
    experiment = tiny_experiment(shapes, shapes.with_name("cache"))
    with (
        Told() as told,
        pytest.raises(ConfigError, match=r"skipped\.txt cannot be written .+--out"),
    ):
        crossvalidate(experiment, tmp_path / "run", told)
    assert [name for name, *_ in told.steps] == ["fitting frames to the network grid"]


def in_batches_of(frames, shapes, **changes):
    train = TrainConfig(epochs=1, batch_size=frames, accelerator="cpu")
    return tiny_experiment(
        shapes, shapes.with_name("cache"), arms=("frame",), train=train, **changes
    )


def test_a_frame_left_alone_in_its_batch_is_refused_where_that_cannot_be_normalised(
    tmp_path, shapes
):
    words = r"6 training frames of fold 0 in batches of 5 .+ set data\.input_size=64, or another"
    with Told() as told, pytest.raises(ConfigError, match=words):
        crossvalidate(in_batches_of(5, shapes), tmp_path / "run", told)
    assert not (tmp_path / "run").exists()


def test_a_frame_left_alone_in_its_batch_trains_with_group_normalisation(tmp_path, shapes):
    with Told() as told:
        crossvalidate(in_batches_of(5, shapes, model=GROUPED), tmp_path / "run", told)
    assert (tmp_path / "run" / "table.md").is_file()


def test_key_frames_alone_are_refused_for_the_sequence_arm_with_the_way_out(tmp_path):
    write_key_frames(tmp_path / "export", 4)
    experiment = tiny_experiment(tmp_path / "export", tmp_path / "cache")
    with pytest.raises(ConfigError) as error:
        crossvalidate(experiment, tmp_path / "run", Told())
    said = str(error.value)
    assert "need consecutive frames, but only 0% of neighbouring frames follow" in said
    assert "data.frames_root" in said
    assert "arms=[frame]" in said


def test_key_frames_alone_serve_the_frame_arm(tmp_path, monkeypatch):
    write_key_frames(tmp_path / "export", 4)
    monkeypatch.setattr(crossval_module, "run_job", lambda job, *_: stop())
    experiment = tiny_experiment(tmp_path / "export", tmp_path / "cache", arms=("frame",))
    with pytest.raises(SonotempoError, match="began"):
        crossvalidate(experiment, tmp_path / "run", Told())


def test_what_is_skipped_is_said_and_written_down(shapes, tmp_path, monkeypatch):
    root = tmp_path / "data"
    shutil.copytree(shapes, root)
    torn = root / "subject-01" / "sequence-0" / "frame_2_gt.zraw"
    torn.write_bytes(torn.read_bytes()[:5])
    monkeypatch.setattr(crossval_module, "run_job", lambda job, *_: stop())
    progress = Told()
    with pytest.raises(SonotempoError, match="began"):
        crossvalidate(
            tiny_experiment(root, tmp_path / "cache", model=GROUPED), tmp_path / "run", progress
        )
    (line,) = (tmp_path / "run" / "skipped.txt").read_text("utf-8").splitlines()
    assert "frame_2_gt" in line
    assert str(tmp_path) not in line
    assert f"skipped: {line}" in progress.text


def test_the_data_of_a_run_are_never_changed(finished_run, shapes, tmp_path):
    write_shapes(tmp_path, 4, 6, 32, seed=0)

    def content(root):
        files = sorted(path for path in root.rglob("*") if path.is_file())
        return [(f.relative_to(root), hashlib.sha256(f.read_bytes()).digest()) for f in files]

    assert content(tmp_path) == content(shapes)


def test_a_fold_that_nothing_can_be_scored_by_is_refused(shapes, tmp_path):
    root = Path(shutil.copytree(shapes, tmp_path / "data"))
    for number in (1, 2, 3):
        folder = root / f"subject-{number:02d}" / "sequence-0"
        write_origins(folder, {frame: Origin("propagated") for frame in range(6)})
    experiment = tiny_experiment(root, tmp_path / "cache")
    data = experiment.data.model_copy(update={"use": ("human", "propagated")})
    with Told() as progress, pytest.raises(ConfigError, match=r"fold \d has no reference: nobody"):
        crossvalidate(experiment.model_copy(update={"data": data}), tmp_path / "run", progress)
    assert not (tmp_path / "run").exists()


def test_a_run_says_which_masks_it_used(shapes, tmp_path):
    root = Path(shutil.copytree(shapes, tmp_path / "data"))
    for number in range(4):
        folder = root / f"subject-{number:02d}" / "sequence-0"
        write_origins(folder, {frame: Origin("propagated") for frame in (1, 2, 4, 5)})
    run = FinishedRun.of(
        root,
        arms=("frame",),
        data=DataConfig(
            root=root, input_size=32, cache=tmp_path / "cache", use=("human", "propagated")
        ),
    )
    said = "references: 8 human; for training alone: 16 propagated"
    assert said in run.table.markdown()
    assert said in run.text
    frames = pd.read_parquet(run.folder / "frames.parquet")
    assert set(frames.frame) == {0, 3}
    facts = read_facts(run.folder / "frame" / "fold-00" / "facts.json")
    assert facts.labelled_frames == 6
    assert facts.trained_origins == {"propagated": 4}
