"""Reads what a comparison needs from a run folder, or from the folder of one scored arm."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sonotempo.config import Experiment
from sonotempo.config_file import load_experiment
from sonotempo.errors import ConfigError
from sonotempo.evaluation.scoring.files import joined, read_scores
from sonotempo.evaluation.scoring.provenance import FACTS_PATTERN, ArmFacts, read_facts
from sonotempo.evaluation.scoring.scored_data import ScoredData, read_scored_data
from sonotempo.guard import guarded

#: Sides of a fold in ``folds.json``.
_SIDES = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, eq=False)
class ScoredArm:
    """One arm of one folder, all its folds together.

    Attributes:
        role: the name that its scores carry.
        frames: one row per labelled frame and structure.
        temporal: one row per recording, structure and temporal metric; may be empty.
        streaming: as ``frames``, of what was on screen; None if not every fold was streamed.
        stress: as ``frames``, of disturbed recordings; None if not every fold was.
        calibration: how often pixels are right, by probability; None without probabilities.
        facts: by fold; weights that were scored without their run folder have none.
        folders: of its folds, with masks.
    """

    role: str
    frames: pd.DataFrame
    temporal: pd.DataFrame
    streaming: pd.DataFrame | None
    stress: pd.DataFrame | None
    calibration: pd.DataFrame | None
    facts: dict[int, ArmFacts]
    folders: tuple[Path, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RunScores:
    """What a folder holds.

    Attributes:
        folder: where it is.
        experiment: its settings; None for an arm that was scored from a folder of masks.
        scored: what its scores were made from, and by which rules.
        folds: each fold's subjects, by side; empty if the folder has no folds.
        arms: in alphabetical order.
    """

    folder: Path
    experiment: Experiment | None
    scored: ScoredData
    folds: dict[int, dict[str, tuple[str, ...]]]
    arms: tuple[ScoredArm, ...]

    @property
    def name(self) -> str:
        """The folder's own name: a report is the same wherever the folder lies."""
        return self.folder.resolve().name


def read_run(folder: Path) -> RunScores:
    """Read a run folder, or the folder of one arm that ``sonotempo evaluate`` has scored.

    Raises:
        ConfigError: it is neither, or not all its arms have scores of all folds.
    """
    if (folder / "config.yaml").is_file():
        return _read_crossvalidation(folder)
    # `sonotempo evaluate` gives every arm a folder; a folder of masks is one arm itself.
    arms = sorted(path.parent for path in folder.glob("*/frames.parquet")) or [folder]
    if not (arms[0] / "frames.parquet").is_file():
        raise ConfigError(
            f"{folder} is neither a run folder (it has no config.yaml) nor a scored arm (it has no "
            "frames.parquet); give folders that `sonotempo crossval` or `sonotempo evaluate` made"
        )
    read = tuple(_read_arm(_role(path), [path]) for path in arms)
    return RunScores(folder, None, read_scored_data(arms[0]), {}, read)


def _role(folder: Path) -> str:
    """Return the name that the scores of one arm carry."""
    arms = read_scores(folder).frames["arm"]
    if arms.empty:
        raise ConfigError(f"{folder}/frames.parquet holds no frame; score the arm again")
    return str(arms.iloc[0])


def _read_crossvalidation(folder: Path) -> RunScores:
    experiment = load_experiment(folder / "config.yaml")
    folds = _folds(folder / "folds.json")
    jobs: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*/fold-*/frames.parquet")):
        jobs.setdefault(path.parent.parent.name, []).append(path.parent)
    lacking = [
        f"{arm} has none of fold {number}"
        for arm in sorted({*jobs, *experiment.arms})
        for number in sorted(folds)
        if folder / arm / f"fold-{number:02d}" not in jobs.get(arm, ())
    ]
    if lacking:
        raise ConfigError(
            f"{folder} lacks scores: {'; '.join(lacking[:5])}; finish it with `sonotempo crossval "
            f"{folder / 'config.yaml'} --out {folder}`"
        )
    arms = tuple(_read_arm(arm, folders) for arm, folders in sorted(jobs.items()))
    return RunScores(folder, experiment, read_scored_data(folder), folds, arms)


def _read_arm(role: str, folders: Sequence[Path]) -> ScoredArm:
    """Read all folds of one arm and check that every score is a number."""
    scores = [read_scores(folder) for folder in folders]
    whole = joined(scores)
    frames = whole.frames
    broken = frames["dice"].isna() & (frames["reference_px"] + frames["predicted_px"] > 0)
    if broken.any():
        first = frames.loc[broken].iloc[0]
        raise ConfigError(
            f"{folders[0]}: {int(broken.sum())} scores are not numbers, the first of frame "
            f"{first['frame']} of {first['recording']}; the arm's output was not finite: train or "
            "score it again"
        )
    facts = {}
    for path in (path for folder in folders for path in sorted(folder.glob(FACTS_PATTERN))):
        of_fold = read_facts(path)
        facts[of_fold.fold] = of_fold
    return ScoredArm(
        role,
        frames,
        whole.temporal,
        # What was on screen, or disturbed, in some folds only is not comparable.
        whole.streaming if all(one.streaming is not None for one in scores) else None,
        whole.stress if all(one.stress is not None for one in scores) else None,
        whole.calibration,
        facts,
        tuple(folders),
    )


def _folds(path: Path) -> dict[int, dict[str, tuple[str, ...]]]:
    remedy = "finish the run with `sonotempo crossval`, which writes it"
    with guarded(f"{path} does not hold a run's folds", remedy, ConfigError):
        listed = json.loads(path.read_text(encoding="utf-8"))
        return {
            int(fold["number"]): {side: tuple(sorted(fold[side])) for side in _SIDES}
            for fold in listed
        }
