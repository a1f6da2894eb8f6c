"""Whoever computes the jobs of a run, the run folder is the same."""

import os
import sys

import pytest

from fakes.experiments import Told, tiny_experiment
from fakes.runs import files_that_count
from sonotempo.config import EngineConfig
from sonotempo.errors import ConfigError, SonotempoError
from sonotempo.study import crossval as crossval_module
from sonotempo.study.crossval import crossvalidate, crossvalidate_seeds

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes are ended by signals here")


def local(experiment, **changes):
    return experiment.model_copy(update={"engine": EngineConfig(kind="local", **changes)})


@pytest.fixture
def one_thread(monkeypatch):
    """The threads of the run to compare with: sums of floats depend on their number."""
    import torch

    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))


@pytest.mark.usefixtures("one_thread")
def test_jobs_side_by_side_write_what_jobs_in_turn_write(finished_run, tmp_path):
    run = tmp_path / "run"
    with Told() as told:
        table = crossvalidate(local(finished_run.experiment, jobs=2), run, told)
    assert table.markdown() == finished_run.table.markdown()
    assert files_that_count(run) == files_that_count(finished_run.folder)
    assert "engine=local: 2 at a time" in told.text
    assert "warning: frame, fold 0: " in told.text  # what a job has to say reaches the user
    assert "4 of 4 jobs done" in told.text

    with Told() as told:  # and the engine is no part of what a run is
        crossvalidate(finished_run.experiment, run, told)
    assert "4 jobs, 0 to do" in told.text


def test_a_mistake_in_a_worker_is_its_own_sentence_and_nothing_is_lost(finished_run, tmp_path):
    run = tmp_path / "run"
    rate = finished_run.experiment.train.model_copy(update={"learning_rate": 1e30})
    diverging = finished_run.experiment.model_copy(update={"train": rate, "arms": ("frame",)})
    with Told() as told, pytest.raises(SonotempoError, match=r"the training of frame, fold \d di"):
        crossvalidate(local(diverging, jobs=1), run, told)
    assert not list(run.rglob(".progress*"))
    assert list(run.rglob("resume.ckpt"))


def test_seeds_are_runs_in_folders_that_share_the_data(finished_run, tmp_path, monkeypatch):
    done = []

    def finish(job, experiment, *_):
        done.append((job.run.name, experiment.seed, job.arm))
        job.folder.mkdir(parents=True)
        (job.folder / "finished.json").touch()

    monkeypatch.setattr(crossval_module, "run_job", finish)
    monkeypatch.setattr(crossval_module, "_tabulated", lambda one, _: one.experiment.seed)
    experiments = {
        tmp_path / f"seed-{seed}": finished_run.experiment.model_copy(update={"seed": seed})
        for seed in (3, 4)
    }
    with Told() as told:
        assert crossvalidate_seeds(experiments, told) == [3, 4]
    assert len([name for name, *_ in told.steps if name.startswith("fitting")]) == 1
    assert done == [
        (f"seed-{seed}", seed, arm) for seed in (3, 4) for arm in ("frame", "sequence") * 2
    ]


def test_without_ray_the_way_to_install_it_is_said(finished_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "sonotempo.study.engine.ray_cluster", raising=False)
    wide = finished_run.experiment.model_copy(update={"engine": EngineConfig(kind="ray")})
    with Told() as told, pytest.raises(ConfigError, match=r"pip install 'sonotempo\[ray\]'"):
        crossvalidate(wide, tmp_path / "run", told)


def test_a_cluster_that_does_not_answer_is_a_sentence(finished_run, tmp_path):
    pytest.importorskip("ray")
    engine = EngineConfig(kind="ray", address="127.0.0.1:1")
    wide = finished_run.experiment.model_copy(update={"engine": engine})
    with Told() as told, pytest.raises(ConfigError, match=r"nothing answers at engine\.address="):
        crossvalidate(wide, tmp_path / "run", told)


@pytest.mark.usefixtures("one_thread")
def test_a_folder_that_workers_do_not_see_is_a_sentence(tmp_path, shapes):
    from sonotempo.data.folds import Fold
    from sonotempo.study.engine.calls import JobCall
    from sonotempo.training.job import Job

    job = Job("frame", Fold(0, ("a",), ("b",), ("c",)), tmp_path / "elsewhere")
    call = JobCall(job, tiny_experiment(shapes), (object(),), tmp_path / "report", 1)
    with pytest.raises(
        SonotempoError, match=r"does not see .+config\.yaml: .+ under the same path"
    ):
        call()
