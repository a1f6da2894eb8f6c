"""A folder of many recordings as one data set, with the reasons for what was skipped."""

# Readers are imported when they are needed, as in open.py.
# ruff: noqa: PLC0415

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from sonotempo.errors import RecordingError
from sonotempo.io.candidates import candidates
from sonotempo.io.containment import Inside, real_path
from sonotempo.io.formats import Request, is_dicom
from sonotempo.io.frame_files import image_files, out_of_reach
from sonotempo.io.guard import read_safely
from sonotempo.io.open import open_file, open_frames, open_one
from sonotempo.io.skipped import Skipped
from sonotempo.recording import Recording
from sonotempo.structures import StructureSet

#: The arrangement of a data set's folders; see :func:`open_dataset`.
Layout = Literal["annotation_web", "stills", "recordings"]


@dataclass(frozen=True, slots=True)
class DataSet:
    """Recordings that belong together.

    Attributes:
        root: the folder that holds them.
        layout: the arrangement of that folder.
        recordings: those that can be used, with unique names.
        skipped: the files and folders that cannot be used, with the reasons.
        subjects_known: whether every recording's subject is known. If not, each subject is only a
            file name, and folds may put one person on two sides.
    """

    root: Path
    layout: Layout
    recordings: tuple[Recording, ...]
    skipped: tuple[Skipped, ...]
    subjects_known: bool

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects, each once, in order."""
        return tuple(sorted({recording.subject for recording in self.recordings}))

    @property
    def frame_count(self) -> int:
        """How many frames there are."""
        return sum(len(recording) for recording in self.recordings)

    @property
    def labelled_count(self) -> int:
        """How many frames have a mask."""
        return sum(len(recording.mask_readers) for recording in self.recordings)

    @property
    def consecutive_share(self) -> float | None:
        """The share of neighbouring frames with consecutive numbers; None for stills.

        A sequence model needs consecutive frames: if the share is near 0, pair the data with the
        original recordings.
        """
        steps = [np.diff(recording.frame_numbers) for recording in self.recordings]
        count = sum(len(step) for step in steps)
        return sum(int(np.sum(step == 1)) for step in steps) / count if count else None


def open_dataset(
    root: Path | str,
    structures: StructureSet,
    *,
    layout: Literal["auto", "annotation_web", "stills", "recordings"] = "auto",
    frames_root: Path | str | None = None,
    follow_links: bool = False,
) -> DataSet:
    """Open every recording of a folder; whatever cannot be used is skipped with the reason.

    Layouts:
        ``annotation_web``: an Annotation Web export, from any of its folder levels. The subject
        is the folder above a sequence.
        ``stills``: ``images/`` and ``masks/``, or ``<root>`` next to ``<root>_masks`` or
        ``masks``. Each image is a recording of one frame; subjects are unknown.
        ``recordings``: ``<subject>/<anything that open_recording opens>``. A file directly in the
        root takes its own name (or DICOM's PatientID) as the subject.

    Args:
        root: the folder.
        structures: what mask values mean, in label order.
        layout: one of the above; ``auto`` detects it.
        frames_root: the original recordings of an Annotation Web export, as
            ``<subject>/<sequence>`` folders or files. The result then has all their frames, with
            masks for the annotated ones.
        follow_links: whether links, and the files that headers name, may lead outside the root.
            Each file and folder counts once, whatever links lead to it.

    Raises:
        RecordingError: the folder does not exist, or nothing in it can be used.
    """
    root = Path(root)
    if not root.is_dir():
        raise RecordingError(f"{root} is not a folder; set data.root to the folder of recordings")
    inside = Inside(root, follow_links)
    found: Layout = _detected(root, inside) if layout == "auto" else layout
    if frames_root is not None and found != "annotation_web":
        raise RecordingError(
            f"{root} has the layout {found!r}, which already holds its frames; leave "
            "data.frames_root empty or set data.layout to annotation_web"
        )
    skipped = out_of_reach(root, inside)
    match found:
        case "annotation_web":
            recordings = _exported(inside, structures, _folder(frames_root), skipped)
            known = True
        case "stills":
            recordings = _stills(inside, structures, skipped)
            known = False
        case "recordings":
            recordings, known = _recordings(inside, structures, skipped)
    if not recordings:
        raise RecordingError(_nothing(root, found, skipped))
    return DataSet(root, found, tuple(recordings), tuple(skipped), known)


def _folder(frames_root: Path | str | None) -> Path | None:
    if frames_root is None:
        return None
    if not Path(frames_root).is_dir():
        raise RecordingError(
            f"{frames_root} is not a folder; set data.frames_root to the folder of the original "
            "recordings of the export"
        )
    return Path(frames_root)


def _detected(root: Path, inside: Inside) -> Layout:
    from sonotempo.io.annotation_web import sequence_folders

    if still_folders(root, inside) is not None:
        return "stills"
    if next(sequence_folders(root, inside), None) is not None:
        return "annotation_web"
    return "recordings"


def _exported(
    inside: Inside, structures: StructureSet, frames_root: Path | None, skipped: list[Skipped]
) -> list[Recording]:
    from sonotempo.io.annotation_web import (
        open_annotated,
        paired,
        recorded_sequence,
        sequence_folders,
    )

    def opened(folder: Path) -> Recording:
        below = folder.relative_to(inside.root)
        name = below.as_posix() if len(below.parts) > 1 else None
        request = Request(folder, structures, name=name, inside=inside)
        recording, left_out = open_annotated(request)
        skipped.extend(left_out)
        if not recording.labelled:
            raise RecordingError(f"{folder} holds no usable mask; export it again")
        if frames_root is None:
            return recording
        source = recorded_sequence(frames_root, folder)
        whole = Inside(frames_root, inside.follow_links)
        if not whole.holds(source):
            raise RecordingError(whole.left_out(source))
        return paired(recording, open_one(Request(source, structures, inside=whole)))

    recordings = []
    for folder in sequence_folders(inside.root, inside):
        try:
            recordings.append(read_safely(folder, partial(opened, folder)))
        except RecordingError as error:
            skipped.append(Skipped(folder, str(error)))
    return recordings


def still_folders(root: Path, inside: Inside | None = None) -> tuple[Path, Path] | None:
    """Return the folders of images and of masks, or None if this is not a folder of stills.

    Args:
        root: holds ``images`` and ``masks``, or the images themselves with the folder
            ``<root>_masks`` or ``masks`` next to it.
        inside: leaves out links that lead elsewhere; by default outside the root.
    """
    bounds = inside or Inside(root)
    resolved = root.resolve()
    pairs = (
        (root / "images", root / "masks"),
        (root, resolved.with_name(f"{resolved.name}_masks")),
        (root, resolved.with_name("masks")),
    )
    for images, masks in pairs:
        are_there = images.is_dir() and masks.is_dir() and masks != resolved
        leads_out = not (bounds.holds_entry(images) and bounds.holds_entry(masks))
        if are_there and not (leads_out and images != root) and image_files(images, bounds):
            return images, masks
    return None


def _stills(inside: Inside, structures: StructureSet, skipped: list[Skipped]) -> list[Recording]:
    from sonotempo.io.images import open_still

    root = inside.root
    folders = still_folders(root, inside)
    if folders is None:
        raise RecordingError(
            f"{root} has no folders of images and masks; expected {root / 'images'} and "
            f"{root / 'masks'}, or a folder {root.name}_masks next to it"
        )
    images, masks = folders
    by_stem = {path.stem: path for path in image_files(masks, Inside(masks, inside.follow_links))}
    recordings = []
    seen: set[Path] = set()
    for image in sorted(image_files(images, inside), key=Path.is_symlink):  # stable: links last
        if real_path(image) in seen:
            continue
        seen.add(real_path(image))
        mask = by_stem.pop(image.stem, None)
        request = Request(image, structures, inside=inside)
        try:
            recordings.append(read_safely(image, partial(open_still, request, mask)))
        except RecordingError as error:
            skipped.append(Skipped(image, str(error)))
    for mask in by_stem.values():
        skipped.append(Skipped(mask, f"the mask {mask} has no image of the same name in {images}"))
    return recordings


def _recordings(
    bounds: Inside, structures: StructureSet, skipped: list[Skipped]
) -> tuple[list[Recording], bool]:
    """Return the recordings, and whether the subjects of all of them are known."""
    root = bounds.root
    paths = candidates(bounds)
    plain = Counter(_name(path, root) for path in paths)
    recordings: list[Recording] = []
    known = True
    for path in paths:
        inside = path.relative_to(root)
        below = path != root and (len(inside.parts) > 1 or path.is_dir())
        name = _name(path, root)
        try:
            request = Request(
                path,
                structures,
                subject=inside.parts[0] if below else None,
                name=name if plain[name] == 1 else inside.as_posix(),
                inside=bounds,
            )
            # A folder stands for the frames in it; what else it holds is another candidate.
            recording = open_frames(request) if path.is_dir() else open_file(request)
        except RecordingError as error:
            skipped.append(Skipped(path, str(error)))
            continue
        if not below and not (is_dicom(path) and recording.subject != root.resolve().name):
            # A DICOM file without PatientID has the name of the root as its subject.
            known = False
            recording = replace(recording, subject=path.stem)
        recordings.append(recording)
    return recordings, known


def _name(path: Path, root: Path) -> str:
    if path == root:
        return root.resolve().name
    inside = path.relative_to(root)
    return (inside if path.is_dir() else inside.with_suffix("")).as_posix()


def _nothing(root: Path, layout: Layout, skipped: list[Skipped]) -> str:
    if not skipped:
        return (
            f"{root} holds no recordings; copy them there as <subject>/<recording>, or set "
            "data.root to the folder that holds them"
        )
    return (
        f"none of the {len(skipped)} files and folders in {root} can be used (read as {layout!r}); "
        f"the first: {skipped[0].reason}"
    )
