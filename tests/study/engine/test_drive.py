"""The loop over jobs, with workers that run calls in this process."""

import pytest

from fakes.experiments import Told, tiny_experiment
from sonotempo.data.folds import Fold
from sonotempo.errors import SonotempoError
from sonotempo.study.engine import drive
from sonotempo.study.engine.drive import RunWork, needs_of, run_side_by_side
from sonotempo.study.engine.outcome import Outcome
from sonotempo.study.engine.schedule import MOST_LOSSES
from sonotempo.training.job import Job

FOLDS = tuple(Fold(number, ("a",), ("b",), ("c",)) for number in (0, 1))


class ScriptedWorkers:
    """Finishes the oldest call at every look, or ends it in the way that is scripted."""

    slots, threads, described = 2, 1, "scripted"

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.calls = {}
        self.started = []
        self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.closed = True

    def room(self):
        return self.slots - len(self.calls)

    def start(self, key, call):
        assert call.report.is_file()
        self.calls[key] = call
        self.started.append(call.job.name)

    def ended(self, timeout_s):
        key, call = next(iter(self.calls.items()))
        outcome = self.outcomes.pop(0) if self.outcomes else Outcome("done")
        if outcome.kind == "done":
            (call.job.folder / "finished.json").touch()
        del self.calls[key]
        return [(key, outcome)]


@pytest.fixture
def work(tmp_path):
    arms = ("frame", "frame_ema", "sequence", "sequence_reset")
    jobs = tuple(Job(arm, fold, tmp_path / "run") for fold in FOLDS for arm in arms)
    return RunWork(tiny_experiment(), (), jobs)


def run(work, workers):
    with Told() as told:
        run_side_by_side([work], workers, told)
    return told.text


def test_frame_arms_come_first_and_others_as_soon_as_their_start_is_there(work):
    workers = ScriptedWorkers()
    text = run(work, workers)
    assert workers.started == [
        *("frame, fold 0", "frame, fold 1", "sequence, fold 0", "sequence, fold 1"),
        *("frame_ema, fold 0", "sequence_reset, fold 0"),
        *("frame_ema, fold 1", "sequence_reset, fold 1"),
    ]
    assert workers.closed
    assert "8 of 8 jobs done" in text
    assert not list(work.jobs[0].run.rglob(".progress*"))


def test_a_finished_job_is_not_started_again(work):
    for job in work.jobs[:3]:
        job.folder.mkdir(parents=True)
        (job.folder / "finished.json").touch()
    workers = ScriptedWorkers()
    run(work, workers)
    assert len(workers.started) == 5


def test_a_lost_job_starts_again_and_is_spoken_of(work):
    workers = ScriptedWorkers(Outcome("lost", "signal 9"))
    text = run(work, workers)
    assert workers.started.count("frame, fold 0") == 2
    assert "frame, fold 0 lost its process (signal 9); it starts again" in text


def test_a_job_that_is_always_lost_ends_the_run(work):
    workers = ScriptedWorkers(*[Outcome("lost", "signal 9")] * 40)
    with pytest.raises(SonotempoError, match=f"lost its process {MOST_LOSSES + 1} times"):
        run(work, workers)
    assert workers.closed


def test_a_mistake_in_a_job_stops_the_others_with_its_sentence(work):
    workers = ScriptedWorkers(Outcome("done"), Outcome("mistake", "diverged; lower the rate"))
    with pytest.raises(SonotempoError, match=r"^diverged; lower the rate$"):
        run(work, workers)
    assert workers.closed
    assert sum(job.finished for job in work.jobs) == 1
    assert not list(work.jobs[0].run.rglob(".progress*"))


def test_a_signal_ends_the_workers_and_leaves_no_report(work, monkeypatch):
    class Signal(BaseException):
        pass

    workers = ScriptedWorkers()
    monkeypatch.setattr(workers, "ended", lambda _: (_ for _ in ()).throw(Signal))
    with pytest.raises(Signal):
        run(work, workers)
    assert workers.closed
    assert not list(work.jobs[0].run.rglob(".progress*"))


def test_weights_are_enough_for_those_that_start_from_them(work):
    first = work.jobs[0]
    first.folder.mkdir(parents=True)
    for name in ("weights.safetensors", "facts.json"):
        (first.folder / name).touch()
    assert first.trained
    workers = ScriptedWorkers()
    workers.slots = 3
    run(work, workers)
    assert workers.started[:3] == ["frame, fold 0", "frame, fold 1", "sequence, fold 0"]


def test_what_a_job_needs_is_of_the_same_fold_and_run(work):
    needs = needs_of(work.jobs)
    for job, needed in needs.items():
        assert needed is None or (needed.fold, needed.run) == (job.fold, job.run)
    assert {job.arm: needed and needed.arm for job, needed in needs.items()} == {
        "frame": None,
        "frame_ema": "frame",
        "sequence": "frame",
        "sequence_reset": "sequence",
    }


def test_jobs_of_several_runs_are_told_apart(work, tmp_path):
    other = RunWork(
        work.experiment, (), tuple(Job(job.arm, job.fold, tmp_path / "seed-1") for job in work.jobs)
    )
    names = drive._names([work, other])
    assert len(set(names.values())) == 16
    assert "seed-1: frame, fold 0" in names.values()
