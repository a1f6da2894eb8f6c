"""A run's data and folds for nnU-Net, and nnU-Net's predictions back as an arm."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sonotempo.config_file import load_run
from sonotempo.data.folds import Fold, load_folds
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.exchange.nnunet import CASES_FILE
from sonotempo.folders import make_folder, writing
from sonotempo.guard import guarded
from sonotempo.recording import Recording
from sonotempo.study.other_data import with_data
from sonotempo.training.cohort import open_cohort, open_experiment_data
from sonotempo.training.progress import RunProgress


def run_recordings(
    run: Path, data: Path, progress: RunProgress
) -> tuple[tuple[Recording, ...], tuple[Fold, ...]]:
    """Return the recordings of a run as it used them, and its folds.

    Masks that the run could not use are left out, and near-identical stills share a subject.

    Args:
        run: a run folder of ``sonotempo crossval``.
        data: its recordings, or a copy of them.
        progress: advanced after every recording.

    Raises:
        ConfigError: not a run folder.
        RecordingError: the recordings cannot be read.
    """
    loaded = load_run(run)
    experiment = with_data(loaded, data, loaded.data.cache)
    folds = load_folds(run / "folds.json")
    cohort = open_cohort(experiment, progress)
    originals = {one.name: one for one in open_experiment_data(experiment).recordings}
    recordings = []
    for cached in cohort.recordings:
        original = originals[cached.name]
        readers = {index: original.mask_readers[index] for index in cached.labelled}
        recordings.append(replace(original, subject=cached.subject, mask_readers=readers))
    return tuple(recordings), folds


def import_nnunet(predictions: Sequence[Path], dataset: Path, out: Path) -> int:
    """Sort nnU-Net's predictions into folders that `sonotempo evaluate --like RUN` reads.

    Args:
        predictions: folders of ``CASE.png``, such as each fold's ``validation``.
        dataset: what ``sonotempo data export --to nnunet`` wrote.
        out: gets one folder for each recording; must be empty or new.

    Returns:
        How many masks were sorted.

    Raises:
        ConfigError: ``dataset`` has no cases file, or ``out`` is not empty.
        RecordingError: cases are missing or unknown.
    """
    cases = _read_cases(dataset / CASES_FILE)
    found = {path.stem: path for folder in predictions for path in sorted(folder.glob("*.png"))}
    for what, names in (
        ("are no cases of the data set", sorted(set(found) - set(cases))),
        ("have no prediction", sorted(set(cases) - set(found))),
    ):
        if names:
            raise RecordingError(
                f"{len(names)} {what}, such as {', '.join(names[:3])}; give the predictions of all "
                f"folds of {dataset.name} and nothing else"
            )
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty; give a new --out")
    for case, (recording, frame) in cases.items():
        target = out / f"{recording}.png" if frame is None else out / recording / f"{frame:05d}.png"
        make_folder(target.parent, "--out", ConfigError)
        with writing(out, "--out", ConfigError):
            target.write_bytes(found[case].read_bytes())
    return len(cases)


def _read_cases(path: Path) -> dict[str, tuple[str, int | None]]:
    remedy = "give the data set that `sonotempo data export --to nnunet` wrote"
    with guarded(f"{path} does not say which frames the cases are", remedy, ConfigError):
        return {
            str(case): (str(name), None if frame is None else int(frame))
            for case, (name, frame) in json.loads(path.read_text("utf-8")).items()
        }
