import errno
import os
import re
import shutil
import subprocess
import sys
from unittest import mock

import pytest
import typer
from typer.testing import CliRunner

from fakes.experiments import tiny_experiment, write_config
from fakes.shapes import write_shapes
from sonotempo import cli
from sonotempo.arms import ARMS


def commands_of(command, words=()):
    """Return the words of a command and of all below it."""
    below = getattr(command, "commands", {}).items()
    inner = [each for name, one in below for each in commands_of(one, (*words, name))]
    return [words, *inner]


def call(*arguments):
    """Run a command in this process, as the console script would."""
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def spawn(code, *arguments):
    """Run Python in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
    )


@pytest.mark.parametrize("command", commands_of(typer.main.get_command(cli.app)), ids=" ".join)
def test_every_command_explains_itself(command):
    result = call(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in plain(result.output)
    assert len(plain(result.output).splitlines()) > 8


def test_help_imports_nothing_heavy_and_takes_less_than_a_second():
    code = (
        "import os, sys\n"
        "from sonotempo.cli import main\n"
        "sys.argv = ['sonotempo', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as done:\n"
        "    status = done.code or 0\n"
        "heavy = {'torch', 'pydantic', 'scipy', 'pandas', 'lightning', 'sonotempo.config',"
        " 'SimpleITK', 'matplotlib'} & set(sys.modules)\n"
        "times = os.times()\n"
        "print(status, sorted(heavy), times.user + times.system < 1)\n"
    )
    result = spawn(code)
    assert result.stderr == ""
    assert result.stdout.splitlines()[-1] == "0 [] True"


@pytest.fixture
def config(tmp_path, shapes):
    return write_config(tmp_path / "tiny.yaml", tiny_experiment(shapes, tmp_path / "cache"))


def mistakes(config, tmp_path):
    (tmp_path / "empty").mkdir()
    return {
        "an unknown key": (
            ["crossval", config, "train.epoch=3"],
            "unknown key train.epoch; did you mean train.epochs?",
        ),
        "a missing config": (["crossval", tmp_path / "no.yaml"], "no config file at"),
        "a missing data root": (["crossval", config, "data.root="], "data.root is not set"),
        "a root that is no folder": (
            ["crossval", config, f"data.root={tmp_path / 'nowhere'}"],
            "is not a folder; set data.root",
        ),
        "an empty folder": (
            ["crossval", config, f"data.root={tmp_path / 'empty'}"],
            "holds no recordings",
        ),
        "too many folds": (
            ["crossval", config, "folds.count=10"],
            "4 subjects cannot make 10 folds",
        ),
        "a preview without data": (["data", "preview", config, "data.root="], "data.root"),
        "nothing to inspect": (["data", "inspect", tmp_path / "nowhere"], "does not exist"),
        "an unknown set": (
            ["data", "inspect", tmp_path, "--structures", "axilary"],
            "did you mean 'axillary'",
        ),
        "an unknown layout": (
            ["data", "inspect", tmp_path, "--layout", "still"],
            "did you mean 'stills'",
        ),
        "no such encoder": (
            ["model", "summary", config, "model.encoder=resnet1"],
            "neither 'plain' nor a timm backbone",
        ),
        "a grid that does not divide": (
            ["model", "summary", config, "model.channels=[4,4,4,4,4,4,4,4]"],
            "multiples of 128",
        ),
        "no weights": (["evaluate", tmp_path / "nowhere", tmp_path], "not a weights file"),
        "no run": (["evaluate", tmp_path / "empty", tmp_path], "is not a run folder"),
        "a demo in the way of a file": (["demo", "--out", config / "demo"], "cannot be created"),
    }


def test_a_mistake_ends_in_one_sentence_and_status_2(config, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for what, (arguments, words) in mistakes(config, tmp_path).items():
        monkeypatch.setattr(sys, "argv", ["sonotempo", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr().err
        assert end.value.code == 2, what
        assert words in said, what
        assert said.startswith("sonotempo: "), what
        assert len(said.splitlines()) == 1, f"{what}: {said}"
        assert "Traceback" not in said, what


def test_a_disk_that_refuses_in_the_middle_ends_in_one_sentence(monkeypatch, capsys):
    full = OSError(errno.ENOSPC, "No space left on device", "runs/a/frame/fold-00/resume.ckpt")
    monkeypatch.setattr(cli, "app", mock.Mock(side_effect=full))
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.startswith("sonotempo: runs/a/frame/fold-00/resume.ckpt: No space left on device;")
    assert "repeat the command: what was written is kept" in said


def test_another_fault_of_the_system_is_shown_whole(monkeypatch):
    monkeypatch.setattr(cli, "app", mock.Mock(side_effect=OSError(errno.EBADF, "bad descriptor")))
    with pytest.raises(OSError, match="bad descriptor"):
        cli.main()


def test_one_subject_for_ten_folds_is_refused_in_one_sentence(tmp_path):
    write_shapes(tmp_path / "data", 1, 2, 32, seed=0)
    experiment = tiny_experiment(tmp_path / "data", tmp_path / "cache")
    config = write_config(tmp_path / "one.yaml", experiment)
    arguments = ["crossval", config, "folds.count=10", "--out", tmp_path / "run"]
    result = call(*arguments)
    assert isinstance(result.exception, cli.SonotempoError)
    assert "1 subject cannot make 10 folds" in str(result.exception)
    assert not (tmp_path / "run").exists()


def test_the_console_script_says_it_on_stderr_without_a_traceback(tmp_path):
    result = spawn(
        "import sys; from sonotempo.cli import main; main()", "crossval", tmp_path / "no.yaml"
    )
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("sonotempo: no config file at")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("package", ["torch", "pandas"])
def test_a_command_whose_package_is_missing_says_how_to_install_it(package, tmp_path):
    code = (
        "import sys\n"
        f"sys.modules[{package!r}] = None\n"  # as if it were not installed
        "from sonotempo.cli import main; main()"
    )
    result = spawn(code, "compare", tmp_path)
    assert result.returncode == 2
    sentence = f"this command needs {package}; install it with: pip install 'sonotempo[train]'"
    assert result.stderr == f"sonotempo: {sentence}\n"


def live_in(folder, **environment):
    """Try to open the live comparison in a process of its own; it never gets as far as a window."""
    kept = {name: os.environ[name] for name in os.environ if "DISPLAY" not in name}
    kept.pop("QT_QPA_PLATFORM", None)
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from sonotempo.cli import main; main()",
            "live",
            "phantom://axillary",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=kept | environment,
    )


def test_without_a_qt_binding_the_live_comparison_says_how_to_install_one(tmp_path):
    (tmp_path / "qtpy").mkdir()
    (tmp_path / "qtpy" / "__init__.py").write_text("raise ImportError('No Qt bindings')\n")
    result = live_in(tmp_path, PYTHONPATH=str(tmp_path))
    assert result.returncode == 2, result.stderr
    assert "needs a Qt binding" in result.stderr
    assert "pip install 'sonotempo[napari,pyside6]'" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a screen")
def test_without_a_screen_the_live_comparison_says_so_before_qt_aborts(tmp_path):
    (tmp_path / "qtpy").mkdir()
    (tmp_path / "qtpy" / "__init__.py").write_text("")
    result = live_in(tmp_path, PYTHONPATH=str(tmp_path))
    assert result.returncode == 2, result.stderr
    assert "this machine has no display" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_another_missing_package_is_a_fault_that_is_shown_whole(tmp_path):
    code = "import sys; sys.modules['yaml'] = None; from sonotempo.cli import main; main()"
    result = spawn(code, "crossval", tmp_path / "no.yaml")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "yaml" in result.stderr.splitlines()[-1]


def test_a_missing_argument_is_a_usage_error():
    result = call("crossval")
    assert result.exit_code == 2
    assert "Missing argument" in plain(result.output)


def test_another_experiment_into_the_same_folder_is_refused(finished_run, tmp_path):
    config = write_config(tmp_path / "tiny.yaml", finished_run.experiment)
    result = call("crossval", config, "seed=4", "--out", finished_run.folder)
    assert "seed: 0 there, 4 now" in str(result.exception)


def test_seeds_are_runs_in_folders_of_out(tmp_path, monkeypatch):
    from sonotempo.study import crossval

    asked = {}

    def run(experiments, progress, folds):
        asked.update({folder: one.seed for folder, one in experiments.items()})
        return [None] * len(experiments)

    monkeypatch.setattr(crossval, "crossvalidate_seeds", run)
    config = write_config(tmp_path / "tiny.yaml", tiny_experiment())
    assert call("crossval", config, "--out", tmp_path / "run", "seed=9").exit_code == 0
    assert asked == {tmp_path / "run": 9}
    asked.clear()
    seeds = ["--seed", 0, "--seed", 4]
    assert call("crossval", config, "--out", tmp_path / "run", *seeds).exit_code == 0
    assert asked == {tmp_path / "run" / "seed-0": 0, tmp_path / "run" / "seed-4": 4}


def test_a_plan_is_printed_and_nothing_is_run(tmp_path, monkeypatch):
    from sonotempo.study import crossval, plan

    planned = plan.Plan((plan.PlannedArm("frame", 10, 8, 90, 2e9, 3e9),), "Ray, 2 nodes", 2, 360)
    monkeypatch.setattr(plan, "plan_runs", lambda *_: planned)
    monkeypatch.setattr(crossval, "crossvalidate_seeds", lambda *_: pytest.fail("it ran"))
    config = write_config(tmp_path / "tiny.yaml", tiny_experiment())
    said = plain(call("crossval", config, "--plan").output)
    assert "2.0 GB, 3.0 GB on the GPU" in said
    assert "Ray, 2 nodes; up to 4.0 GB of memory in all" in said
    assert "8 jobs, 12 min of work: about 6 min in all" in said


def test_evaluate_prints_and_writes_scores_on_other_data(finished_run, tmp_path):
    write_shapes(tmp_path / "other", 2, 3, 32, seed=50)
    arguments = ["evaluate", finished_run.folder, tmp_path / "other", "--cache", tmp_path / "c"]
    result = call(*arguments, "--out", tmp_path / "scores")
    assert result.exit_code == 0, result.output
    assert "sequence" in result.output
    assert sorted(path.name for path in (tmp_path / "scores").iterdir()) == [
        "calibration.parquet",
        "frame",
        "frames.parquet",
        "scored.json",
        "sequence",
        "table.csv",
        "table.md",
        "temporal.parquet",
    ]
    assert sorted(path.name for path in (tmp_path / "scores" / "frame").iterdir()) == [
        "calibration.parquet",
        "facts-00.json",
        "frames.parquet",
        "masks",
        "scored.json",
        "temporal.parquet",
    ]


def test_evaluate_scores_a_folder_of_masks_by_the_rules_of_a_run(finished_run, shapes, tmp_path):
    masks = tmp_path / "another-tool"
    for path in shapes.rglob("*_gt.*"):
        copy = masks / path.relative_to(shapes)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    out, cache = tmp_path / "scores", tmp_path / "c"
    arguments = ["evaluate", masks, shapes, "--cache", cache]
    result = call(*arguments, "--like", finished_run.folder, "--name", "truth", "--out", out)
    assert result.exit_code == 0, result.output
    assert "truth" in result.output
    assert sorted(path.name for path in out.iterdir()) == [
        "facts.json",
        "frames.parquet",
        "masks",
        "scored.json",
        "table.csv",
        "table.md",
        "temporal.parquet",
    ]
    bare = call(*arguments)
    assert "add --like RUN" in str(bare.exception)


def test_evaluate_leaves_training_recordings_out(finished_run, shapes, tmp_path):
    result = call("evaluate", finished_run.weights("frame"), shapes, "--cache", tmp_path / "c")
    assert result.exit_code == 0, result.output
    assert "1 recordings left out" in " ".join(result.output.split())


def test_evaluate_refuses_a_folder_that_cannot_be_made_before_it_scores(finished_run, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    result = call("evaluate", finished_run.folder, tmp_path / "nowhere", "--out", tmp_path / "file")
    assert isinstance(result.exception, cli.SonotempoError)
    assert "cannot be created" in str(result.exception)


def test_export_into_a_folder_that_cannot_be_made_is_a_sentence(finished_run, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    result = call("export", finished_run.folder, "--out", tmp_path / "file" / "m.onnx")
    assert isinstance(result.exception, cli.SonotempoError)
    assert f"{tmp_path / 'file'} cannot be created" in str(result.exception)
    assert str(result.exception).endswith("give another --out")


def test_compare_says_what_it_found_and_where_it_is(tmp_path):
    from fakes.comparisons import write_run

    run = write_run(tmp_path / "run", arms=("frame", "sequence"), subjects=3, frames=3)
    done = call("compare", run, "--out", tmp_path / "report")
    assert done.exit_code == 0, done.output
    text = " ".join(plain(done.output).split())
    assert "simulated subjects: these numbers say nothing about patients" in text
    assert "Recipe gain (not memory alone), sequence against frame: not judged in 10" in text
    assert (tmp_path / "report" / "report.html").is_file()
    refused = call("compare", run, run, "--out", tmp_path / "other")
    assert "given twice" in str(refused.exception)
    assert not (tmp_path / "other").exists()


def test_data_agreement_prints_and_writes_how_well_readers_agree(shapes, tmp_path):
    other = shutil.copytree(shapes, tmp_path / "ben")
    out = tmp_path / "agreement.csv"
    done = call("data", "agreement", shapes, other, "--out", out)
    assert done.exit_code == 0, done.output
    text = plain(done.output)
    assert "24 frames labelled by both" in text
    assert "[1.000, 1.000]" in text
    assert out.read_text("utf-8").startswith("structure,readers,metric,mean,low,high,")
    refused = call("data", "agreement", shapes, other, "--layout", "heap")
    assert "unknown layout 'heap'" in str(refused.exception)


def test_data_suggest_prints_and_writes_what_to_label(finished_run, shapes, tmp_path):
    data, out = shutil.copytree(shapes, tmp_path / "data"), tmp_path / "queue.csv"
    for mask in data.rglob("frame_4_gt.*"):
        mask.unlink()
    done = call("data", "suggest", finished_run.folder, data, "--out", out, "--cache", tmp_path)
    assert done.exit_code == 0, done.output
    assert "What to label next" in plain(done.output)
    assert out.read_text("utf-8").count("/sequence-0,4,") == 4
    refused = call("data", "suggest", shapes, data)
    assert "is not a run folder" in str(refused.exception)


def test_data_inspect_sums_up_a_data_set(shapes):
    result = call("data", "inspect", shapes)
    assert result.exit_code == 0
    assert "24, 24 of them labelled" in result.output


def test_data_preview_draws_a_picture(config, tmp_path):
    result = call("data", "preview", config, "--out", tmp_path / "p.png", "--examples", "1")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_model_summary_shows_the_arms_side_by_side(config):
    result = call("model", "summary", config)
    assert result.exit_code == 0, result.output
    for word in ("frame", "sequence", "memories", "whole", "32x32"):
        assert word in result.output


def test_model_summary_of_every_arm_fits_a_narrow_terminal(config, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    arms = [arm.name for arm in ARMS]
    result = call(
        "model",
        "summary",
        config,
        "model.channels=[8,16,32,64,128,256]",
        "model.share_encoder=joint",
        f"arms=[{','.join(arms)}]",
    )
    assert result.exit_code == 0, result.output
    assert "…" not in result.output
    for arm in arms:
        assert len(re.findall(rf"│   {arm} ", result.output)) == 2
    assert max(map(len, result.output.splitlines())) <= 80
