"""A data set, and the folds of a run, for nnU-Net.

Source: nnU-Net v2, documentation/dataset_format.md and manual_data_splits.md (Isensee et al. 2021,
doi 10.1038/s41592-020-01008-z). A labelled frame is one case: nnU-Net sees no motion.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from PIL import Image as Pillow

from sonotempo.data.folds import Fold
from sonotempo.errors import ConfigError
from sonotempo.exchange.outgoing import ExchangedFrame, Outgoing
from sonotempo.exchange.targets import Export

#: What says which recording and frame each case is.
CASES_FILE = "sonotempo.json"
_CHANNEL = "_0000"
_TITLE = re.compile(r"Dataset\d{3}_\w+")
_SHOWN = 3


def check_name(name: str) -> None:
    """Refuse a name that nnU-Net does not find.

    >>> check_name("Dataset501_nerves")

    Raises:
        ConfigError: another form.
    """
    if not _TITLE.fullmatch(name):
        raise ConfigError(
            f"nnU-Net does not find a data set called {name!r}; give a DST such as "
            "$nnUNet_raw/Dataset501_nerves: three digits and a name"
        )


def write_nnunet(what: Export) -> None:
    """Write ``imagesTr``, ``labelsTr``, ``dataset.json`` and, with folds, ``splits_final.json``.

    A fold's ``val`` are our test subjects; its ``train`` are our training subjects. Validation
    subjects are in neither: a run only watches them, so that both tools train on the same.

    Raises:
        ConfigError: the folds are those of other subjects.
    """
    _check_subjects(what.folds, {entry.recording.subject for entry in what.entries})
    for part in ("imagesTr", "labelsTr"):
        (what.folder / part).mkdir()
    cases: dict[str, tuple[str, int | None]] = {}
    of_subject: dict[str, list[str]] = {}
    for entry in what.entries:
        for case, frame in _cases(entry, cases):
            image = what.folder / "imagesTr" / f"{case}{_CHANNEL}.png"
            Pillow.fromarray(frame.image_HW).save(image)
            assert frame.mask_HW is not None  # only labelled frames go out
            Pillow.fromarray(frame.mask_HW).save(what.folder / "labelsTr" / f"{case}.png")
            of_subject.setdefault(entry.recording.subject, []).append(case)
            what.on_frame()
    files: dict[str, object] = {CASES_FILE: cases}
    if what.folds:
        files["splits_final.json"] = _splits(what.folds, of_subject)
    labels = {name: label for label, name in enumerate(what.structures.names, start=1)}
    files["dataset.json"] = {
        "channel_names": {"0": "B-mode"},
        "labels": {"background": 0, **labels},
        "numTraining": len(cases),
        "file_ending": ".png",
    }
    for name, content in files.items():
        (what.folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _splits(
    folds: Sequence[Fold], of_subject: Mapping[str, Sequence[str]]
) -> list[dict[str, list[str]]]:
    return [
        {
            "train": [case for one in fold.train for case in of_subject[one]],
            "val": [case for one in fold.test for case in of_subject[one]],
        }
        for fold in folds
    ]


def _check_subjects(folds: Sequence[Fold], subjects: set[str]) -> None:
    for fold in folds:
        known = {*fold.train, *fold.validation, *fold.test}
        for what, names in (
            (f"subjects of the data are not in fold {fold.number}", subjects - known),
            (
                f"subjects of fold {fold.number} have no labelled frame in the data",
                known - subjects,
            ),
        ):
            if names:
                raise ConfigError(
                    f"{len(names)} {what}, {', '.join(sorted(names)[:_SHOWN])} among them; give "
                    "the folds of this data, or --run RUN for those of a run"
                )


def _cases(
    entry: Outgoing, cases: dict[str, tuple[str, int | None]]
) -> Iterator[tuple[str, ExchangedFrame]]:
    """Name the frames of a recording; yield each name and frame, and note what it is."""
    recording = entry.recording
    stem = re.sub(r"[^A-Za-z0-9]+", "-", recording.name).strip("-") or "recording"
    for frame in entry.frames():
        case = f"{stem}_{frame.number:05d}"
        if case in cases:  # two names that differ in their punctuation alone
            case = f"{stem}-{len(cases)}_{frame.number:05d}"
        cases[case] = (recording.name, None if len(recording) == 1 else frame.number)
        yield case, frame
