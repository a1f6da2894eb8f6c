"""Lines up the arms of several runs for a comparison, and refuses what cannot be compared.

Runs with the same settings but for the seed are seeds of one experiment: their arms of the same
name are one arm. Every arm has to be scored on the same labelled frames of the same references,
and with the same seed on the same folds.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from sonotempo.arms import ARMS
from sonotempo.config import EvaluateConfig
from sonotempo.errors import ConfigError
from sonotempo.evaluation.comparison.runs import RunScores, ScoredArm
from sonotempo.evaluation.scoring.provenance import ArmFacts

_FRAME = ["subject", "recording", "frame"]


@dataclass(frozen=True, slots=True, eq=False)
class OneSeed:
    """An arm with one seed.

    Attributes:
        seed: of its run; None for masks of another tool.
        run: where it is from.
        scores: its frames, temporal metrics and facts.
    """

    seed: int | None
    run: RunScores
    scores: ScoredArm


@dataclass(frozen=True, slots=True, eq=False)
class ComparedArm:
    """One arm with all its seeds.

    Attributes:
        name: in every table.
        role: the name that its run gave it.
        group: arms with the same number were made with the same settings but for the seed.
        external: whether it is masks of another tool.
        seeds: in increasing order.
    """

    name: str
    role: str
    group: int
    external: bool
    seeds: tuple[OneSeed, ...]

    @property
    def facts(self) -> dict[tuple[int | None, int], ArmFacts]:
        """Facts by seed and fold."""
        return {
            (one.seed, fold): facts
            for one in self.seeds
            for fold, facts in one.scores.facts.items()
        }


@dataclass(frozen=True, slots=True, eq=False)
class LineUp:
    """Arms that may be compared.

    Attributes:
        arms: in the order of every table.
        config: the rules that all were scored with.
        structures: in label order, those with a reference.
        absent: structures without a reference, and in how many frames each arm predicted them.
        subjects: in order of their names.
    """

    arms: tuple[ComparedArm, ...]
    config: EvaluateConfig
    structures: tuple[str, ...]
    absent: dict[str, dict[str, int]]
    subjects: tuple[str, ...]

    @property
    def labelled(self) -> pd.DataFrame:
        """Subject, recording and number of every scored frame."""
        return self.arms[0].seeds[0].scores.frames[_FRAME].drop_duplicates()


def line_up(runs: Sequence[RunScores]) -> LineUp:
    """Bring the arms of several runs together.

    Raises:
        ConfigError: there is only one arm, an arm is there twice, or arms differ in folds, labelled
            frames, references, structures or scoring rules; the message names the difference.
    """
    config = _same_rules(runs)
    arms = _arms(runs)
    if len(arms) < 2:
        raise ConfigError(
            f"there is nothing to compare {arms[0].name!r} with; give a second run, or one with "
            "two arms"
        )
    _require_same_frames(arms)
    _require_same_folds(arms)
    first = arms[0].seeds[0].scores.frames
    names = runs[0].scored.structures
    present = set(first.loc[first["reference_px"] > 0, "structure"])
    if not present:
        raise ConfigError("no labelled frame shows any structure: there is nothing to compare")
    absent = {
        name: {arm.name: _predicted_frames(arm, name) for arm in arms}
        for name in names
        if name not in present
    }
    shown = tuple(name for name in names if name in present)
    return LineUp(arms, config, shown, absent, tuple(sorted(first["subject"].unique())))


def _same_rules(runs: Sequence[RunScores]) -> EvaluateConfig:
    """Return the scoring rules of all runs."""
    first, *others = runs
    for other in others:
        ours, theirs = (run.scored.rules.model_dump(mode="json") for run in (first, other))
        odd = [
            f"evaluate.{key}: {ours[key]} in {first.name}, {theirs[key]} in {other.name}"
            for key in ours
            if ours[key] != theirs[key] and key != "streaming_latency_ms"
        ]
        if first.scored.structures != other.scored.structures:
            odd.append(
                f"structures: {', '.join(first.scored.structures)} in {first.name}, "
                f"{', '.join(other.scored.structures)} in {other.name}"
            )
        if odd:
            raise ConfigError(
                f"{first.name} and {other.name} were not scored by the same rules "
                f"({'; '.join(odd)}); give both the same settings and score them again"
            )
    return first.scored.rules


def _arms(runs: Sequence[RunScores]) -> tuple[ComparedArm, ...]:
    """Group the arms of all runs by settings and name."""
    groups: dict[str, int] = {}
    found: dict[tuple[str, int], list[OneSeed]] = {}
    for run in runs:
        settings = _settings(run)
        group = groups.setdefault(settings, len(groups))
        for scores in run.arms:
            seed = None if run.experiment is None else run.experiment.seed
            seeds = found.setdefault((scores.role, group), [])
            twice = [one.run.name for one in seeds if one.seed == seed]
            if twice:
                raise ConfigError(
                    f"arm {scores.role!r} with seed {seed} is in {twice[0]} and in {run.name}; "
                    "give only one of them"
                )
            seeds.append(OneSeed(seed, run, scores))
    roles = [role for role, _ in found]
    arms = [
        ComparedArm(
            role if roles.count(role) == 1 else f"{role} [{seeds[0].run.name}]",
            role,
            group,
            any(facts.external for one in seeds for facts in one.scores.facts.values()),
            tuple(sorted(seeds, key=lambda one: -1 if one.seed is None else one.seed)),
        )
        for (role, group), seeds in found.items()
    ]
    names = [arm.name for arm in arms]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"two folders of the same name hold different arms {name!r}; rename a folder"
            )
    place = {arm.name: number for number, arm in enumerate(ARMS)}
    return tuple(sorted(arms, key=lambda arm: (place.get(arm.role, len(ARMS)), arm.group)))


def _settings(run: RunScores) -> str:
    """Return what makes a run's arms what they are: its settings but for seed, names and paths."""
    if run.experiment is None:
        return str(run.folder.resolve())
    settings = run.experiment.model_dump(mode="json", exclude={"name", "note", "seed", "arms"})
    for section, keys in {
        "data": ("root", "frames_root", "follow_links", "cache"),
        "train": ("accelerator", "precision"),
        "evaluate": ("streaming_latency_ms",),
    }.items():
        for key in keys:
            settings[section].pop(key, None)
    return json.dumps(settings, sort_keys=True)


def _require_same_frames(arms: Sequence[ComparedArm]) -> None:
    """Refuse arms that were scored on other frames, or against other references."""
    keys = [*_FRAME, "structure"]
    reference, *others = [(arm, one) for arm in arms for one in arm.seeds]
    wanted = reference[1].scores.frames.set_index(keys)["reference_px"].sort_index()
    for arm, one in others:
        given = one.scores.frames.set_index(keys)["reference_px"].sort_index()
        names = (_label(*reference), _label(arm, one))
        if wanted.index.equals(given.index):
            odd = np.flatnonzero(wanted.to_numpy() != given.to_numpy())
            if len(odd):
                subject, recording, frame, structure = wanted.index[odd[0]]
                raise ConfigError(
                    f"{names[0]} and {names[1]} were scored against different references in "
                    f"{len(odd)} places, the first of them {structure} in frame {frame} of "
                    f"{recording} of {subject}; score both on the same grid and masks"
                )
            continue
        ours, theirs = (_numbers(scored.scores.frames) for scored in (reference[1], one))
        parts = [_only_in(names[0], ours, theirs), _only_in(names[1], theirs, ours)]
        said = "; ".join(part for part in parts if part) or "their structures differ"
        raise ConfigError(
            f"{names[0]} and {names[1]} were not scored on the same labelled frames ({said}); "
            "score both on the same recordings"
        )


def _numbers(frames: pd.DataFrame) -> set[tuple[str, str, int]]:
    return set(frames[_FRAME].drop_duplicates().itertuples(index=False, name=None))


def _only_in(name: str, ours: set[tuple[str, str, int]], theirs: set[tuple[str, str, int]]) -> str:
    more = sorted(ours - theirs)
    if not more:
        return ""
    subject, recording, frame = more[0]
    return f"{len(more)} only in {name}, such as frame {frame} of {recording} of {subject}"


def _require_same_folds(arms: Sequence[ComparedArm]) -> None:
    """Refuse arms that were trained and tested on other splits with the same seed."""
    own = [arm for arm in arms if not arm.external]
    for arm in own[1:]:
        seeds = {one.seed for one in own[0].seeds} & {one.seed for one in arm.seeds}
        pairs = [
            (a, b)
            for a, b in product(own[0].seeds, arm.seeds)
            if a.seed == b.seed or (not seeds and a is own[0].seeds[0] and b is arm.seeds[0])
        ]
        for a, b in pairs:
            whole = bool(a.run.folds and b.run.folds)
            ours, theirs = _sides(a, whole), _sides(b, whole)
            odd = [subject for subject in ours if ours[subject] != theirs.get(subject)]
            if odd:
                raise ConfigError(
                    f"{_label(own[0], a)} and {_label(arm, b)} are on different folds: "
                    f"{len(odd)} subjects are on different sides, such as {odd[0]} "
                    f"({_said(ours[odd[0]])} in one, {_said(theirs.get(odd[0]))} in the other); "
                    "give both runs the same folds.json and train again"
                )


def _sides(one: OneSeed, whole: bool) -> dict[str, tuple[tuple[int, str], ...]]:
    """Return every subject's side in every fold, or only where it was tested."""
    if whole:
        placed: dict[str, list[tuple[int, str]]] = {}
        for number, sides in sorted(one.run.folds.items()):
            for side, subjects in sides.items():
                for subject in subjects:
                    placed.setdefault(subject, []).append((number, side))
        return {subject: tuple(places) for subject, places in sorted(placed.items())}
    tested = one.scores.frames[["subject", "fold"]].drop_duplicates().sort_values("subject")
    return {
        str(subject): ((int(fold), "test"),)
        for subject, fold in zip(tested["subject"], tested["fold"], strict=True)
    }


def _said(places: tuple[tuple[int, str], ...] | None) -> str:
    tested = [f"tested in fold {number}" for number, side in places or () if side == "test"]
    others = [f"{side} in fold {number}" for number, side in places or () if side != "test"]
    return ", ".join([*tested, *others][:3]) or "nowhere"


def _label(arm: ComparedArm, one: OneSeed) -> str:
    return f"{arm.role} of {one.run.name}"


def _predicted_frames(arm: ComparedArm, structure: str) -> int:
    """Count the frames in which an arm predicted a structure, over all seeds."""
    return sum(
        int(
            (
                (one.scores.frames["structure"] == structure)
                & (one.scores.frames["predicted_px"] > 0)
            ).sum()
        )
        for one in arm.seeds
    )
