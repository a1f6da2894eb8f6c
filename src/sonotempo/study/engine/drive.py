"""Runs jobs side by side: starts what may start, shows it, and starts again what was lost."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from sonotempo.arms import arm_named
from sonotempo.config import Experiment
from sonotempo.data.cache import CachedRecording
from sonotempo.data.pseudo_labels import with_pseudo_labels
from sonotempo.study.engine.board import Board
from sonotempo.study.engine.calls import JobCall, absolute
from sonotempo.study.engine.outcome import Workers
from sonotempo.study.engine.reports import Report
from sonotempo.study.engine.schedule import Schedule, longest_chain_first
from sonotempo.training.job import Job
from sonotempo.training.progress import RunProgress

_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class RunWork:
    """The jobs of one run, and what they share.

    Attributes:
        experiment: every setting.
        recordings: of the cohort; their frames stay on the disk.
        jobs: in the order of a run in turn.
    """

    experiment: Experiment
    recordings: tuple[CachedRecording, ...]
    jobs: tuple[Job, ...]


def needs_of(jobs: Iterable[Job]) -> dict[Job, Job | None]:
    """Return for each job the one whose weights it needs, or None."""
    found = {}
    for job in jobs:
        arm = arm_named(job.arm).needs
        found[job] = None if arm is None else replace(job, arm=arm)
    return found


def run_side_by_side(works: Sequence[RunWork], workers: Workers, progress: RunProgress) -> None:
    """Run the jobs of one or several runs in worker processes.

    Args:
        works: the runs, whose folders exist.
        workers: where to run them; they are ended here.
        progress: what was shown so far; it makes room for the table.

    Raises:
        SonotempoError: a job failed, or was lost too often. All others are stopped; what they
            have done is kept.
    """
    for work in works:
        _carry_labels(work, progress)
    of = {job: work for work in works for job in work.jobs}
    needs = longest_chain_first(needs_of(of))
    schedule = Schedule(
        needs,
        finished=[job for job in of if job.finished],
        usable=[job for job in of if job.trained],
    )
    names = _names(works)
    by_key = {str(job.folder): job for job in of}
    shared = {id(work): absolute(work.experiment, work.recordings) for work in works}
    threads = workers.threads
    reports: dict[Job, Report] = {}
    with ExitStack() as stack:
        stack.enter_context(progress.paused())
        board = stack.enter_context(Board(needs, names, schedule, workers, progress.console))
        # Last in, first out: no worker is left when the reports go.
        stack.callback(_remove, reports)
        stack.enter_context(workers)
        while schedule.left:
            for job in schedule.ready()[: workers.room()]:
                reports[job] = Report.create(job.folder)
                experiment, recordings = shared[id(of[job])]
                there = replace(job, run=job.run.absolute())
                report = reports[job].path.absolute()
                call = JobCall(there, experiment, recordings, report, threads)
                workers.start(str(job.folder), call)
                schedule.start(job)
                board.started(job, reports[job])
            for key, outcome in workers.ended(_POLL_S):
                job = by_key[key]
                board.look()
                outcome.raise_mistakes()
                reports.pop(job).remove()
                if outcome.kind == "lost":
                    board.lost(job, outcome.words)
                    schedule.lose(job, names[job], outcome.words)
                else:
                    schedule.finish(job)
                    board.finished(job)
            board.look()
            for job in schedule.running:
                if job.trained:
                    schedule.use(job)


def _remove(reports: Mapping[Job, Report]) -> None:
    for report in reports.values():
        report.remove()


def _names(works: Sequence[RunWork]) -> dict[Job, str]:
    """Return what each job is called; the run's folder is named where there are several."""
    return {
        job: job.name if len(works) == 1 else f"{job.run.name}: {job.name}"
        for work in works
        for job in work.jobs
    }


def _carry_labels(work: RunWork, progress: RunProgress) -> None:
    """Carry pseudo-labels once, before several jobs would write the same files."""
    reach = work.experiment.train.pseudo_label_frames
    if not reach or all(job.finished for job in work.jobs):
        return
    progress.step("carrying labels", len(work.recordings))
    for recording in work.recordings:
        with_pseudo_labels(recording, reach)
        progress.advance()
