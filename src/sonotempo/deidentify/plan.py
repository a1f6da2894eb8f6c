"""What a folder holds that can be copied without identity, and what has to be left out."""

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from sonotempo.deidentify.area import Area, FoundBy, GivenArea, find_area
from sonotempo.deidentify.dicom_check import patient_id
from sonotempo.deidentify.discovery import (
    Found,
    ItemKind,
    dicom_recordings,
    other_recordings,
    patients_of_folders,
)
from sonotempo.deidentify.refused import DAMAGED, LeftOut, RefusedError, left_out_for
from sonotempo.deidentify.steps import Steps
from sonotempo.errors import RecordingError
from sonotempo.io.formats import is_dicom
from sonotempo.recording import Box, Recording
from sonotempo.structures import StructureSet


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
    of_folder = patients_of_folders(base, patients)
    found = [*dicom_recordings(base, patients, of_folder, plan.left_out)]
    for one in other_recordings(root, others, structures, plan.left_out):
        # A folder's only patient is whom its videos show too.
        known = of_folder.get(one.subject, set())
        found.append(replace(one, subject=next(iter(known))) if len(known) == 1 else one)
    progress.step("looking for the ultrasound in the pictures", len(found))
    for one in found:
        try:
            plan.items.append(_item(base, one, given))
        except (RefusedError, RecordingError, *DAMAGED) as error:
            plan.left_out.append(left_out_for(one.files[0], error))
        progress.advance()
    return plan


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


def _item(base: Path, one: Found, given: GivenArea | None) -> Item:
    source = one.files[0] if one.kind.startswith("DICOM") else one.recording.source
    original = source.relative_to(base).as_posix()
    area, shape_HW = find_area(one.recording.images, one.stored, given, str(source))
    return Item(one.kind, original, one.files, one.subject, one.recording, area, shape_HW)


def frame_times_s(recording: Recording) -> list[float | None]:
    """Return the frames' times from the first one, or None where the files hold none."""
    if recording.rate_is_assumed:
        return [None] * len(recording)
    times: list[float | None] = list(
        np.asarray(recording.timestamps_ns - recording.timestamps_ns[0], float) / 1e9
    )
    return times
