"""Reads what a comparison needs from a run folder, or from the folder of one scored arm."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sonotempo.config import Experiment
from sonotempo.config_file import load_experiment
from sonotempo.errors import ConfigError
from sonotempo.evaluation.scoring.files import read_scores
from sonotempo.evaluation.scoring.provenance import FACTS_FILE, ArmFacts, read_facts

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
        facts: by fold; folds of earlier versions have none.
        folders: of its folds, with masks.
    """

    role: str
    frames: pd.DataFrame
    temporal: pd.DataFrame
    streaming: pd.DataFrame | None
    facts: dict[int, ArmFacts]
    folders: tuple[Path, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RunScores:
    """What a folder holds.

    Attributes:
        folder: where it is.
        experiment: its settings; None for an arm that was scored from a folder of masks.
        notes: sentences that belong above every table of it.
        folds: each fold's subjects, by side; empty if the folder has no folds.
        arms: in alphabetical order.
    """

    folder: Path
    experiment: Experiment | None
    notes: tuple[str, ...]
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
    if not (folder / "frames.parquet").is_file():
        raise ConfigError(
            f"{folder} is neither a run folder (it has no config.yaml) nor a scored arm (it has no "
            "frames.parquet); give folders that `sonotempo crossval` or `sonotempo evaluate` made"
        )
    arms = _split(_read_arm("", [folder]))
    return RunScores(folder, None, _notes(folder, ""), {}, arms)


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
    return RunScores(folder, experiment, _notes(folder, experiment.note), folds, arms)


def _read_arm(role: str, folders: Sequence[Path]) -> ScoredArm:
    """Read all folds of one arm and check that every score is a number."""
    scores = [read_scores(folder).evaluation for folder in folders]
    frames = pd.concat([one.frames for one in scores], ignore_index=True)
    temporal = [one.temporal for one in scores if len(one.temporal)]
    broken = frames["dice"].isna() & (frames["reference_px"] + frames["predicted_px"] > 0)
    if broken.any():
        first = frames.loc[broken].iloc[0]
        raise ConfigError(
            f"{folders[0]}: {int(broken.sum())} scores are not numbers, the first of frame "
            f"{first['frame']} of {first['recording']}; the arm's output was not finite: train or "
            "score it again"
        )
    facts = {}
    for folder in folders:
        if (folder / FACTS_FILE).is_file():
            of_fold = read_facts(folder / FACTS_FILE)
            facts[of_fold.fold] = of_fold
    return ScoredArm(
        role,
        frames,
        pd.concat(temporal, ignore_index=True) if temporal else scores[0].temporal,
        _whole([one.streaming for one in scores]),
        facts,
        tuple(folders),
    )


def _split(mixed: ScoredArm) -> tuple[ScoredArm, ...]:
    """Take the arms of one folder apart: scoring a whole run leaves several in one file."""
    return tuple(
        ScoredArm(
            str(role),
            _rows_of(mixed.frames, role),
            _rows_of(mixed.temporal, role),
            None if mixed.streaming is None else _rows_of(mixed.streaming, role),
            {fold: facts for fold, facts in mixed.facts.items() if facts.arm == role},
            tuple(_arm_folder(folder, role) for folder in mixed.folders),
        )
        for role in sorted(mixed.frames["arm"].unique())
    )


def _arm_folder(folder: Path, role: str) -> Path:
    """Return where the masks of an arm are that was scored outside a run."""
    return folder / role if (folder / role / "frames.parquet").is_file() else folder


def _rows_of(table: pd.DataFrame, role: str) -> pd.DataFrame:
    return table[table["arm"] == role].reset_index(drop=True)


def _whole(streaming: Sequence[pd.DataFrame | None]) -> pd.DataFrame | None:
    """Put the folds' streamed scores together, if every fold has them."""
    known = [one for one in streaming if one is not None]
    return pd.concat(known, ignore_index=True) if known and len(known) == len(streaming) else None


def _folds(path: Path) -> dict[int, dict[str, tuple[str, ...]]]:
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        return {
            int(fold["number"]): {side: tuple(sorted(fold[side])) for side in _SIDES}
            for fold in listed
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} does not hold a run's folds ({error}); finish the run with `sonotempo "
            "crossval`, which writes it"
        ) from error


def _notes(folder: Path, note: str) -> tuple[str, ...]:
    """Return the sentences above the run's table; earlier versions kept them in the table alone."""
    path, table = folder / "notes.json", folder / "table.csv"
    if path.is_file():
        return tuple(json.loads(path.read_text(encoding="utf-8")))
    kept = [note] if note else []
    if table.is_file():
        joined = pd.read_csv(table, usecols=["notes"], keep_default_na=False)["notes"]
        kept = [str(joined.iloc[0])] if len(joined) and joined.iloc[0] else kept
    return tuple(kept)
