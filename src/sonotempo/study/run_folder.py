"""The folder of a run: made for one experiment on one data set, and for no other.

What an earlier start settled stays: config.yaml, folds.json, recordings.json, environment.json.
"""

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sonotempo.arms import arm_named, in_training_order
from sonotempo.config import Experiment
from sonotempo.config_file import load_run
from sonotempo.data.cache import CachedRecording
from sonotempo.data.folds import Fold, load_folds, make_folds, save_folds
from sonotempo.errors import ConfigError
from sonotempo.evaluation.scoring.scored_data import ScoredData
from sonotempo.folders import make_folder, without_folder, writing
from sonotempo.guard import guarded, shortened
from sonotempo.study.feasible import require_batches, require_consecutive, require_references
from sonotempo.training.cohort import CohortOnGrid
from sonotempo.training.job import Job

_PACKAGES = ("sonotempo", "torch", "torchvision", "lightning", "monai", "timm", "numpy", "scipy")


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A run of which everything is known but the results.

    Attributes:
        folder: the run's folder.
        experiment: every setting.
        cohort: the data on the network grid.
        folds: the splits by subject.
        scored: how scores are produced.
    """

    folder: Path
    experiment: Experiment
    cohort: CohortOnGrid
    folds: tuple[Fold, ...]
    scored: ScoredData

    def jobs(self) -> tuple[Job, ...]:
        """Return every job, fold by fold, each after the one that it needs."""
        return tuple(
            Job(arm, fold, self.folder)
            for fold in self.folds
            for arm in in_training_order(self.experiment.arms)
        )

    def claim(self) -> None:
        """Make the run folder; what an earlier start settled stays as it is.

        Raises:
            ConfigError: it cannot be written.
        """
        make_folder(self.folder, "--out", ConfigError)
        below = [_below_data(line, self.experiment) for line in self.cohort.skipped]
        skipped = "".join(f"{line}\n" for line in below)
        with writing(self.folder, "--out", ConfigError):
            (self.folder / "skipped.txt").write_text(skipped, "utf-8")
            self.scored.write(self.folder)
            if not (self.folder / "config.yaml").is_file():
                _write_beginning(self)


def prepare(experiment: Experiment, run: Path, cohort: CohortOnGrid) -> PreparedRun:
    """Settle folds and scoring of a run; nothing is written yet.

    Raises:
        ConfigError: the folder holds a run on other data, or the data do not allow the experiment.
    """
    if any(arm_named(arm).starts_from for arm in experiment.arms):
        require_consecutive(cohort.recordings)
    _require_same_data(run, cohort.recordings)
    folds = _folds(run, experiment, cohort.recordings)
    require_batches(experiment, cohort.recordings, folds)
    require_references(cohort.recordings, folds)
    return PreparedRun(run, experiment, cohort, folds, _scored_data(experiment, cohort))


def require_same_settings(run: Path, experiment: Experiment) -> None:
    """Refuse the folder of another experiment.

    Raises:
        ConfigError: it holds a run with other settings.
    """
    if not (run / "config.yaml").is_file():
        return
    changed = sorted(_differences(_identity(load_run(run)), _identity(experiment)))
    if changed:
        raise ConfigError(
            f"{run} holds a run with other settings ({'; '.join(changed)}); choose another "
            "folder with --out, or delete that one"
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
        names = shortened(", ".join(odd[:5]))
        raise ConfigError(
            f"{len(odd)} recordings are not those that {run} began with ({names}); "
            "the data have changed: choose another --out"
        )


def _keys(recordings: Sequence[CachedRecording]) -> dict[str, str]:
    return {recording.name: recording.key for recording in recordings}


def _below_data(line: str, experiment: Experiment) -> str:
    """Return a line whose paths begin below the data's folder: it is handed on with the run."""
    for root in (experiment.data.root, experiment.data.frames_root):
        if root is not None:
            line = without_folder(line, root)
    return line


def _write_beginning(prepared: PreparedRun) -> None:
    """Write what identifies a run; the settings last, so that an interrupted write is not a run."""
    run = prepared.folder
    save_folds(prepared.folds, run / "folds.json")
    (run / "recordings.json").write_text(
        json.dumps(_keys(prepared.cohort.recordings), indent=1) + "\n", encoding="utf-8"
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
    settings = yaml.safe_dump(_identity(prepared.experiment), sort_keys=False)
    (run / "config.yaml").write_text(settings, encoding="utf-8")


def _identity(experiment: Experiment) -> dict[str, Any]:
    """Return the settings that make a run what it is: where it is computed does not."""
    return experiment.model_dump(mode="json", exclude={"engine"})


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
                    f"{path} and the data name different subjects "
                    f"({shortened(', '.join(odd[:5]))}); the data have changed since this run "
                    "began: choose another --out"
                )
        return folds
    subjects = {subject: tuple(sorted(shown)) for subject, shown in strata.items()}
    return make_folds(subjects, experiment.folds, experiment.seed)


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
