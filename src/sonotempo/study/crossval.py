"""A whole run: data, folds, every (arm, fold) as a resumable job, and the table of all.

The run folder explains itself: config.yaml, folds.json, recordings.json, environment.json,
skipped.txt, one folder per arm and fold, and the scores of all folds as parquet, CSV, Markdown and
a bar plot.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from sonotempo.config import Experiment
from sonotempo.errors import ConfigError, unknown_option
from sonotempo.evaluation.comparison.drift import drift_sentence, drifts
from sonotempo.evaluation.comparison.record import Drift
from sonotempo.evaluation.report.bars import draw_bars
from sonotempo.evaluation.report.tables import RunTable, run_table
from sonotempo.evaluation.scoring.files import joined, read_scores, write_scores
from sonotempo.study.engine.drive import RunWork, needs_of, run_side_by_side
from sonotempo.study.engine.reports import remove_reports
from sonotempo.study.engine.schedule import Schedule
from sonotempo.study.engine.workers import workers_for
from sonotempo.study.examples import draw_run_examples
from sonotempo.study.feasible import require_networks
from sonotempo.study.run_folder import PreparedRun, prepare, require_same_settings
from sonotempo.training.cohort import open_cohort
from sonotempo.training.job import run_job
from sonotempo.training.progress import RunProgress


def crossvalidate(
    experiment: Experiment, run: Path, progress: RunProgress, only_folds: Collection[int] = ()
) -> RunTable | None:
    """Run every job of an experiment that is not finished, and write the table of all.

    Args:
        experiment: every setting.
        run: the run's folder; an earlier start of the same experiment is continued.
        progress: shows the steps.
        only_folds: run only the jobs of these folds, so that several processes or machines share a
            run; all if empty.

    Returns:
        The table; None as long as jobs of other folds are missing.

    Raises:
        ConfigError: the folder holds another experiment, there is no such fold, or the data do not
            allow it.
        RecordingError: nothing in the data folder can be used.
        SonotempoError: a job failed, or lost its process too often.
    """
    (table,) = crossvalidate_seeds({run: experiment}, progress, only_folds)
    return table


def crossvalidate_seeds(
    experiments: Mapping[Path, Experiment],
    progress: RunProgress,
    only_folds: Collection[int] = (),
) -> list[RunTable | None]:
    """Run several experiments that differ in their seed alone, all jobs by one engine.

    Args:
        experiments: by their run folders.
        progress: shows the steps.
        only_folds: as in :func:`crossvalidate`.

    Returns:
        The table of each, as :func:`crossvalidate` does; it raises the same errors.
    """
    prepared = prepare_runs(experiments, progress)
    works = [work_of(one, progress, only_folds) for one in prepared]
    for one in prepared:
        one.claim()
    for work in works:
        _remove_leftovers(work)
    if any(not job.finished for work in works for job in work.jobs):
        _run(works, progress)
    return [_tabulated(one, progress) for one in prepared]


def prepare_runs(
    experiments: Mapping[Path, Experiment], progress: RunProgress
) -> list[PreparedRun]:
    """Open the data that experiments share, and settle their folds; no run is written.

    Raises:
        ConfigError: as in :func:`crossvalidate`.
        RecordingError: nothing in the data folder can be used.
    """
    for run, experiment in experiments.items():
        require_same_settings(run, experiment)
    run, experiment = next(iter(experiments.items()))
    require_networks(experiment)
    cohort = open_cohort(experiment, progress)
    for line in cohort.skipped[:5]:
        progress.say(f"skipped: {line}")
    if len(cohort.skipped) > 5:
        progress.say(f"skipped {len(cohort.skipped)} in all; see {run / 'skipped.txt'}")
    for sentence in (*cohort.facts.sentences(), *cohort.notes):
        progress.say(f"note: {sentence}")
    return [prepare(one, folder, cohort) for folder, one in experiments.items()]


def work_of(prepared: PreparedRun, progress: RunProgress, only_folds: Collection[int]) -> RunWork:
    """Return the jobs that are wanted, and say how many there are."""
    jobs = prepared.jobs()
    recordings = prepared.cohort.recordings
    subjects = {recording.subject for recording in recordings}
    progress.say(
        f"{len(recordings)} recordings of {len(subjects)} {prepared.cohort.facts.group}s; "
        f"{len(jobs)} jobs, {sum(not job.finished for job in jobs)} to do; results in "
        f"{prepared.folder}"
    )
    numbers = [fold.number for fold in prepared.folds]
    for number in only_folds:
        if number not in numbers:
            raise ConfigError(unknown_option("fold", str(number), [str(one) for one in numbers]))
    wanted = tuple(job for job in jobs if not only_folds or job.fold.number in only_folds)
    return RunWork(prepared.experiment, recordings, wanted)


def _remove_leftovers(work: RunWork) -> None:
    """Remove what a killed start left: reports, and checkpoints of jobs that it had finished."""
    for job in work.jobs:
        remove_reports(job.folder)
        if job.finished:
            job.checkpoint.unlink(missing_ok=True)


def _run(works: Sequence[RunWork], progress: RunProgress) -> None:
    """Run jobs by the engine that the experiment names."""
    experiment = works[0].experiment
    if experiment.engine.kind == "sequential":
        for work in works:
            _run_in_turn(work, progress)
        return
    workers = workers_for(experiment)
    progress.say(f"engine={experiment.engine.kind}: {workers.described}")
    run_side_by_side(works, workers, progress)


def _run_in_turn(work: RunWork, progress: RunProgress) -> None:
    """Run jobs one after another in this process."""
    finished = [job for job in work.jobs if job.finished]
    schedule = Schedule(needs_of(work.jobs), finished)
    while ready := schedule.ready():
        schedule.start(ready[0])
        run_job(ready[0], work.experiment, work.recordings, progress)
        schedule.finish(ready[0])


def _tabulated(prepared: PreparedRun, progress: RunProgress) -> RunTable | None:
    """Write scores, pictures and the table of a run, if no job is missing."""
    run, experiment, jobs = prepared.folder, prepared.experiment, prepared.jobs()
    missing = sorted({job.fold.number for job in jobs if not job.finished})
    if missing:
        progress.say(f"not finished yet: fold {', '.join(map(str, missing))}; no table is written")
        return None
    evaluation = joined([read_scores(job.folder) for job in jobs])
    frames = evaluation.frames
    write_scores(run, evaluation)
    for one in _drifts(frames, experiment):
        progress.say(f"warning: {drift_sentence(one)}")
    progress.say("drawing test frames from the worst to the best")
    draw_run_examples(jobs, frames, experiment, prepared.cohort.recordings, run / "examples.png")
    return write_table(run, frames, experiment, prepared.scored.sentences)


def write_table(
    run: Path, frames: pd.DataFrame, experiment: Experiment, notes: Sequence[str]
) -> RunTable:
    """Write the scores of all jobs as CSV, Markdown and bar plot."""
    title = f"{experiment.name}: {experiment.structures.name}, {frames['fold'].nunique()} folds"
    names = experiment.structures.names
    table = run_table(frames, experiment.evaluate, experiment.arms, names, title=title, notes=notes)
    (run / "table.md").write_text(table.markdown(), encoding="utf-8")
    (run / "table.csv").write_text(table.csv(), encoding="utf-8")
    primary = experiment.evaluate.primary_metrics
    draw_bars(table.cells, run / "bars.png", primary=primary, title=title, notes=notes)
    return table


def _drifts(frames: pd.DataFrame, experiment: Experiment) -> tuple[Drift, ...]:
    """Return where the state does harm, if the arm that resets it is there to tell."""
    if not {"sequence", "sequence_reset"} <= set(experiment.arms):
        return ()
    of = {arm: frames[frames["arm"] == arm] for arm in ("sequence", "sequence_reset")}
    names = experiment.structures.names
    return drifts("sequence", of["sequence"], of["sequence_reset"], names)
