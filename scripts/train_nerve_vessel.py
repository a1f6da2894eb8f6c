"""Train the ready-made models that have seen real tissue, on labelled stills, and export them.

    .venv/bin/python scripts/train_nerve_vessel.py STILLS --start FOLDER

STILLS holds `images/` and `masks/` with nerves as 1 and vessels as 2, for example the 204 stills of
https://github.com/tmkand/usgra-seg (CC BY 4.0). Training follows `configs/nerve-vessel.yaml`, from
the `weights.safetensors` in FOLDER, which `train_ready_models.py` has learned on phantoms. First it
cross-validates in folds by image group, for the published figures; then it trains on all stills but
a few that are only watched, exports frame U-net, sequence U-net and both as a pair, and writes the
figures into docs/ready-models.md. An interrupted run continues where it stopped.
"""

import argparse
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from rich.console import Console
from scipy.stats import bootstrap

from _ready_page import write_real_figures
from sonotempo.config import Experiment
from sonotempo.config_file import load_experiment
from sonotempo.data.folds import Fold, load_folds, save_folds
from sonotempo.errors import SonotempoError
from sonotempo.evaluation.scoring.files import read_scores
from sonotempo.evaluation.scoring.frames import per_subject
from sonotempo.study.crossval import crossvalidate
from sonotempo.training.progress import RunProgress
from train_ready_models import EXPORTS, READY, Precision, export_smallest

ROOT = Path(__file__).parents[1]
ARMS = ("frame", "frame_flow", "sequence")
# Image groups that the final training only watches, and that its own table is of.
WATCHED, TESTED = 8, 3
NOTE = "for research and education; trained on 204 stills of volunteers (usgra-seg, CC BY 4.0)"
SOURCE = "usgra-seg by tmkand, CC BY 4.0"


def main() -> None:
    """Cross-validate, train and export."""
    parser = argparse.ArgumentParser(description="Train the ready-made models on real stills.")
    parser.add_argument("stills", type=Path, help="holds images/ and masks/")
    parser.add_argument("--start", type=Path, required=True, help="holds weights.safetensors")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "ready-nerve-vessel")
    parser.add_argument("--precision", choices=get_args(Precision), default="auto")
    options = parser.parse_args()
    try:
        make(options)
    except SonotempoError as error:
        raise SystemExit(f"{error}") from error


def make(options: argparse.Namespace) -> None:
    """Cross-validate, train on all stills, export, and write the figures."""
    experiment = load_experiment(
        ROOT / "configs" / "nerve-vessel.yaml",
        [
            f"data.root={options.stills}",
            f"data.cache={options.work / 'cache'}",
            f"train.initial_weights={options.start / 'weights.safetensors'}",
            f"train.precision={options.precision}",
            f"arms=[{','.join(ARMS)}]",
        ],
    )
    folds, final = options.work / "folds", options.work / "run"
    with RunProgress(Console()) as progress:
        crossvalidate(experiment, folds, progress)
        found = figures(folds, experiment)
        train_on_all(experiment, folds, final, progress)
        for kind, arms in EXPORTS.items():
            export(final, arms, found, READY / f"nerve-vessel-{kind}.onnx", progress)
    write_real_figures(found)


def figures(run: Path, experiment: Experiment) -> dict[str, Any]:
    """Return the mean Dice of each arm and structure over image groups, with its interval."""
    dice: dict[str, dict[str, list[float]]] = {}
    stills = 0
    for arm in experiment.arms:
        frames = pd.concat(
            [read_scores(folder).frames for folder in sorted((run / arm).glob("fold-*"))]
        )
        stills = frames["recording"].nunique()
        groups = per_subject(frames, experiment.evaluate.overlap)
        for structure in experiment.structures.names:
            values = groups[groups["structure"] == structure]["dice"].dropna().to_numpy(float)
            drawn = bootstrap((values,), np.mean, method="percentile", rng=experiment.seed)
            low, high = map(float, drawn.confidence_interval)
            dice.setdefault(arm, {})[structure] = [float(np.mean(values)), low, high, len(values)]
    return {"stills": stills, "folds": experiment.folds.count, "dice": dice}


def train_on_all(experiment: Experiment, folds: Path, run: Path, progress: RunProgress) -> None:
    """Train on every image group but the watched ones."""
    groups = sorted({name for fold in load_folds(folds / "folds.json") for name in fold.test})
    shuffled = np.random.default_rng(experiment.seed).permutation(groups).tolist()
    watched, tested = shuffled[:WATCHED], shuffled[WATCHED : WATCHED + TESTED]
    fold = Fold(0, tuple(shuffled[WATCHED + TESTED :]), tuple(watched), tuple(tested))
    run.mkdir(parents=True, exist_ok=True)
    # A run uses the folds that its folder already has.
    save_folds([fold], run / "folds.json")
    whole = experiment.model_copy(update={"arms": ("frame", "sequence"), "note": NOTE})
    crossvalidate(whole, run, progress)


def export(
    run: Path, arms: tuple[str, ...], found: dict[str, Any], path: Path, progress: RunProgress
) -> None:
    """Write a model with its figures in the lowest precision that keeps its Dice."""
    facts = [
        f"{arm}: Dice in {found['folds']} folds by image group ({found['stills']} stills; subjects "
        "are unknown), mean [95 % interval]: "
        + ", ".join(
            f"{name} {mean:.2f} [{low:.2f}, {high:.2f}]"
            for name, (mean, low, high, _) in found["dice"][arm].items()
        )
        for arm in arms
    ]
    export_smallest(
        run,
        path,
        progress,
        arms=arms,
        name=f"nerve-vessel {' + '.join(arms)}, trained on {found['stills']} stills",
        trained_on=f"{found['stills']} stills of volunteers ({SOURCE})",
        origin=f"{found['stills']} stills",
        facts=facts,
    )


if __name__ == "__main__":
    main()
