"""A comparison's folder: numbers, tables and page from one call."""

import json

import pytest

from fakes.comparisons import write_run
from fakes.experiments import Told, tiny_experiment
from sonotempo.config import EvaluateConfig
from sonotempo.errors import ConfigError
from sonotempo.study.crossval import crossvalidate
from sonotempo.study.reporting import report_runs

FILES = ["comparison.csv", "comparison.json", "report.html", "tables.md", "tables.tex"]


def test_a_real_run_becomes_a_folder_with_everything(finished_run, tmp_path):
    with Told() as progress:
        comparison = report_runs([finished_run.folder], tmp_path / "report", progress)
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == FILES
    assert [step[0] for step in progress.steps][:2] == ["reading scores", "comparing"]
    arms = [arm.name for arm in comparison.arms]
    assert set(arms) == set(finished_run.experiment.arms)
    record = json.loads((tmp_path / "report" / "comparison.json").read_text(encoding="utf-8"))
    assert record["summary"] == list(comparison.summary)
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    cell = comparison.cells[0]
    assert f"{cell.mean:.3f}" in page


def test_a_report_is_made_without_the_data_and_is_the_same_the_second_time(tmp_path):
    run = write_run(
        tmp_path / "run",
        arms=("frame", "sequence"),
        subjects=4,
        frames=4,
        evaluate=EvaluateConfig(bootstrap_draws=100),
    )
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        with Told() as progress:
            report_runs([run], folder, progress)
    for name in FILES:
        first, second = ((folder / name).read_bytes() for folder in folders)
        assert first == second


def test_what_cannot_be_compared_leaves_no_folder(tmp_path):
    run = write_run(tmp_path / "run", arms=("frame",), subjects=2, frames=2)
    with Told() as progress, pytest.raises(ConfigError, match="nothing to compare"):
        report_runs([run], tmp_path / "report", progress)
    assert not (tmp_path / "report").exists()


def test_the_same_experiment_run_again_gives_the_same_bytes(finished_run, shapes, tmp_path):
    experiment = tiny_experiment(shapes, tmp_path / "cache")
    again = tmp_path / "again" / "run"
    again.parent.mkdir()
    with Told() as progress:
        crossvalidate(experiment, again, progress)
        for name, run in (("first", finished_run.folder), ("second", again)):
            report_runs([run], tmp_path / name, progress)
    for file in ("comparison.json", "comparison.csv", "tables.tex", "tables.md"):
        first, second = (tmp_path / name / file for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes(), file


def test_readers_of_the_same_structures_take_the_place_of_the_literature(tmp_path):
    run = write_run(
        tmp_path / "run",
        arms=("frame", "sequence"),
        subjects=4,
        frames=4,
        evaluate=EvaluateConfig(bootstrap_draws=100),
    )
    file = tmp_path / "agreement.csv"
    file.write_text(
        "structure,readers,metric,mean,low,high,subjects,frames,tolerance_mm,reason\n"
        "median nerve,anna; ben,dice,0.612,0.55,0.68,4,16,,\n",
        encoding="utf-8",
    )
    with Told() as progress:
        report_runs([run], tmp_path / "report", progress, agreement=file)
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "human–human Dice of median nerve of these readers 0.61" in page
    said = "human–human Dice of anna and ben in 16 frames of 4 subjects, 95 % interval"
    assert f"0.61 on median nerve ({said} 0.550 to 0.680, agreement.csv)" in page
    assert "--agreement agreement.csv" in page
    tables = (tmp_path / "report" / "tables.md").read_text(encoding="utf-8")
    assert f"median nerve: 0.612, {said}" in tables
    with Told() as progress, pytest.raises(ConfigError, match="cannot be read"):
        report_runs([run], tmp_path / "other", progress, agreement=tmp_path / "none.csv")
    assert not (tmp_path / "other").exists()
