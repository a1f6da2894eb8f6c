"""What a folder holds that can be copied without identity, and what has to be left out."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from sonotempo.deidentify.area import Area, FoundBy, GivenArea, find_area
from sonotempo.deidentify.dicom import check_dicom, patient_id, stored_area
from sonotempo.deidentify.refused import Kind as RefusedKind
from sonotempo.deidentify.refused import RefusedError
from sonotempo.deidentify.steps import Steps
from sonotempo.errors import RecordingError
from sonotempo.io import open_dataset, open_recording
from sonotempo.io.dataset import DataSet, still_folders
from sonotempo.io.dicom_series import open_dicom_series, series_in
from sonotempo.io.formats import Request, format_of, is_dicom
from sonotempo.io.stream_files import is_later_part
from sonotempo.io.stream_recording import StreamRecording
from sonotempo.label_origin import ORIGINS_FILE
from sonotempo.recording import Box, Recording
from sonotempo.structures import StructureSet

#: How an item is written.
ItemKind = Literal["DICOM", "DICOM series", "video", "recorded stream", "frames", "still"]


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A recording that is copied.

    Attributes:
        kind: how it is written.
        original: its path in the source folder.
        files: all that it consists of.
        subject: the original name of its subject.
        recording: opened.
        area: what is kept of its frames.
        shape_HW: rows and columns of its first frame.
    """

    kind: ItemKind
    original: str
    files: tuple[Path, ...]
    subject: str
    recording: Recording
    area: Area
    shape_HW: tuple[int, int]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not copied."""

    path: Path
    kind: RefusedKind
    reason: str


@dataclass(slots=True)
class Plan:
    """What is copied and what is left out."""

    items: list[Item] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def by_area(self) -> dict[tuple[tuple[int, int], Box, FoundBy], list[Item]]:
        """Return the items of each size, area and finder, the most frequent first."""
        groups: dict[tuple[tuple[int, int], Box, FoundBy], list[Item]] = defaultdict(list)
        for item in self.items:
            groups[item.shape_HW, item.area.box, item.area.found_by].append(item)
        return dict(sorted(groups.items(), key=lambda pair: -len(pair[1])))


def make_plan(
    root: Path,
    structures: StructureSet,
    given: GivenArea | None,
    progress: Steps,
    without: Iterable[Path] = (),
) -> Plan:
    """Look at everything in a folder, or at one file; links and hidden files are not followed.

    Args:
        root: the folder or file.
        structures: the names of labels, for labels that are stored by name.
        given: the area that the user names.
        progress: advanced after every recording.
        without: files to ignore.

    Raises:
        RecordingError: there is nothing at that path.
    """
    if not root.exists():
        raise RecordingError(f"{root} does not exist; give a folder of recordings, or one of them")
    plan = Plan()
    ignored = {path.resolve() for path in without}
    files = [path for path in _files(root, plan) if path.resolve() not in ignored]
    base = root if root.is_dir() else root.parent
    dicom = [path for path in files if is_dicom(path)]
    others = [path for path in files if path not in set(dicom)]
    patients = {path: patient_id(path) for path in dicom}
    of_folder = _patients_of_folders(base, patients)
    found = [*_dicom_recordings(base, patients, of_folder, plan)]
    for one in _other_recordings(root, others, structures, plan):
        # A folder's only patient is whom its videos show too.
        known = of_folder.get(one.subject, set())
        found.append(replace(one, subject=next(iter(known))) if len(known) == 1 else one)
    progress.step("looking for the ultrasound in the pictures", len(found))
    for one in found:
        try:
            plan.items.append(_item(base, one, given))
        except (RefusedError, RecordingError) as error:
            plan.left_out.append(left_out_for(one.files[0], error))
        progress.advance()
    return plan


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A recording before anybody knows where its ultrasound is."""

    kind: ItemKind
    recording: Recording
    subject: str
    files: tuple[Path, ...]
    stored: Box | None


def _files(root: Path, plan: Plan) -> list[Path]:
    if root.is_file():
        return [root]
    files: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted((*names, *folders)):
            path = Path(folder, name)
            if path.is_symlink():
                reason = f"{path} is a link, which is not followed; copy what it leads to"
                plan.left_out.append(LeftOut(path, "link", reason))
            elif name in names and not name.startswith("."):
                files.append(path)
    return files


def _dicom_recordings(
    base: Path,
    patients: dict[Path, str | None],
    of_folder: dict[str, set[str]],
    plan: Plan,
) -> Iterator[_Found]:
    sound = []
    for path in patients:
        try:
            check_dicom(path)
            sound.append(path)
        except RefusedError as error:
            plan.left_out.append(left_out_for(path, error))
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
            except (RecordingError, RefusedError) as error:
                plan.left_out.extend(left_out_for(path, error) for path in group)
                continue
            yield _Found(kind, recording, subject, tuple(group), area)


def _patients_of_folders(base: Path, patients: dict[Path, str | None]) -> dict[str, set[str]]:
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


def _other_recordings(
    root: Path, files: list[Path], structures: StructureSet, plan: Plan
) -> list[_Found]:
    """Return the recordings that are not DICOM; files that belong to none are left out."""
    found: list[_Found] = []
    accounted: set[Path] = set()
    if any(format_of(path) is not None for path in files):
        try:
            recordings, skipped, is_stills = _opened(root, structures)
        except RecordingError as error:
            plan.left_out.extend(
                left_out_for(path, error) for path in files if format_of(path) is not None
            )
            accounted = {path for path in files if format_of(path) is not None}
            recordings, skipped, is_stills = [], [], False
        for path, reason in skipped:
            if not is_dicom(path):
                is_unknown = path.is_file() and format_of(path) is None
                what: RefusedKind = "unknown kind of file" if is_unknown else "cannot be read"
                plan.left_out.append(LeftOut(path, what, reason))
                accounted |= {file for file in files if path in (file, *file.parents)}
        for recording in recordings:
            if is_dicom(recording.files[0]):
                continue
            accounted.update(recording.files)
            kind = _kind(recording, is_stills)
            stored = None if isinstance(recording, StreamRecording) else recording.area
            if isinstance(recording, StreamRecording):
                stored = next((area for area in recording.areas if area is not None), None)
            found.append(_Found(kind, recording, recording.subject, recording.files, stored))
    for path in files:
        if path in accounted or path.name == ORIGINS_FILE or is_later_part(path):
            continue
        reason = f"{path} is no recording, or does not belong to the layout of the others"
        plan.left_out.append(LeftOut(path, "unknown kind of file", reason))
    return found


def _opened(
    root: Path, structures: StructureSet
) -> tuple[list[Recording], list[tuple[Path, str]], bool]:
    if root.is_file():
        return [open_recording(root, structures)], [], False
    dataset: DataSet = open_dataset(root, structures)
    skipped = [(one.path, one.reason) for one in dataset.skipped]
    return list(dataset.recordings), skipped, still_folders(root) is not None


def _kind(recording: Recording, is_stills: bool) -> ItemKind:
    if isinstance(recording, StreamRecording):
        return "recorded stream"
    if is_stills:
        return "still"
    known = format_of(recording.source) if recording.source.is_file() else None
    return "video" if known is not None and known.name == "video" else "frames"


def _item(base: Path, one: _Found, given: GivenArea | None) -> Item:
    source = one.files[0] if one.kind.startswith("DICOM") else one.recording.source
    original = source.relative_to(base).as_posix()
    area, shape_HW = find_area(one.recording.images, one.stored, given, str(source))
    return Item(one.kind, original, one.files, one.subject, one.recording, area, shape_HW)


def left_out_for(path: Path, error: RefusedError | RecordingError) -> LeftOut:
    """Return the record of a file that raised an error."""
    kind: RefusedKind = error.kind if isinstance(error, RefusedError) else "cannot be read"
    return LeftOut(path, kind, str(error))


def frame_times_s(recording: Recording) -> list[float | None]:
    """Return the frames' times from the first one, or None where the files hold none."""
    if recording.rate_is_assumed:
        return [None] * len(recording)
    times: list[float | None] = list(
        np.asarray(recording.timestamps_ns - recording.timestamps_ns[0], float) / 1e9
    )
    return times
