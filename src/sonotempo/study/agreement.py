"""The labels of several people of the same frames, opened and compared."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal

from sonotempo.config import EvaluateConfig
from sonotempo.errors import ConfigError
from sonotempo.evaluation.comparison.agreement import Agreement, agreement, pair_notes
from sonotempo.evaluation.comparison.rounding import counted
from sonotempo.evaluation.scoring.readers import Reader, score_pair
from sonotempo.folders import make_folder, whole_file, writing
from sonotempo.io import DataSet, open_dataset
from sonotempo.structures import StructureSet
from sonotempo.training.progress import RunProgress


def compare_readers(
    folders: Sequence[Path],
    structures: StructureSet,
    progress: RunProgress,
    *,
    layout: Literal["auto", "annotation_web", "stills", "recordings"] = "auto",
    rules: EvaluateConfig | None = None,
    seed: int = 0,
    out: Path | None = None,
) -> Agreement:
    """Compare every two of several readers on the frames that both have labelled.

    Frames are matched by subject, recording and frame number. Masks that nobody has made or
    accepted are no reader's.

    Args:
        folders: one for each reader, a data set as training reads it.
        structures: what mask values mean, in label order, in all of them.
        progress: advanced after every frame.
        layout: of the folders.
        rules: the tolerance of NSD, the number of draws and the region rules.
        seed: of the bootstrap.
        out: a CSV file to write.

    Raises:
        ConfigError: fewer than two readers, or one of them twice.
        RecordingError: a folder cannot be used, or two readers have no frame in common.
        SonotempoError: the file cannot be written.
    """
    rules = rules or EvaluateConfig()
    if len(folders) < 2:
        raise ConfigError(
            f"the agreement of {counted(len(folders), 'reader')} cannot be measured; give the "
            "folders of two or more who have labelled the same frames"
        )
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise ConfigError("a reader is given twice; name each folder once")
    if out is not None:
        if out.suffix != ".csv":
            raise ConfigError(f"--out {out} does not end in .csv; give for example {out.stem}.csv")
        make_folder(out.parent, "--out")
    notes: list[str] = []
    readers = []
    progress.step("opening the readers' folders", len(folders))
    for name, folder in zip(_names(folders), folders, strict=True):
        dataset = open_dataset(folder, structures, layout=layout)
        reader = Reader.of(name, dataset.recordings)
        readers.append(reader)
        notes += _notes(reader, dataset)
        progress.advance()
    every_two = list(combinations(readers, 2))
    common = sum(len(one.masks.keys() & other.masks.keys()) for one, other in every_two)
    progress.step("comparing masks", common)
    pairs = [
        score_pair(one, other, structures, rules, progress.advance) for one, other in every_two
    ]
    found = agreement(
        pairs,
        structures.names,
        tolerance_mm=rules.nsd_tolerance_mm,
        draws=rules.bootstrap_draws,
        seed=seed,
        notes=[*pair_notes(pairs), *notes],
    )
    if out is not None:
        with writing(out, "--out"), whole_file(out) as draft:
            draft.write_text(found.csv(), encoding="utf-8")
    return found


def _names(folders: Sequence[Path]) -> list[str]:
    """Name each reader by as much of the end of its path as tells them apart."""
    parts = [folder.resolve().parts for folder in folders]
    for length in range(1, max(map(len, parts))):
        names = ["/".join(one[-length:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return [str(folder) for folder in folders]


def _notes(reader: Reader, dataset: DataSet) -> list[str]:
    notes = []
    if not dataset.subjects_known:
        notes.append(f"{reader.name}: the subjects are unknown, so every file counts as one")
    if reader.accepted:
        notes.append(
            f"{reader.name}: {counted(reader.accepted, 'mask')} of {len(reader.masks)} accepted, "
            "not drawn; readers who accept the same model's masks agree more than they would"
        )
    left_out = dataset.labelled_count - len(reader.masks)
    if left_out:
        notes.append(f"{reader.name}: {counted(left_out, 'mask')} left out, accepted by nobody")
    if dataset.skipped:
        notes.append(
            f"{reader.name}: {len(dataset.skipped)} skipped; the first: {dataset.skipped[0].reason}"
        )
    return notes
