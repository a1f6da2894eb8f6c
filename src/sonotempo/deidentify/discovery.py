"""The recordings of a data set with their subjects, before anybody looks at their pictures."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sonotempo.deidentify.dicom_check import check_dicom, stored_area
from sonotempo.deidentify.refused import DAMAGED, Kind, LeftOut, RefusedError, left_out_for
from sonotempo.errors import RecordingError
from sonotempo.io import open_dataset, open_recording
from sonotempo.io.dicom_series import open_dicom_series, series_in
from sonotempo.io.formats import Request, format_of, is_dicom
from sonotempo.io.stream_files import is_later_part
from sonotempo.io.stream_recording import StreamRecording
from sonotempo.label_origin import ORIGINS_FILE
from sonotempo.recording import Box, Recording
from sonotempo.structures import StructureSet

#: How a recording is written.
ItemKind = Literal["DICOM", "DICOM series", "video", "recorded stream", "frames", "still"]

_LAYOUTS: tuple[Literal["auto", "recordings"], ...] = ("auto", "recordings")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A recording before anybody knows where its ultrasound is."""

    kind: ItemKind
    recording: Recording
    subject: str
    files: tuple[Path, ...]
    stored: Box | None


def dicom_recordings(
    base: Path,
    patients: dict[Path, str | None],
    of_folder: dict[str, set[str]],
    left_out: list[LeftOut],
) -> Iterator[Found]:
    """Yield the DICOM files and series that can be copied; the others are left out.

    Args:
        base: the data set.
        patients: PatientID of each DICOM file.
        of_folder: as :func:`patients_of_folders` returns it.
        left_out: takes what cannot be copied.
    """
    sound = []
    for path in patients:
        try:
            check_dicom(path)
            sound.append(path)
        except (RefusedError, *DAMAGED) as error:
            left_out.append(left_out_for(path, error))
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for path in sound:
        by_folder[path.parent].append(path)
    for folder, paths in by_folder.items():
        series = series_in(paths) if len(paths) > 1 else []
        in_series = {path for one in series for path in one}
        groups = [*series, *((path,) for path in paths if path not in in_series)]
        for group in groups:
            try:
                kind: ItemKind = "DICOM" if len(group) == 1 else "DICOM series"
                recording = (
                    open_recording(group[0])
                    if kind == "DICOM"
                    else open_dicom_series(group, Request(folder))
                )
                area = stored_area(group[0])
                subject = _subject(base, group[0], patients[group[0]], of_folder)
            except (RecordingError, RefusedError, *DAMAGED) as error:
                left_out.extend(left_out_for(path, error) for path in group)
                continue
            yield Found(kind, recording, subject, tuple(group), area)


def patients_of_folders(base: Path, patients: dict[Path, str | None]) -> dict[str, set[str]]:
    """Return whom the DICOM files of each folder directly in the data set show."""
    of_folder: dict[str, set[str]] = defaultdict(set)
    for path, patient in patients.items():
        top = _top(base, path)
        if patient is not None and top is not None:
            of_folder[top].add(patient)
    return of_folder


def _subject(base: Path, path: Path, patient: str | None, of_folder: dict[str, set[str]]) -> str:
    """Return whom a file shows: PatientID, else its folder's only one, the folder, or the file."""
    top = _top(base, path)
    known = of_folder.get(top, set()) if top else set()
    return patient or (next(iter(known)) if len(known) == 1 else top or path.stem)


def _top(base: Path, path: Path) -> str | None:
    inside = path.relative_to(base)
    return inside.parts[0] if len(inside.parts) > 1 else None


def other_recordings(
    root: Path, files: list[Path], structures: StructureSet, left_out: list[LeftOut]
) -> list[Found]:
    """Return the recordings that are not DICOM; files that belong to none are left out.

    What the layout of the data set does not cover is opened as single recordings.

    Args:
        root: the data set.
        files: all files in it that are not DICOM.
        structures: the names of labels.
        left_out: takes what cannot be copied.
    """
    found: list[Found] = []
    rest = dict.fromkeys(files)
    problem = ""
    for layout in _LAYOUTS:
        if not any(format_of(path) is not None for path in rest):
            break
        try:
            recordings, skipped, is_stills = _opened(root, structures, layout)
        except RecordingError as error:
            problem = str(error)
            continue
        for path, reason in skipped:
            if is_dicom(path) or not (path.is_dir() or path in rest):
                continue
            is_unknown = path.is_file() and format_of(path) is None
            what: Kind = "unknown kind of file" if is_unknown else "cannot be read"
            left_out.append(LeftOut(path, what, reason))
            rest = {file: None for file in rest if path not in (file, *file.parents)}
        for recording in recordings:
            if not set(recording.files) <= set(rest):
                continue
            rest = {file: None for file in rest if file not in set(recording.files)}
            kind = _kind(recording, is_stills)
            found.append(
                Found(kind, recording, recording.subject, recording.files, _stored(recording))
            )
    for path in rest:
        if path.name == ORIGINS_FILE or is_later_part(path):
            continue
        if format_of(path) is not None and problem:
            left_out.append(LeftOut(path, "cannot be read", problem))
            continue
        reason = f"{path} is no recording, and belongs to none"
        left_out.append(LeftOut(path, "unknown kind of file", reason))
    return found


def _opened(
    root: Path, structures: StructureSet, layout: Literal["auto", "recordings"]
) -> tuple[list[Recording], list[tuple[Path, str]], bool]:
    if root.is_file():
        return [open_recording(root, structures)], [], False
    dataset = open_dataset(root, structures, layout=layout)
    skipped = [(one.path, one.reason) for one in dataset.skipped]
    return list(dataset.recordings), skipped, dataset.layout == "stills"


def _stored(recording: Recording) -> Box | None:
    if isinstance(recording, StreamRecording):
        return next((area for area in recording.areas if area is not None), None)
    return recording.area


def _kind(recording: Recording, is_stills: bool) -> ItemKind:
    if isinstance(recording, StreamRecording):
        return "recorded stream"
    if is_stills:
        return "still"
    known = format_of(recording.source) if recording.source.is_file() else None
    return "video" if known is not None and known.name == "video" else "frames"
