"""What a run would take: its jobs, the time and memory of each, and the whole, from a probe."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
from rich.table import Table

from sonotempo.arms import in_training_order
from sonotempo.config import Experiment
from sonotempo.data.cache import CachedRecording
from sonotempo.data.clips import cut_windows
from sonotempo.data.pseudo_labels import with_pseudo_labels
from sonotempo.errors import SonotempoError
from sonotempo.study.crossval import prepare_runs, work_of
from sonotempo.study.engine.board import in_words
from sonotempo.study.engine.calls import absolute
from sonotempo.study.engine.drive import RunWork, needs_of
from sonotempo.study.engine.local import LocalWorkers
from sonotempo.study.engine.outcome import Workers
from sonotempo.study.engine.probe import Measured, measured_from, probe_of
from sonotempo.study.engine.schedule import duration_s, longest_chain_first
from sonotempo.study.engine.workers import workers_for
from sonotempo.training.job import Job
from sonotempo.training.progress import RunProgress
from sonotempo.training.stage import stage_of


@dataclass(frozen=True, slots=True)
class PlannedArm:
    """The jobs of one arm.

    Attributes:
        arm: its name.
        jobs: how many there are.
        left: how many are not finished.
        job_s: of one job on average.
        memory_bytes: of one job; 0 where it is not known.
        gpu_bytes: of one job on the GPU; 0 without one.
    """

    arm: str
    jobs: int
    left: int
    job_s: float
    memory_bytes: float
    gpu_bytes: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What is left of one or several runs.

    Attributes:
        arms: in training order.
        engine: where jobs would run, in words.
        slots: how many run at a time.
        whole_s: until the last job ends.
    """

    arms: tuple[PlannedArm, ...]
    engine: str
    slots: int
    whole_s: float

    def rich(self) -> Table:
        """Return the jobs as a table for the terminal."""
        table = Table()
        for title in ("arm", "jobs", "to do", "time of one", "memory of one"):
            table.add_column(title, justify="left" if title == "arm" else "right")
        for arm in self.arms:
            table.add_row(arm.arm, str(arm.jobs), str(arm.left), in_words(arm.job_s), _memory(arm))
        return table

    def sentences(self) -> tuple[str, ...]:
        """Return the whole in words."""
        left = sum(arm.left for arm in self.arms)
        if not left:
            return ("every job is finished",)
        side_by_side = min(self.slots, left)
        need = side_by_side * max(arm.memory_bytes for arm in self.arms)
        memory = f"; up to {need / 1e9:.1f} GB of memory in all" if need else ""
        return (
            f"{self.engine}{memory}",
            f"{left} jobs, {in_words(sum(arm.left * arm.job_s for arm in self.arms))} of work: "
            f"about {in_words(self.whole_s)} in all",
            "measured on a few frames by one job alone; jobs that share a processor or a GPU slow "
            "each other down",
        )


def plan_runs(
    experiments: Mapping[Path, Experiment], progress: RunProgress, only_folds: Collection[int] = ()
) -> Plan:
    """Measure a few steps of each arm where the jobs would run; no run is written.

    Args:
        experiments: by their run folders; they differ in their seed alone.
        progress: shows the steps.
        only_folds: plan only the jobs of these folds; all if empty.

    Raises:
        SonotempoError: the same as :func:`sonotempo.study.crossval.crossvalidate_seeds` raises.
    """
    works = [work_of(one, progress, only_folds) for one in prepare_runs(experiments, progress)]
    jobs = [job for work in works for job in work.jobs]
    left = [job for job in jobs if not job.finished]
    with _workers(works[0].experiment) as workers:
        engine, slots = workers.described, workers.slots
        measured = _measured(works[0], left[0], workers, progress) if left else {}
    recordings = _with_labels(works[0])
    seconds = {
        job: _seconds(job, works[0].experiment, recordings, measured[job.arm]) for job in left
    }
    arms = []
    for arm in in_training_order(works[0].experiment.arms):
        own = [job for job in left if job.arm == arm]
        arms.append(
            PlannedArm(
                arm,
                sum(job.arm == arm for job in jobs),
                len(own),
                fmean(seconds[job] for job in own) if own else 0.0,
                measured[arm].memory_bytes if left else 0.0,
                measured[arm].gpu_bytes if left else 0.0,
            )
        )
    needs = longest_chain_first(needs_of(jobs))
    of_left = {job: needs[job] for job in needs if job in seconds}
    return Plan(tuple(arms), engine, slots, duration_s(of_left, seconds, slots))


def _workers(experiment: Experiment) -> Workers:
    if experiment.engine.kind == "sequential":
        return LocalWorkers(1, torch.get_num_threads())
    return workers_for(experiment)


def _measured(
    work: RunWork, job: Job, workers: Workers, progress: RunProgress
) -> Mapping[str, Measured]:
    experiment, recordings = absolute(work.experiment, _with_labels(work))
    progress.step("measuring a few steps of each arm", 1)
    workers.start("probe", probe_of(experiment, recordings, job.fold, workers.threads))
    while not (found := workers.ended(0.25)):
        continue
    ((_, outcome),) = found
    if outcome.kind == "lost":
        raise SonotempoError(
            f"the probe lost its process by {outcome.words}; often that is a lack of memory: lower "
            "train.batch_size or sequence.batch_size"
        )
    outcome.raise_mistakes()
    progress.advance()
    return measured_from(outcome.words)


def _with_labels(work: RunWork) -> tuple[CachedRecording, ...]:
    reach = work.experiment.train.pseudo_label_frames
    return tuple(with_pseudo_labels(recording, reach) for recording in work.recordings)


def _seconds(
    job: Job, experiment: Experiment, recordings: tuple[CachedRecording, ...], measured: Measured
) -> float:
    stage = stage_of(job.arm, experiment)
    train = [r for r in recordings if r.subject in job.fold.train]
    windows = len(cut_windows(train, stage.clip_frames, None))
    test = sum(len(r) for r in recordings if r.subject in job.fold.test)
    trained_s = stage.epochs * windows * measured.window_s
    return measured.start_s + trained_s + test * measured.frame_s


def _memory(arm: PlannedArm) -> str:
    if not arm.left:
        return ""
    known = f"{arm.memory_bytes / 1e9:.1f} GB" if arm.memory_bytes else "unknown"
    return f"{known}, {arm.gpu_bytes / 1e9:.1f} GB on the GPU" if arm.gpu_bytes else known
