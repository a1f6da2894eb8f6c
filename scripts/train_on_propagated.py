"""Measure what propagated labels are worth in training: 1 label in 20 frames, with and without.

    .venv/bin/python scripts/train_on_propagated.py WORK --seeds 2

Simulates a cohort to train on and one to score on, keeps the masks of every 20th frame of the first
and carries them to the others (`sonotempo data propagate`). The frame arm is then trained for the
same number of steps on the kept masks alone and on kept and propagated ones (with `--truth` on the
true masks of all frames, too), and scored by the true masks of the second cohort.

Prints Markdown: Dice by structure, averaged over seeds, and the differences with paired bootstrap
intervals over the subjects. What is finished in WORK is kept, so a repeated call continues, or adds
seeds. `--quick` checks in seconds that the script works.
"""

import argparse
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console

from sonotempo.config import DataConfig, Experiment, FoldsConfig, ModelConfig, TrainConfig
from sonotempo.data.folds import Fold, save_folds
from sonotempo.errors import SonotempoError
from sonotempo.evaluation.comparison.statistics import (
    SubjectScores,
    bootstrap,
    draw_subjects,
    estimate_K,
    subject_scores,
)
from sonotempo.evaluation.scoring.files import read_scores, write_scores
from sonotempo.evaluation.scoring.frames import per_subject
from sonotempo.io import open_dataset
from sonotempo.label_origin import Use
from sonotempo.labels.dense import write_dense
from sonotempo.labels.settings import PropagationSettings
from sonotempo.phantom.cohort import write_cohort
from sonotempo.phantom.settings import PhantomConfig, Procedure
from sonotempo.structures import structure_set
from sonotempo.study.crossval import crossvalidate
from sonotempo.study.other_data import evaluate_weights
from sonotempo.training.progress import RunProgress

Precision = Literal["auto", "32-true", "bf16-mixed"]
EVERY = 20
DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """The amount of simulation and training."""

    subjects: int = 22
    seconds: float = 4.0
    held_out: int = 30
    held_out_seconds: float = 1.5
    size: int = 96
    grid: int = 64
    steps: int = 440  # 40 epochs of the sparse labels, 2 of the dense ones
    batch: int = 8
    channels: tuple[int, ...] = (8, 16, 32, 64)
    precision: Precision = "auto"
    watched: int = 1  # validation subjects, and as many for the run's own table


QUICK = Recipe(
    subjects=1, seconds=1.1, held_out=2, held_out_seconds=0.1, size=64, steps=4, channels=(4, 8)
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One training: its name, the folder of its data, and which masks it uses."""

    name: str
    folder: str
    use: tuple[Use, ...] = ("human", "accepted")


ALONE = Condition(f"1 label in {EVERY} alone", "sparse")
CARRIED = Condition("with propagated labels", "dense", ("human", "accepted", "propagated"))
TRUTH = Condition("true label in every frame", "truth")


def main() -> None:
    """Train what is missing and print the tables."""
    parser = argparse.ArgumentParser(description="What are propagated labels worth in training?")
    parser.add_argument("work", type=Path, help="for all files")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--procedure", choices=("axillary", "femoral"), default="femoral")
    parser.add_argument("--steps", type=int, help="of every training")
    parser.add_argument("--subjects", type=int, help="to train on; with another WORK for each")
    parser.add_argument("--precision", choices=get_args(Precision), default="auto")
    parser.add_argument("--truth", action="store_true", help="train on all true masks, too")
    parser.add_argument("--quick", action="store_true", help="only check that the script works")
    options = parser.parse_args()
    recipe = QUICK if options.quick else Recipe()
    if options.steps:
        recipe = replace(recipe, steps=options.steps)
    if options.subjects:
        recipe = replace(recipe, subjects=options.subjects)
    recipe = replace(recipe, precision=options.precision)
    try:
        with RunProgress(Console(stderr=True)) as progress:
            make_data(options.work, options.procedure, recipe, progress)
            conditions = (ALONE, CARRIED, TRUTH) if options.truth else (ALONE, CARRIED)
            scores: dict[str, list[pd.DataFrame]] = {one.name: [] for one in conditions}
            for seed in range(options.seeds):
                for one in conditions:
                    found = score(options.work, options.procedure, recipe, one, seed, progress)
                    scores[one.name].append(found)
    except SonotempoError as error:
        raise SystemExit(f"{error}") from error
    print(table(scores, structure_set(options.procedure).names))


def make_data(work: Path, procedure: Procedure, recipe: Recipe, progress: RunProgress) -> None:
    """Simulate both cohorts, and make the sparse and the propagated labels of the first."""
    subjects = recipe.subjects + 2 * recipe.watched
    for name, count, seconds, seed in (
        ("truth", subjects, recipe.seconds, 31),
        ("held-out", recipe.held_out, recipe.held_out_seconds, 32),
    ):
        progress.step(f"simulating {count} subjects: {name}", count)
        cohort = PhantomConfig(
            procedure=procedure, subjects=count, seconds=seconds, size=recipe.size, seed=seed
        )
        write_cohort(work / name, cohort, on_subject=progress.advance)
    sparse = work / "sparse"
    if not sparse.is_dir():
        shutil.copytree(work / "truth", sparse, ignore=_other_masks)
    dataset = open_dataset(sparse, structure_set(procedure))
    progress.step("carrying labels", len(dataset.recordings))
    for one in write_dense(dataset, work / "dense", PropagationSettings()):
        progress.advance(one.lines[0])


def _other_masks(_: str, names: list[str]) -> list[str]:
    """Return the mask files of all frames but every 20th."""
    masks = [name for name in names if Path(name).stem.endswith("_gt")]
    return [name for name in masks if int(name.split("_")[-2]) % EVERY]


def score(  # noqa: PLR0917
    work: Path,
    procedure: Procedure,
    recipe: Recipe,
    condition: Condition,
    seed: int,
    progress: RunProgress,
) -> pd.DataFrame:
    """Return the scores of a training by subject of the second cohort."""
    run = work / "runs" / f"{condition.folder}-{seed}"
    scored = run / "held-out"
    if not (scored / "frames.parquet").is_file():
        watched, first = recipe.watched, recipe.subjects
        names = [f"subject-{number:03d}" for number in range(first + 2 * watched)]
        fold = Fold(
            0,
            tuple(names[:first]),
            tuple(names[first : first + watched]),
            tuple(names[first + watched :]),
        )
        run.mkdir(parents=True, exist_ok=True)
        save_folds([fold], run / "folds.json")  # a run uses the folds that its folder already has
        crossvalidate(experiment(work, procedure, recipe, condition, seed), run, progress)
        found = evaluate_weights(run, work / "held-out", work / "cache", progress)
        write_scores(scored, found.evaluation)
    return per_subject(read_scores(scored).frames)


def experiment(
    work: Path, procedure: Procedure, recipe: Recipe, condition: Condition, seed: int
) -> Experiment:
    """Return the settings of a training; only the data and the number of epochs differ."""
    per_recording = len(range(0, round(20 * recipe.seconds), EVERY if condition is ALONE else 1))
    per_epoch = max(1, recipe.subjects * per_recording // recipe.batch)
    return Experiment(
        name=f"{condition.folder}-{seed}",
        seed=seed,
        arms=("frame",),
        data=DataConfig(
            root=work / condition.folder,
            layout="annotation_web",
            structures=procedure,
            use=condition.use,
            input_size=recipe.grid,
            cache=work / "cache",
        ),
        folds=FoldsConfig(count=2, validation_subjects=recipe.watched),
        model=ModelConfig(channels=recipe.channels, normalization="batch"),
        train=TrainConfig(
            epochs=max(1, recipe.steps // per_epoch),
            batch_size=recipe.batch,
            learning_rate=3e-3,
            schedule="cosine",
            loss="dice_ce",
            precision=recipe.precision,
        ),
    )


def table(scores: dict[str, list[pd.DataFrame]], names: tuple[str, ...]) -> str:
    """Return Dice, and the differences from the sparse labels alone, as Markdown."""
    subjects = sorted(set(scores[ALONE.name][0]["subject"]))
    found = {
        name: with_groups(subject_scores(all_, subjects, names)) for name, all_ in scores.items()
    }
    columns = found[ALONE.name].structures
    times_DS = draw_subjects(len(subjects), DRAWS, seed=0)
    lines = [f"| Dice | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for name, one in found.items():
        cells = (f"{value:.3f}" for value in estimate_K(one, "dice"))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", f"| difference from {ALONE.name} | {' | '.join(columns)} |", lines[1]]
    for name in [name for name in found if name != ALONE.name]:
        gains = estimate_K(found[name], "dice") - estimate_K(found[ALONE.name], "dice")
        intervals = bootstrap(found[name], found[ALONE.name], "dice", times_DS)
        cells = (
            f"{gain:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"
            for gain, one in zip(gains, intervals, strict=True)
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    seeds = len(scores[ALONE.name])
    return "\n".join([*lines, "", f"{len(subjects)} held-out subjects, {seeds} seeds."])


def with_groups(scores: SubjectScores) -> SubjectScores:
    """Add the mean over nerves and over all structures."""
    dice_SK = scores.means_SK["dice"]
    nerves = [place for place, name in enumerate(scores.structures) if "nerve" in name]
    more = [mean_of_defined(dice_SK[:, nerves]), mean_of_defined(dice_SK)]
    dice_SK = np.column_stack([dice_SK, *more])
    return SubjectScores(
        scores.subjects,
        (*scores.structures, "nerves", "all"),
        np.zeros((3, *dice_SK.shape)),
        {"dice": dice_SK},
    )


def mean_of_defined(values_SK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over structures that a subject has; NaN if there is none."""
    has = ~np.isnan(values_SK)
    sums = np.where(has, values_SK, 0).sum(axis=1)
    means = np.full(len(sums), np.nan)
    np.divide(sums, has.sum(axis=1), out=means, where=has.any(axis=1))
    return means


if __name__ == "__main__":
    main()
