import io

import pytest
from rich.console import Console

from fakes.experiments import Told
from sonotempo.errors import SonotempoError
from sonotempo.study import plan as plan_module
from sonotempo.study.engine.outcome import Outcome, outcome_of
from sonotempo.study.engine.probe import ProbeCall
from sonotempo.study.plan import plan_runs


class HereWorkers:
    """Runs calls in this process."""

    slots, threads, described = 2, 1, "here"

    def __init__(self, outcome=None):
        self._outcome = outcome
        self._ended = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def start(self, key, call):
        assert isinstance(call, ProbeCall)
        self._ended.append((key, self._outcome or outcome_of(call)))

    def ended(self, timeout_s):
        return self._ended


def shown(plan):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(plan.rich())
    return console.export_text()


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(plan_module, "_workers", lambda _: HereWorkers())


@pytest.mark.usefixtures("here")
def test_a_plan_measures_every_arm_and_writes_no_run(finished_run, tmp_path):
    arms = ("frame", "frame_ema", "sequence")
    experiment = finished_run.experiment.model_copy(update={"arms": arms})
    with Told() as told:
        plan = plan_runs({tmp_path / "run": experiment}, told)
    assert not (tmp_path / "run").exists()
    assert [(arm.arm, arm.jobs, arm.left) for arm in plan.arms] == [(arm, 2, 2) for arm in arms]
    assert all(0 < arm.job_s < 60 for arm in plan.arms)
    assert all(1e8 < arm.memory_bytes < 1e11 for arm in plan.arms)
    work_s = sum(2 * arm.job_s for arm in plan.arms)
    assert work_s / 2 <= plan.whole_s <= work_s
    first, second, _ = plan.sentences()
    assert first.startswith("here; up to ")
    assert second.startswith("6 jobs, ")
    assert [line.split("│")[1].strip() for line in shown(plan).splitlines()[3:6]] == list(arms)


def test_more_epochs_and_more_folds_take_as_much_longer(finished_run, tmp_path, monkeypatch):
    words = outcome_words(finished_run, tmp_path)
    monkeypatch.setattr(plan_module, "_workers", lambda _: HereWorkers(Outcome("done", words)))

    def job_s(epochs):
        train = finished_run.experiment.train.model_copy(update={"epochs": epochs})
        experiment = finished_run.experiment.model_copy(update={"train": train})
        with Told() as told:
            return plan_runs({tmp_path / "run": experiment}, told).arms[0].job_s

    assert job_s(30) - job_s(20) == pytest.approx(job_s(20) - job_s(10))
    assert job_s(10) > 0


def outcome_words(finished_run, tmp_path):
    """What one real probe answers."""
    found = []

    class Kept(HereWorkers):
        def start(self, key, call):
            super().start(key, call)
            found.append(self._ended[-1][1].words)

    with pytest.MonkeyPatch.context() as patch, Told() as told:
        patch.setattr(plan_module, "_workers", lambda _: Kept())
        plan_runs({tmp_path / "run": finished_run.experiment}, told)
    return found[0]


def test_a_finished_run_has_nothing_to_plan(finished_run):
    with Told() as told:
        plan = plan_runs({finished_run.folder: finished_run.experiment}, told)
    assert plan.sentences() == ("every job is finished",)
    assert plan.whole_s == 0
    assert "frame" in shown(plan)


def test_a_probe_that_is_killed_is_a_sentence(finished_run, tmp_path, monkeypatch):
    lost = HereWorkers(Outcome("lost", "signal 9"))
    monkeypatch.setattr(plan_module, "_workers", lambda _: lost)
    with (
        Told() as told,
        pytest.raises(SonotempoError, match=r"the probe lost .+ signal 9; .+lower"),
    ):
        plan_runs({tmp_path / "run": finished_run.experiment}, told)
