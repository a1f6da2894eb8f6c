"""Export a small simulated cohort for nnU-Net and let nnU-Net itself check it.

    .venv/bin/python scripts/check_nnunet.py [--folder FOLDER] [--version 2.8.1]

nnU-Net is installed into a separate virtual environment in FOLDER (with the torch of
constraints.txt, about 3 GB; kept for the next time). Printed are what `verify_dataset_integrity`,
the fingerprint and the planning of nnU-Net say, and whether its folds are ours. The exit status is
1 if any of them fails. No network is trained.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from _environment import ROOT, program
from sonotempo.config import FoldsConfig
from sonotempo.data.folds import make_folds
from sonotempo.exchange.nnunet import CASES_FILE
from sonotempo.exchange.outgoing import outgoing
from sonotempo.exchange.targets import Export, export, target_named
from sonotempo.io import open_dataset
from sonotempo.phantom.cohort import write_cohort
from sonotempo.phantom.settings import phantom_settings
from sonotempo.structures import FEMORAL

NUMBER = 501
NAME = f"Dataset{NUMBER}_simulated"


def main() -> None:
    """Print what nnU-Net says."""
    parser = argparse.ArgumentParser(description="Let nnU-Net check what is exported for it.")
    parser.add_argument("--folder", type=Path, help="kept; by default a temporary one")
    parser.add_argument("--version", default="2.8.1", help="of nnunetv2")
    options = parser.parse_args()
    if options.folder is not None:
        raise SystemExit(report(options.folder, options.version))
    with tempfile.TemporaryDirectory() as folder:
        raise SystemExit(report(Path(folder), options.version))


def report(folder: Path, version: str) -> int:
    """Export, install, check; return 1 if anything fails."""
    dataset = folder / "raw" / NAME
    if not dataset.is_dir():
        export_cohort(folder / "cohort", dataset)
    wrong = split_faults(dataset)
    print(f"folds: {wrong or 'every case is predicted once, and no subject leaks'}", flush=True)
    environment = folder / "nnunet-venv"
    if not program("nnUNetv2_plan_experiment", environment).exists():
        install(environment, version)
    failed = [name for name, command in checks(environment) if run(name, command, folder)]
    print(f"nnU-Net {version}: {'failed: ' + ', '.join(failed) if failed else 'passed'}")
    return int(bool(wrong or failed))


def export_cohort(cohort: Path, dataset: Path, subjects: int = 4, size: int = 96) -> None:
    """Simulate a few subjects and write them for nnU-Net, in two folds."""
    settings = phantom_settings(
        procedure="femoral", subjects=subjects, seconds=0.5, frame_rate_hz=8, size=size, seed=1
    )
    write_cohort(cohort, settings)
    data = open_dataset(cohort, FEMORAL)
    folds = make_folds(dict.fromkeys(data.subjects, ()), FoldsConfig(count=2), seed=0)
    entries = outgoing(data.recordings)
    target = target_named("nnunet", folds=True)
    export(target, Export(dataset, entries, FEMORAL, folds=folds))
    print(f"exported {data.labelled_count} frames of {len(data.subjects)} subjects: {dataset}")


def split_faults(dataset: Path) -> str:
    """Say what is wrong with the folds in ``splits_final.json``; nothing if all is right."""
    cases = json.loads((dataset / CASES_FILE).read_text(encoding="utf-8"))
    splits = json.loads((dataset / "splits_final.json").read_text(encoding="utf-8"))
    subject_of = {case: name.split("/")[0] for case, (name, _) in cases.items()}
    predicted = sorted(case for split in splits for case in split["val"])
    if predicted != sorted(cases):
        return f"{len(predicted)} cases are predicted, expected {len(cases)}"
    for number, split in enumerate(splits):
        shared = {subject_of[c] for c in split["train"]} & {subject_of[c] for c in split["val"]}
        if shared:
            return f"fold {number} has {', '.join(sorted(shared))} on both sides"
    return ""


def install(environment: Path, version: str) -> None:
    """Make nnU-Net's environment, with our torch: an open range downloads gigabytes."""
    venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(environment)
    command = [str(program("python", environment)), "-m", "pip", "install", "--quiet"]
    if subprocess.run([*command, f"nnunetv2=={version}", torch_pin()], check=False).returncode:
        raise SystemExit("nnU-Net cannot be installed; see what pip says above")


def torch_pin() -> str:
    """Return the line of constraints.txt that pins torch."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("torch=="))


def checks(environment: Path) -> list[tuple[str, list[str]]]:
    """Return nnU-Net's commands, each with what it is called."""
    number = str(NUMBER)
    return [
        (
            "integrity and fingerprint",
            [
                str(program("nnUNetv2_extract_fingerprint", environment)),
                *("-d", number, "-np", "2", "--verify_dataset_integrity"),
            ],
        ),
        (
            "planning",
            [str(program("nnUNetv2_plan_experiment", environment)), "-d", number],
        ),
    ]


def run(name: str, command: list[str], folder: Path) -> int:
    """Run one of nnU-Net's commands on the exported data and print what it says."""
    folders = {f"nnUNet_{part}": str(folder / part) for part in ("raw", "preprocessed", "results")}
    # The environment is nnU-Net's: nothing of ours may reach into it.
    own = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    print(f"--- {name}", flush=True)
    status = subprocess.run(command, env={**own, **folders}, check=False).returncode
    if status:
        print(f"{name} ended with status {status}", file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
