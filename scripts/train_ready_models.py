"""Train the ready-made models that come with sonotempo, on simulated subjects, and export them.

    .venv/bin/python scripts/train_ready_models.py

For each procedure it simulates a cohort, trains the frame U-net and the sequence U-net on it as
`sonotempo crossval` does, scores both on a second cohort that training has not seen, exports them
into src/sonotempo/live/models/packaged, and writes the figures into docs/ready-models.md with a
picture of a live stream. An interrupted run continues where it stopped.

On one CPU core the femoral models take about 20 minutes, the axillary ones, whose nerves are
smaller and more numerous, over an hour; on a GPU a few minutes each. Both can run in parallel, each
with its `--procedure`; the page is written when both are complete. `--quick` checks in seconds that
the script works: its models find nothing and are written to the work folder.
"""

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd
import torch
from rich.console import Console

from _ready_page import dice_text, write_page
from sonotempo.config import (
    DataConfig,
    Experiment,
    FaultsConfig,
    FoldsConfig,
    ModelConfig,
    SequenceConfig,
    TrainConfig,
)
from sonotempo.data.folds import Fold, save_folds
from sonotempo.errors import ModelError, SonotempoError
from sonotempo.evaluation.comparison.compare import compare
from sonotempo.evaluation.scoring.provenance import FACTS_FILE, read_facts
from sonotempo.export.job import export_model
from sonotempo.live.models.card import read_card
from sonotempo.phantom.cohort import write_cohort
from sonotempo.phantom.settings import PhantomConfig, Procedure
from sonotempo.study.crossval import crossvalidate
from sonotempo.study.other_data import evaluate_weights
from sonotempo.training.progress import RunProgress

ROOT = Path(__file__).parents[1]
READY = ROOT / "src" / "sonotempo" / "live" / "models" / "packaged"
Precision = Literal["auto", "32-true", "bf16-mixed"]
PROCEDURES: tuple[Procedure, ...] = ("axillary", "femoral")
EXPORTS = {
    "frame": ("frame",),
    "sequence": ("sequence",),
    "pair": ("frame", "sequence"),
}
NOTE = "trained on simulated subjects only: not for patients"
# The live simulation begins with seed 0, so neither cohort holds the subject that it shows.
TRAINING_SEED, HELD_OUT_SEED = 2026, 2027
# All of them must fit into the wheel: int8 wherever it keeps the Dice.
PRECISIONS = ("int8", "fp16")
LARGEST_MB = 25.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """The amount of simulation and training.

    Attributes:
        subjects: for training; they alternate between the three scanners.
        watched: validation subjects, and the same number of test subjects for the run's own table.
        seconds: of each recording; many short recordings train better than a few long ones.
        held_out: subjects of the second cohort, for the published figures.
        held_out_seconds: of each recording; longer than any training clip, as a live stream is.
        frame_px: side of the simulated frames.
        input_size: side of the network grid.
        frame_epochs: of the frame arm.
        sequence_epochs: of the sequence arm.
        clip_frames: of the sequence arm; a recording holds at least as many.
    """

    subjects: int = 120
    watched: int = 4
    seconds: float = 1.6
    held_out: int = 24
    held_out_seconds: float = 4.0
    frame_px: int = 256
    input_size: int = 128
    frame_epochs: int = 10
    sequence_epochs: int = 8
    clip_frames: int = 32


RECIPES: dict[Procedure, Recipe] = {
    # The musculocutaneous nerve is about 5 px wide on a grid of 128: too few to detect.
    "axillary": Recipe(subjects=200, input_size=192),
    "femoral": Recipe(),
}
QUICK = Recipe(
    subjects=2,
    watched=1,
    seconds=0.4,
    clip_frames=8,
    held_out=1,
    held_out_seconds=0.2,
    frame_px=64,
    input_size=32,
    frame_epochs=1,
    sequence_epochs=1,
)


def main() -> None:
    """Train and export the requested models."""
    parser = argparse.ArgumentParser(description="Train the ready-made models on simulation.")
    parser.add_argument("--procedure", choices=PROCEDURES, help="only this one")
    parser.add_argument(
        "--work", type=Path, default=ROOT / "runs" / "ready", help="for all intermediate files"
    )
    parser.add_argument(
        "--precision", choices=get_args(Precision), default="auto", help="as train.precision"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes that simulate")
    parser.add_argument("--quick", action="store_true", help="only check that the script works")
    options = parser.parse_args()
    try:
        make(options)
    except SonotempoError as error:
        raise SystemExit(f"{error}") from error


def make(options: argparse.Namespace) -> None:
    """Train, score and export; write the page if both procedures are complete."""
    out = options.work / "models" if options.quick else READY
    with RunProgress(Console()) as progress:
        for procedure in [options.procedure] if options.procedure else PROCEDURES:
            work = options.work / procedure
            recipe = QUICK if options.quick else RECIPES[procedure]
            run = work / "run"
            simulate(procedure, recipe, work, options.jobs, progress)
            with training_time(work):
                train(procedure, recipe, work, options.precision, progress)
            facts = figures(procedure, recipe, run, work, progress)
            for kind, arms in EXPORTS.items():
                export(run, arms, facts, out / f"{procedure}-{kind}.onnx", progress)
        files = sorted(out.glob("*.onnx"))
        for path in files:
            progress.say(f"{path}: {read_card(path).precision}, {megabytes([path]):.1f} MB")
        if megabytes(files) >= LARGEST_MB:
            raise SystemExit(f"{megabytes(files):.1f} MB in all; at most {LARGEST_MB:g} may ship")
        found = [options.work / procedure / "figures.json" for procedure in PROCEDURES]
        if not options.quick and all(path.is_file() for path in found):
            write_page([json.loads(path.read_text("utf-8")) for path in found], files, progress)


def simulate(
    procedure: Procedure, recipe: Recipe, work: Path, jobs: int, progress: RunProgress
) -> None:
    """Simulate the cohort to train on and the one to score on."""
    total = recipe.subjects + 2 * recipe.watched
    for folder, subjects, seconds, seed in (
        ("data", total, recipe.seconds, TRAINING_SEED),
        ("held-out", recipe.held_out, recipe.held_out_seconds, HELD_OUT_SEED),
    ):
        cohort = cohort_of(procedure, recipe, subjects, seconds, seed)
        progress.step(f"simulating {subjects} {procedure} subjects", subjects)
        write_cohort(work / folder, cohort, on_subject=progress.advance, jobs=jobs)


def train(
    procedure: Procedure, recipe: Recipe, work: Path, precision: Precision, progress: RunProgress
) -> None:
    """Train both arms on the first cohort in one split."""
    watched = recipe.watched
    names = [f"subject-{number:03d}" for number in range(recipe.subjects + 2 * watched)]
    first, last = recipe.subjects, recipe.subjects + watched
    fold = Fold(0, tuple(names[:first]), tuple(names[first:last]), tuple(names[last:]))
    run = work / "run"
    run.mkdir(parents=True, exist_ok=True)
    # A run uses the folds that its folder already has.
    save_folds([fold], run / "folds.json")
    crossvalidate(experiment(procedure, recipe, work, precision), run, progress)


def cohort_of(
    procedure: Procedure, recipe: Recipe, subjects: int, seconds: float, seed: int
) -> PhantomConfig:
    """Return the settings of a cohort; the rest are the simulation's defaults."""
    return PhantomConfig(
        procedure=procedure,
        subjects=subjects,
        seconds=seconds,
        size=recipe.frame_px,
        seed=seed,
    )


def experiment(
    procedure: Procedure, recipe: Recipe, work: Path, precision: Precision
) -> Experiment:
    """Return the settings of one procedure's training."""
    return Experiment(
        name=f"ready-{procedure}",
        note=NOTE,
        data=DataConfig(
            root=work / "data",
            layout="annotation_web",
            structures=procedure,
            input_size=recipe.input_size,
            cache=work / "cache",
        ),
        folds=FoldsConfig(count=2, validation_subjects=recipe.watched),
        # At half of the features, so that a live pair costs little more than one model.
        model=ModelConfig(memory_strides=(4, 8), memory_channels="half"),
        # The recipe of configs/controls/memory-helps.yaml.
        faults=FaultsConfig(
            dark_probability=0.3,
            contact_loss_probability=0.3,
            occlusion_probability=0.3,
            max_run_frames=24,
        ),
        train=TrainConfig(
            epochs=recipe.frame_epochs,
            batch_size=16,
            learning_rate=3e-3,
            schedule="cosine",
            loss="dice_ce",
            precision=precision,
        ),
        sequence=SequenceConfig(
            epochs=recipe.sequence_epochs,
            batch_size=4,
            learning_rate=5e-4,
            memory_learning_rate=5e-3,
            clip_frames=recipe.clip_frames,
            backpropagation_frames=recipe.clip_frames // 2,
            shuffled_frames=16,
        ),
    )


def figures(
    procedure: Procedure, recipe: Recipe, run: Path, work: Path, progress: RunProgress
) -> dict[str, Any]:
    """Score both arms on the second cohort; store and return the figures to publish."""
    path = work / "figures.json"
    if path.is_file():
        return dict(json.loads(path.read_text("utf-8")))
    scored = work / "scores"
    scores = evaluate_weights(run, work / "held-out", work / "cache", progress, scored, stress=True)
    arms = {arm: read_facts(run / arm / "fold-00" / FACTS_FILE) for arm in ("frame", "sequence")}
    found = {
        "procedure": procedure,
        "subjects": recipe.subjects,
        "frames": arms["frame"].labelled_frames,
        "seed": TRAINING_SEED,
        "input_size": recipe.input_size,
        "epochs": {arm: facts.epochs for arm, facts in arms.items()},
        "steps": {arm: facts.optimiser_steps for arm, facts in arms.items()},
        "memory_use": memory_use(run),
        **spent(work),
        "held_out_subjects": recipe.held_out,
        "held_out_frames": int(scores.evaluation.frames.groupby("arm")["recording"].size().iloc[0])
        // int(scores.evaluation.frames["structure"].nunique()),
        "held_out_seed": HELD_OUT_SEED,
        "dice": {
            arm: {
                cell.structure: [cell.mean, cell.sd, cell.n]
                for cell in scores.table.cells
                if (cell.arm, cell.metric) == (arm, "dice")
            }
            for arm in arms
        },
        "stress": {
            f"{cell.arm}, {cell.phase}": [cell.misses, cell.dice]
            for cell in compare([scored]).stress
            if cell.kind == "all" and cell.phase != "after"
        },
    }
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def memory_use(run: Path) -> float:
    """Return how much the memory changed the validation probabilities at the end of training."""
    logs = sorted((run / "sequence" / "fold-00" / "log").glob("*/metrics.csv"))
    use = pd.concat([pd.read_csv(log) for log in logs])["memory_use"].dropna()
    return round(float(use.iloc[-1]), 5)


def export(
    run: Path, arms: tuple[str, ...], found: dict[str, Any], path: Path, progress: RunProgress
) -> None:
    """Write a model with its figures in the lowest precision that keeps its Dice."""
    procedure = found["procedure"]
    trained_on = (
        f"{found['subjects']} simulated {procedure} subjects, {found['frames']} frames (seed "
        f"{found['seed']}): {found['epochs']['frame']} epochs of the frame U-net, then "
        f"{found['epochs']['sequence']} of the sequence U-net, {found['minutes']:.0f} minutes "
        f"on {found['device']} by scripts/train_ready_models.py --procedure {procedure}"
    )
    if path.is_file() and read_card(path).trained_on == trained_on:
        return
    scored = (
        f"{found['held_out_subjects']} held-out simulated subjects ({found['held_out_frames']} "
        f"frames, seed {found['held_out_seed']})"
    )
    facts = [
        f"{arm}: Dice on {scored}, mean ± SD over subjects: "
        + ", ".join(
            f"{name} {dice_text(value, found['held_out_subjects'])}"
            for name, value in found["dice"][arm].items()
        )
        for arm in arms
    ]
    export_smallest(
        run,
        path,
        progress,
        arms=arms,
        name=f"{procedure} {' + '.join(arms)}, trained on simulation",
        trained_on=trained_on,
        origin="simulation",
        facts=facts,
    )


def export_smallest(
    run: Path, path: Path, progress: RunProgress, *, arms: tuple[str, ...], **about: Any
) -> None:
    """Export with the fewest bits that keep the Dice; ``about`` describes the model."""
    for precision in PRECISIONS:
        try:
            export_model(
                run, path, progress, arms=arms, pair=len(arms) > 1, precision=precision, **about
            )
        except ModelError as refused:
            progress.say(f"not in {precision}: {refused}")
        else:
            return
    raise SystemExit(f"{path.name} keeps its Dice in none of {', '.join(PRECISIONS)}")


@contextmanager
def training_time(work: Path) -> Iterator[None]:
    """Add the time spent here to the work folder's total, also if interrupted.

    On a processor it is the time that the process computed, on a GPU the time by the clock.
    """
    gpu = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if gpu else "one CPU core"
    clock = time.perf_counter if gpu else time.process_time
    before = spent(work)
    began = clock()
    try:
        yield
    finally:
        if not (work / "figures.json").is_file():  # otherwise nothing was trained
            minutes = before["minutes"] + (clock() - began) / 60
            now = {"device": device, "minutes": round(minutes, 2)}
            (work / "spent.json").write_text(json.dumps(now) + "\n", encoding="utf-8")


def spent(work: Path) -> dict[str, Any]:
    """Return on what and for how many minutes was trained so far."""
    path = work / "spent.json"
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {"minutes": 0.0}


def megabytes(paths: list[Path]) -> float:
    """Return the total size of files."""
    return sum(path.stat().st_size for path in paths) / 1e6


if __name__ == "__main__":
    main()
