"""Run folders with made-up scores: whole comparisons without any training.

Every arm has a skill; its scores scatter around it, more between subjects than between frames, as
real ones do. Nothing in them says anything about networks.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from sonotempo.config import DataConfig, EvaluateConfig, Experiment, FoldsConfig
from sonotempo.evaluation.metrics.temporal import SPARSE
from sonotempo.evaluation.scoring.provenance import ArmFacts
from sonotempo.evaluation.scoring.scored_data import DataFacts, ScoredData, read_scored_data
from sonotempo.evaluation.scoring.temporal_table import TemporalScore, temporal_table
from sonotempo.measures import TEMPORAL
from sonotempo.structures import structure_set

#: Mean Dice of each arm.
SKILLS = {
    "frame": 0.66,
    "frame_ema": 0.67,
    "frame_continued": 0.70,
    "frame_extra": 0.71,
    "sequence_reset": 0.69,
    "sequence": 0.76,
}

#: The sentence that heads every table of a simulated cohort.
SIMULATED_DATA = DataFacts(simulated=True)
SIMULATED = SIMULATED_DATA.sentences()[0]

_TRAINED = ArmFacts(
    arm="frame",
    fold=0,
    epochs=14,
    optimiser_steps=420,
    batch_size=2,
    clip_frames=8,
    backpropagation_frames=8,
    learning_rate=5e-4,
    schedule="cosine",
    loss="dice",
    faults={"dark_probability": 0.4},
    frozen=("encoder", "normalization"),
    labelled_frames=144,
    parameters=1_940_000,
)
_ADDED = {"memory": (5e-3, 2_530_000), "control": (5e-3, 2_520_000)}


def write_run(
    folder: Path,
    *,
    arms=tuple(SKILLS),
    subjects=12,
    recordings=1,
    frames=10,
    structures="axillary",
    folds=2,
    seed=0,
    data=SIMULATED_DATA,
    notes=(),
    skills=None,
    absent=(),
    dense=True,
    facts=None,
    evaluate=None,
) -> Path:
    """Write a finished run of made-up scores and return its folder.

    Args:
        folder: to write; made if missing.
        arms: any names; those not in :data:`SKILLS` have a skill of 0.7.
        subjects: how many; each is tested in one fold.
        recordings: of each subject.
        frames: labelled ones of each recording.
        structures: a named set or own names.
        folds: how many.
        seed: of the experiment; another seed scatters the scores anew.
        data: what readers must know of the data; by default that it is simulated.
        notes: further sentences above the run's tables.
        skills: other skills than :data:`SKILLS`, by arm.
        absent: structures that no reference shows.
        dense: whether temporal metrics have values; else they are not available: sparse labels.
        facts: changes of an arm's facts, by arm; None instead leaves its facts out.
        evaluate: other evaluation settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = structure_set(structures).names
    people = [f"subject-{number:03d}" for number in range(subjects)]
    split = [people[k::folds] for k in range(folds)]
    experiment = Experiment(
        name="fake",
        seed=seed,
        arms=("frame",),
        data=DataConfig(structures=structures if isinstance(structures, str) else list(structures)),
        folds=FoldsConfig(count=max(2, folds)),
        evaluate=evaluate or EvaluateConfig(),
    )
    settings = experiment.model_dump(mode="json")
    settings["arms"] = ["frame"]  # what is compared is what has scores
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    _write_json(folder / "folds.json", [_fold(k, split) for k in range(folds)])
    ScoredData(rules=experiment.evaluate, structures=names, data=data, notes=tuple(notes)).write(
        folder
    )
    for arm in arms:
        for k, tested in enumerate(split):
            job = folder / arm / f"fold-{k:02d}"
            job.mkdir(parents=True, exist_ok=True)
            skill = (SKILLS | (skills or {})).get(arm, 0.7)
            scores = made_up_frames(
                arm,
                k,
                tested,
                names,
                recordings=recordings,
                frames=frames,
                skill=skill,
                seed=seed,
                absent=absent,
            )
            scores.to_parquet(job / "frames.parquet", index=False)
            _temporal(scores, skill, dense).to_parquet(job / "temporal.parquet", index=False)
            changes = (facts or {}).get(arm, {})
            if changes is not None:
                replace(made_up_facts(arm, k, seed), **changes).write(job / "facts.json")
    return folder


def write_external(folder: Path, run: Path, arm="nnunet", skill=0.72) -> Path:
    """Write the scores of another tool's masks on the frames of a run, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = pd.concat(
        [pd.read_parquet(path) for path in sorted(run.glob("frame/*/frames.parquet"))]
    )
    random = np.random.default_rng(99)
    frames = frames.assign(arm=arm)
    present = frames["reference_px"] > 0
    drawn = np.clip(skill + random.normal(0, 0.08, len(frames)), 0, 1).round(6)
    frames["dice"] = frames["dice"].where(~present, drawn)
    frames.to_parquet(folder / "frames.parquet", index=False)
    _temporal(frames, skill, dense=True).to_parquet(folder / "temporal.parquet", index=False)
    read_scored_data(run).write(folder)
    ArmFacts(arm=arm, fold=0, external=True).write(folder / "facts.json")
    return folder


def made_up_facts(arm: str, fold: int, seed: int) -> ArmFacts:
    """Return facts as a fair run has them: the controls differ from `sequence` as they should."""
    trained = replace(
        _TRAINED,
        arm=arm,
        fold=fold,
        seed=seed,
        start_sha256=_hash(f"frame {fold} {seed}"),
        weights_sha256=_hash(f"{arm} {fold} {seed}"),
    )
    if arm in ("frame", "frame_ema"):
        alone = replace(
            trained,
            weights_sha256=_hash(f"frame {fold} {seed}"),
            start_sha256="",
            epochs=36,
            clip_frames=1,
            backpropagation_frames=1,
            faults={},
            frozen=(),
        )
        return replace(alone, inference="ema 0.4") if arm == "frame_ema" else alone
    added = {"frame_extra": "control", "sequence": "memory", "sequence_reset": "memory"}
    if arm not in added:
        return trained
    rate, parameters = _ADDED[added[arm]]
    trained = replace(trained, added=added[arm], added_learning_rate=rate, parameters=parameters)
    if arm == "sequence_reset":
        weights = _hash(f"sequence {fold} {seed}")
        return replace(trained, inference="reset", weights_sha256=weights)
    return trained


def made_up_frames(
    arm, fold, subjects, structures, *, recordings=1, frames=10, skill=0.7, seed=0, absent=()
) -> pd.DataFrame:
    """Return a table of frames; references and difficulty do not depend on the arm or the seed."""
    parts = []
    for subject in subjects:
        for number in range(recordings):
            parts += [
                _of_recording(
                    arm,
                    fold,
                    subject,
                    f"{subject}/sequence-{number}",
                    structure,
                    frames=frames,
                    skill=skill - 0.04 * k,
                    seed=seed,
                    absent=structure in absent,
                )
                for k, structure in enumerate(structures)
            ]
    return pd.concat(parts, ignore_index=True)


def _of_recording(*key, frames, skill, seed, absent):
    arm, fold, subject, recording, structure = key
    of_reference = np.random.default_rng(_bytes(subject, recording, structure))
    difficulty = of_reference.normal(0, 0.06)
    reference_px = of_reference.integers(300, 900, frames)
    reference_px[of_reference.random(frames) < 0.1] = 0
    if absent:
        reference_px[:] = 0
    present = reference_px > 0
    random = np.random.default_rng(_bytes(arm, seed, subject, recording, structure))
    dice = skill + difficulty + random.normal(0, 0.03) + random.normal(0, 0.05, frames)
    dice = np.clip(dice, 0, 1).round(6)
    found = present & (random.random(frames) < dice + 0.15)
    false = random.random(frames) < 0.25 * (1 - dice)
    dice = np.where(present, np.where(found, dice, 0.0), np.where(false, 0.0, np.nan))
    predicted_px = np.where(found | false, 600, 0)
    table = pd.DataFrame(
        {
            "arm": arm,
            "fold": fold,
            "subject": subject,
            "recording": recording,
            "frame": np.arange(frames),
            "state_age": np.arange(1, frames + 1),
            "structure": structure,
            "tp_reference": found.astype(int),
            "fp_reference": false.astype(int),
            "fn_reference": (present & ~found).astype(int),
        }
    )
    for count in ("tp", "fp", "fn"):
        table[f"{count}_iou"] = table[f"{count}_reference"]
    return table.assign(
        dice=dice,
        intersection_px=(np.nan_to_num(dice) * (predicted_px + reference_px) / 2).astype(int),
        predicted_px=predicted_px,
        reference_px=reference_px,
        nsd=np.where(np.isnan(dice), np.nan, np.sqrt(np.nan_to_num(dice))).round(6),
        hd95=np.where(np.nan_to_num(dice) > 0, 8 * (1 - np.nan_to_num(dice)), np.nan).round(6),
    )


def _temporal(frames: pd.DataFrame, skill: float, dense: bool) -> pd.DataFrame:
    keys = ["arm", "fold", "subject", "recording", "structure"]
    scores = []
    for key, rows in frames.groupby(keys, sort=False):
        random = np.random.default_rng(_bytes(*key))
        for metric in (one.name for one in TEMPORAL):
            value = round(float(random.gamma(2, 1.2 - skill)), 6)
            reason = "" if dense else SPARSE
            if dense and not (rows["reference_px"] > 0).any():
                reason = "structure absent"
            scores.append(TemporalScore(*key, metric, float("nan") if reason else value, reason))
    return temporal_table(scores)


def _fold(k, split):
    others = [name for j, part in enumerate(split) if j != k for name in part] or ["nobody"]
    return {
        "number": k,
        "train": sorted(others[1:]),
        "validation": others[:1],
        "test": sorted(split[k]),
    }


def _write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def _bytes(*parts):
    return list("|".join(map(str, parts)).encode())


def _hash(text):
    return text.encode().hex().ljust(64, "0")[:64]
