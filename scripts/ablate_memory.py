"""Measure what each piece of the sequence arm's recipe is worth, on the positive control.

    .venv/bin/python scripts/ablate_memory.py WORK --seeds 3 --jobs 2

Simulates the cohort of configs/controls/memory-helps.yaml into WORK and trains the frame arm and
the sequence arm in its first fold: once with the whole recipe, and once for every piece with that
piece changed. Each is one `sonotempo crossval` in a separate process. Finished ones are kept, so
a repeated call continues, or adds seeds. `--minutes` starts nothing new after that time.

Prints Markdown: F1 and Dice of the nerve by the sequence arm, mean over the test subjects, for each
seed. Seeds differ by more than most pieces are worth, so a piece counts only where its seeds stand
apart from those of the whole recipe. `--quick` checks in a minute that the script works.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

import pandas as pd

from sonotempo.phantom.cohort import write_cohort
from sonotempo.phantom.settings import phantom_settings

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "configs" / "controls" / "memory-helps.yaml"
ARM, STRUCTURE, FOLD = "sequence", "nerve", 0


@dataclass(frozen=True, slots=True)
class Piece:
    """One change of the recipe: what it is called, and the settings that make it."""

    name: str
    overrides: tuple[str, ...] = ()


PIECES = (
    Piece("whole recipe"),
    Piece("encoder trained with both decoders", ("model.share_encoder=joint",)),
    Piece("encoder trained by the sequence arm alone", ("model.share_encoder=separate",)),
    Piece("no shuffled frames", ("sequence.shuffled_frames=0",)),
    Piece(
        "no faults in training",
        (
            "faults.dark_probability=0",
            "faults.contact_loss_probability=0",
            "faults.noise_probability=0",
            "faults.occlusion_probability=0",
        ),
    ),
    Piece("memory at the others' rate", ("sequence.memory_learning_rate=5.0e-4",)),
    Piece(
        "clips of 8 frames instead of 32",
        ("sequence.clip_frames=8", "sequence.backpropagation_frames=8"),
    ),
    Piece(
        "some states foreign or corrupt",
        ("sequence.foreign_state_probability=0.25", "sequence.corrupt_state_probability=0.25"),
    ),
    Piece("group instead of batch normalisation", ("model.normalization=group",)),
    Piece("ConvGRU instead of ConvLSTM", ("model.memory=convgru",)),
    Piece("conv-minGRU instead of ConvLSTM", ("model.memory=convmingru",)),
    Piece("one memory, at stride 4", ("model.memory_strides=[4]",)),
    Piece("Dice loss alone", ("train.loss=dice",)),
    Piece("twice the epochs of the sequence arm", ("sequence.epochs=12",)),
)


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description="What is each piece of the recipe worth?")
    parser.add_argument("work", type=Path, help="for the cohort and all runs")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    parser.add_argument("--minutes", type=float, default=1e9, help="start nothing new after this")
    parser.add_argument("--precision", default="auto", help="as train.precision")
    parser.add_argument("--quick", action="store_true", help="one epoch on few subjects")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    pieces = PIECES[:2] if options.quick else PIECES
    train(options.work, pieces, options)
    print(table(options.work, pieces, options.seeds))


def train(work: Path, pieces: Sequence[Piece], options: argparse.Namespace) -> None:
    """Simulate the cohort and train every piece with every seed; seeds one after another."""
    cohort = phantom_settings(
        procedure="lookalikes",
        subjects=12 if options.quick else 120,
        seconds=2.4,
        size=64,
        depth_cm=3.0,
        event_rate=0.0,
        seed=7,
    )
    write_cohort(work / "cohort", cohort, jobs=options.jobs)
    until = time.monotonic() + 60 * options.minutes
    stop = Event()
    with ThreadPoolExecutor(options.jobs) as pool:
        settings = [f"train.precision={options.precision}"]
        if options.quick:
            settings += ["train.epochs=1", "sequence.epochs=1"]
        one = partial(crossval, work, settings=settings, until=until, stop=stop)
        try:
            # Every run fits the cohort to the grid, and the first one fills the cache for all.
            one(pieces[0], 0)
            todo = [(piece, seed) for seed in range(options.seeds) for piece in pieces]
            for line in pool.map(lambda both: one(*both), todo):
                print(line, file=sys.stderr, flush=True)
        finally:
            stop.set()


def crossval(
    work: Path, piece: Piece, seed: int, *, settings: Sequence[str], until: float, stop: Event
) -> str:
    """Run one cross-validation's first fold; return what became of it."""
    run = folder_of(work, piece, seed)
    name = f"{piece.name}, seed {seed}"
    if (run / ARM / f"fold-{FOLD:02d}" / "finished.json").is_file():
        return f"{name}: finished"
    if time.monotonic() > until:
        return f"{name}: not started"
    command = [
        *(sys.executable, "-c", "from sonotempo.cli import main; main()", "crossval", str(CONFIG)),
        *(f"name={run.name}", f"seed={seed}", f"data.root={work / 'cohort'}"),
        *(f"data.cache={work / 'cache'}", "evaluate.stress=null", "arms=[frame,sequence]"),
        *(*settings, *piece.overrides, "--out", str(run), "--fold", str(FOLD)),
    ]
    began = time.monotonic()
    log = work / f"{run.name}.log"
    with log.open("w", encoding="utf-8") as said:
        # One thread: the others' jobs have the other processors.
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stdout=said, stderr=said, env=one_thread)
        try:
            while process.poll() is None and not stop.wait(0.2):
                pass
        finally:
            process.terminate()
            process.wait()
    if process.returncode:
        return f"{name}: failed (exit code {process.returncode}), see {log}"
    return f"{name}: {time.monotonic() - began:.0f} s"


def folder_of(work: Path, piece: Piece, seed: int) -> Path:
    """Return the run folder of a piece and seed."""
    return work / "runs" / f"{re.sub('[^a-z0-9]+', '-', piece.name.lower())}-{seed}"


def table(work: Path, pieces: Sequence[Piece], seeds: int) -> str:
    """Return the outcome as Markdown; what was not trained has a dash."""
    lines = [
        "| recipe | F1 of the nerve, by seed | mean | Dice, by seed | mean |",
        "| --- | --- | ---: | --- | ---: |",
    ]
    for piece in pieces:
        cells = []
        for measure in ("f1", "dice"):
            values = [score(folder_of(work, piece, seed), measure) for seed in range(seeds)]
            known = [value for value in values if value is not None]
            cells += [
                ", ".join("–" if value is None else f"{value:.3f}" for value in values),
                f"{sum(known) / len(known):.3f}" if known else "–",
            ]
        lines.append(f"| {piece.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def score(run: Path, measure: str) -> float | None:
    """Return the mean over the test subjects of a run's fold; None if it is not finished."""
    folder = run / ARM / f"fold-{FOLD:02d}"
    if not (folder / "finished.json").is_file():
        return None
    subjects = pd.read_csv(folder / "subjects.csv")
    return float(subjects.loc[subjects["structure"] == STRUCTURE, measure].mean())


if __name__ == "__main__":
    main()
