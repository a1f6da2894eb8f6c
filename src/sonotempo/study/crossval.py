"""A whole run: data, folds, every (arm, fold) as a resumable job, and the table of all.

The run folder explains itself: config.yaml, folds.json, recordings.json, environment.json,
skipped.txt, one folder per arm and fold, and the scores of all folds as parquet, CSV, Markdown and
a bar plot.
"""

import json
import platform
from collections.abc import Collection, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from torch import nn

from sonotempo.arms import arm_named, in_training_order
from sonotempo.config import Experiment
from sonotempo.config_file import load_run
from sonotempo.data.cache import CachedRecording
from sonotempo.data.folds import Fold, load_folds, make_folds, save_folds
from sonotempo.errors import ConfigError, unknown_option
from sonotempo.evaluation.comparison.drift import drift_sentence, drifts
from sonotempo.evaluation.comparison.record import Drift
from sonotempo.evaluation.report.bars import draw_bars
from sonotempo.evaluation.report.tables import RunTable, run_table
from sonotempo.evaluation.scoring.files import joined, read_scores, write_scores
from sonotempo.evaluation.scoring.scored_data import ScoredData
from sonotempo.folders import make_folder, without_folder, writing
from sonotempo.guard import guarded
from sonotempo.models import build_model
from sonotempo.models.summary import cost_of
from sonotempo.study.examples import draw_run_examples
from sonotempo.training.cohort import CohortOnGrid, open_cohort
from sonotempo.training.job import Job, run_job
from sonotempo.training.progress import RunProgress

_PACKAGES = ("sonotempo", "torch", "torchvision", "lightning", "monai", "timm", "numpy", "scipy")


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
    """
    _require_same_settings(run, experiment)
    _require_networks(experiment)
    cohort = open_cohort(experiment, progress)
    for line in cohort.skipped[:5]:
        progress.say(f"skipped: {line}")
    if len(cohort.skipped) > 5:
        progress.say(f"skipped {len(cohort.skipped)} in all; see {run / 'skipped.txt'}")
    for sentence in (*cohort.facts.sentences(), *cohort.notes):
        progress.say(f"note: {sentence}")
    if any(arm_named(arm).starts_from for arm in experiment.arms):
        _require_consecutive(cohort.recordings)
    _require_same_data(run, cohort.recordings)
    folds = _folds(run, experiment, cohort.recordings)
    _require_batches(experiment, cohort.recordings, folds)
    _require_references(cohort.recordings, folds)
    scored = _scored_data(experiment, cohort)
    _claim(run, experiment, cohort, folds, scored)
    jobs = [Job(arm, fold, run) for fold in folds for arm in in_training_order(experiment.arms)]
    left = sum(not job.finished for job in jobs)
    subjects = {recording.subject for recording in cohort.recordings}
    progress.say(
        f"{len(cohort.recordings)} recordings of {len(subjects)} {cohort.facts.group}s; "
        f"{len(jobs)} jobs, {left} to do; results in {run}"
    )
    numbers = [fold.number for fold in folds]
    for number in only_folds:
        if number not in numbers:
            raise ConfigError(unknown_option("fold", str(number), [str(one) for one in numbers]))
    for job in jobs:
        if not only_folds or job.fold.number in only_folds:
            run_job(job, experiment, cohort.recordings, progress)
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
    draw_run_examples(jobs, frames, experiment, cohort.recordings, run / "examples.png")
    return write_table(run, frames, experiment, scored.sentences)


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


def _require_same_settings(run: Path, experiment: Experiment) -> None:
    """Refuse the folder of another experiment."""
    if not (run / "config.yaml").is_file():
        return
    earlier = load_run(run).model_dump(mode="json")
    changed = sorted(_differences(earlier, experiment.model_dump(mode="json")))
    if changed:
        raise ConfigError(
            f"{run} holds a run with other settings ({'; '.join(changed)}); choose another "
            "folder with --out, or delete that one"
        )


def _require_networks(experiment: Experiment) -> None:
    """Build and run every arm once: refuse what cannot work before hours of training."""
    for arm in experiment.arms:
        classes, size = experiment.structures.channels, experiment.data.input_size
        cost_of(arm, experiment.model, classes, size)


def _require_batches(
    experiment: Experiment, recordings: Sequence[CachedRecording], folds: Sequence[Fold]
) -> None:
    """Refuse a batch of one frame at a single pixel: batch normalisation has no spread there."""
    model = experiment.model.model_copy(update={"pretrained": False})
    network = build_model("frame", model, experiment.structures.channels)
    coarsest, size = network.encoder.strides[-1], experiment.data.input_size
    if size > coarsest or not any(isinstance(part, nn.BatchNorm2d) for part in network.modules()):
        return
    batch_size = experiment.train.batch_size
    for fold in folds:
        frames = sum(len(r.labelled) for r in recordings if r.subject in fold.train)
        if batch_size == 1 or frames % batch_size == 1:
            raise ConfigError(
                f"{frames} training frames of fold {fold.number} in batches of {batch_size} "
                f"leave a batch of one frame, and data.input_size={size} leaves a single pixel at "
                "the deepest level: too little for batch normalisation; set "
                f"data.input_size={2 * size}, or another train.batch_size"
            )


def _require_references(recordings: Sequence[CachedRecording], folds: Sequence[Fold]) -> None:
    """Refuse a fold that nothing can be scored by: its masks are for training alone."""
    with_references = {recording.subject for recording in recordings if recording.scored}
    for fold in folds:
        if not with_references & set(fold.test):
            raise ConfigError(
                f"fold {fold.number} has no reference: nobody has made or accepted a mask of its "
                f"test subjects ({', '.join(fold.test)}); review some of their masks, or set "
                "folds.count lower"
            )


def _require_same_data(run: Path, recordings: Sequence[CachedRecording]) -> None:
    """Refuse recordings whose content has changed since the run began."""
    path = run / "recordings.json"
    if not path.is_file():
        return
    remedy = "restore it, or choose another --out"
    with guarded(f"{path} does not name a run's recordings", remedy, ConfigError):
        earlier = {**json.loads(path.read_text(encoding="utf-8"))}
    now = _keys(recordings)
    odd = sorted(name for name in {**earlier, **now} if earlier.get(name) != now.get(name))
    if odd:
        raise ConfigError(
            f"{len(odd)} recordings are not those that {run} began with ({', '.join(odd[:5])}); "
            "the data have changed: choose another --out"
        )


def _keys(recordings: Sequence[CachedRecording]) -> dict[str, str]:
    return {recording.name: recording.key for recording in recordings}


def _claim(
    run: Path,
    experiment: Experiment,
    cohort: CohortOnGrid,
    folds: Sequence[Fold],
    scored: ScoredData,
) -> None:
    """Make the run folder; what an earlier start settled stays as it is."""
    make_folder(run, "--out", ConfigError)
    skipped = "".join(f"{_below_data(line, experiment)}\n" for line in cohort.skipped)
    with writing(run, "--out", ConfigError):
        (run / "skipped.txt").write_text(skipped, "utf-8")
        scored.write(run)
        if not (run / "config.yaml").is_file():
            _write_beginning(run, experiment, cohort, folds)


def _below_data(line: str, experiment: Experiment) -> str:
    """Return a line whose paths begin below the data's folder: it is handed on with the run."""
    for root in (experiment.data.root, experiment.data.frames_root):
        if root is not None:
            line = without_folder(line, root)
    return line


def _write_beginning(
    run: Path, experiment: Experiment, cohort: CohortOnGrid, folds: Sequence[Fold]
) -> None:
    """Write what identifies a run; the settings last, so that an interrupted write is not a run."""
    save_folds(folds, run / "folds.json")
    (run / "recordings.json").write_text(
        json.dumps(_keys(cohort.recordings), indent=1) + "\n", encoding="utf-8"
    )
    (run / "environment.json").write_text(
        json.dumps(
            {
                "python": platform.python_version(),
                "system": platform.platform(),
                "packages": {name: _version(name) for name in _PACKAGES},
            },
            indent=1,
        )
        + "\n",
        encoding="utf-8",
    )
    settings = experiment.model_dump(mode="json")
    (run / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def _differences(earlier: object, now: object, key: str = "") -> list[str]:
    if isinstance(earlier, dict) and isinstance(now, dict):
        return [
            line
            for name in {**earlier, **now}
            for line in _differences(
                earlier.get(name), now.get(name), f"{key}.{name}" if key else name
            )
        ]
    return [] if earlier == now else [f"{key}: {earlier!r} there, {now!r} now"]


def _folds(
    run: Path, experiment: Experiment, recordings: Sequence[CachedRecording]
) -> tuple[Fold, ...]:
    """Read the run's folds, or make them."""
    path = run / "folds.json"
    strata: dict[str, set[str]] = {}
    for recording in recordings:
        shown = {
            name
            for name, area_px in zip(
                experiment.structures.names, recording.reference_px, strict=True
            )
            if area_px
        }
        strata.setdefault(recording.subject, set()).update(shown)
    if path.is_file():
        folds = load_folds(path)
        for fold in folds:
            known = {*fold.train, *fold.validation, *fold.test}
            if known != set(strata):
                odd = sorted(known ^ set(strata))
                raise ConfigError(
                    f"{path} and the data name different subjects ({', '.join(odd[:5])}); the "
                    "data have changed since this run began: choose another --out"
                )
        return folds
    subjects = {subject: tuple(sorted(shown)) for subject, shown in strata.items()}
    return make_folds(subjects, experiment.folds, experiment.seed)


def _require_consecutive(recordings: Sequence[CachedRecording]) -> None:
    """Refuse to train on clips where labelled frames have no neighbours in their recordings."""
    videos = [recording for recording in recordings if not recording.is_still]
    pairs = sum(len(recording) - 1 for recording in videos)
    if not pairs:
        return
    consecutive = sum(len(segment) - 1 for r in videos for segment in r.segments())
    if consecutive / pairs < 0.5:
        raise ConfigError(
            "the sequence arm and its controls need consecutive frames, but only "
            f"{consecutive / pairs:.0%} of neighbouring frames follow each other (an annotation "
            "export holds key frames only); "
            "set data.frames_root to the recordings that it was made from, or arms=[frame]"
        )


def _scored_data(experiment: Experiment, cohort: CohortOnGrid) -> ScoredData:
    """Return what `sonotempo compare` has to know of the scores of this run."""
    return ScoredData(
        rules=experiment.evaluate,
        structures=experiment.structures.names,
        data=cohort.facts,
        notes=(
            *([experiment.note] if experiment.note else []),
            *cohort.notes,
            _cropped(cohort.recordings, experiment),
        ),
    )


def _drifts(frames: pd.DataFrame, experiment: Experiment) -> tuple[Drift, ...]:
    """Return where the state does harm, if the arm that resets it is there to tell."""
    if not {"sequence", "sequence_reset"} <= set(experiment.arms):
        return ()
    of = {arm: frames[frames["arm"] == arm] for arm in ("sequence", "sequence_reset")}
    names = experiment.structures.names
    return drifts("sequence", of["sequence"], of["sequence_reset"], names)


def _cropped(recordings: Sequence[CachedRecording], experiment: Experiment) -> str:
    reference = np.sum([recording.reference_px for recording in recordings], axis=0)
    cropped = np.sum([recording.cropped_px for recording in recordings], axis=0)
    shares = [
        f"{name} {lost / max(1, area):.1%}"
        for name, lost, area in zip(experiment.structures.names, cropped, reference, strict=True)
    ]
    return f"reference area lost by cropping at the bottom: {', '.join(shares)}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
