"""A run's data and folds for nnU-Net, and nnU-Net's predictions back as an arm.

Source: nnU-Net v2, documentation/dataset_format.md and manual_data_splits.md (Isensee et al. 2021,
doi 10.1038/s41592-020-01008-z). A labelled frame is one case: nnU-Net sees no motion.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as Pillow

from sonotempo.config_file import load_run
from sonotempo.data.cache import CachedRecording
from sonotempo.data.folds import load_folds
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.folders import make_folder, writing
from sonotempo.guard import guarded
from sonotempo.recording import Image
from sonotempo.training.cohort import open_cohort, open_experiment_data
from sonotempo.training.progress import RunProgress

#: What says which recording and frame each case is.
CASES_FILE = "sonotempo.json"
_CHANNEL = "_0000"


@dataclass(frozen=True, slots=True)
class NnUNetData:
    """What was written.

    Attributes:
        folder: nnU-Net's data set, ``DatasetNNN_name``.
        cases: how many labelled frames.
        folds: how many folds ``splits_final.json`` holds.
    """

    folder: Path
    cases: int
    folds: int


def export_nnunet(run: Path, out: Path, number: int, progress: RunProgress) -> NnUNetData:
    """Write the labelled frames of a run as a data set of nnU-Net, with the run's folds.

    A fold's ``val`` are our test subjects; its ``train`` are our training subjects. Validation
    subjects are in neither: this run only watches them, so that both tools train on the same.

    Args:
        run: a run folder of ``sonotempo crossval``.
        out: nnU-Net's ``nnUNet_raw`` folder; gets ``DatasetNNN_name``.
        number: NNN, 1 to 999.
        progress: advanced after every recording.

    Raises:
        ConfigError: not a run folder, or the data set is there already.
        RecordingError: the run's recordings cannot be read.
    """
    experiment = load_run(run)
    folds = load_folds(run / "folds.json")
    title = re.sub("[^A-Za-z0-9]+", "_", experiment.name)
    folder = out / f"Dataset{number:03d}_{title}"
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} exists already; give another --number or --out")
    cohort = open_cohort(experiment, progress)
    originals = {one.name: one for one in open_experiment_data(experiment).recordings}
    for part in ("imagesTr", "labelsTr"):
        make_folder(folder / part, "--out", ConfigError)
    cases: dict[str, tuple[str, int | None]] = {}
    of_subject: dict[str, list[str]] = {}
    progress.step("writing frames and masks", len(cohort.recordings))
    with writing(folder, "--out", ConfigError):
        for cached in cohort.recordings:
            original = originals[cached.name]
            for case, index in _cases(cached, cases):
                mask_HW = original.mask(index)
                assert mask_HW is not None  # only labelled frames are cases
                _write_png(folder / "imagesTr" / f"{case}{_CHANNEL}.png", original.images[index])
                _write_png(folder / "labelsTr" / f"{case}.png", mask_HW)
                of_subject.setdefault(cached.subject, []).append(case)
            progress.advance()
        labels = {name: label for label, name in enumerate(experiment.structures.names, start=1)}
        facts = {
            "channel_names": {"0": "B-mode"},
            "labels": {"background": 0, **labels},
            "numTraining": len(cases),
            "file_ending": ".png",
        }
        splits = [
            {
                "train": [case for one in fold.train for case in of_subject.get(one, ())],
                "val": [case for one in fold.test for case in of_subject.get(one, ())],
            }
            for fold in folds
        ]
        for name, content in (
            (CASES_FILE, cases),
            ("splits_final.json", splits),
            ("dataset.json", facts),  # last: nnU-Net takes a folder with it for a data set
        ):
            (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return NnUNetData(folder, len(cases), len(folds))


def import_nnunet(predictions: Sequence[Path], dataset: Path, out: Path) -> int:
    """Sort nnU-Net's predictions into folders that `sonotempo evaluate --like RUN` reads.

    Args:
        predictions: folders of ``CASE.png``, such as each fold's ``validation``.
        dataset: what :func:`export_nnunet` wrote.
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


def _cases(
    cached: CachedRecording, cases: dict[str, tuple[str, int | None]]
) -> Iterator[tuple[str, int]]:
    """Name the labelled frames of a recording; yield each name and index, and note what it is."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", cached.name).strip("-") or "recording"
    for index in cached.labelled:
        number = int(cached.frame_numbers[index])
        case = f"{stem}_{number:05d}"
        if case in cases:  # two names that differ in their punctuation alone
            case = f"{stem}-{len(cases)}_{number:05d}"
        cases[case] = (cached.name, None if cached.is_still else number)
        yield case, index


def _write_png(path: Path, pixels_HW: Image) -> None:
    Pillow.fromarray(pixels_HW).save(path)


def _read_cases(path: Path) -> dict[str, tuple[str, int | None]]:
    remedy = "give the data set that `sonotempo data export-nnunet` wrote"
    with guarded(f"{path} does not say which frames the cases are", remedy, ConfigError):
        return {
            str(case): (str(name), None if frame is None else int(frame))
            for case, (name, frame) in json.loads(path.read_text("utf-8")).items()
        }
