"""Copy a folder of recordings without identity: plan, have it confirmed, write, report."""

import hashlib
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sonotempo.deidentify.area import GivenArea
from sonotempo.deidentify.dicom import Removed, write_dicom
from sonotempo.deidentify.key import Key
from sonotempo.deidentify.plan import Item, Plan, frame_times_s, make_plan
from sonotempo.deidentify.profile import Profile
from sonotempo.deidentify.recordings import MasksCropped, write_frames, write_still, write_video
from sonotempo.deidentify.refused import LeftOut, RefusedError, left_out_for
from sonotempo.deidentify.report import Report, Row
from sonotempo.deidentify.sheet import samples, write_sheet
from sonotempo.deidentify.steps import Steps
from sonotempo.deidentify.streams import write_stream
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.folders import make_folder, writing
from sonotempo.io.dicom import open_dicom
from sonotempo.io.formats import Request
from sonotempo.io.stream_recording import StreamRecording
from sonotempo.structures import StructureSet

_SAVE_EVERY_S = 5.0
_IMAGES, _MASKS = "images", "masks"
# What files other than DICOM lose.
_METADATA = ("file name", "metadata and comments of the file")
_STREAM_METADATA = ("file name", "metadata of the file", "date and clock", "texts of events")


@dataclass(frozen=True, slots=True)
class Copying:
    """What to copy where.

    Attributes:
        source: a folder of recordings, or one of them.
        target: the new folder.
        key: the file of names; kept apart.
        sheet: the picture of samples to be confirmed; it shows what will be removed.
        area: the area that the user gives, if any.
        structures: the names of labels.
        sample: how many recordings the sheet shows.
    """

    source: Path
    target: Path
    key: Path
    sheet: Path
    area: GivenArea | None
    structures: StructureSet
    sample: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done.

    Attributes:
        written: how many recordings were written now.
        kept: how many were there from an earlier run.
        left_out: what was not copied.
        labels_cut: how many pixels with labels lay outside the kept areas.
    """

    written: int
    kept: int
    left_out: tuple[LeftOut, ...]
    labels_cut: int


def deidentify(
    request: Copying, confirm: Callable[[Plan, int], bool], progress: Steps
) -> Outcome | None:
    """Copy recordings; nothing is written to the target before ``confirm`` has answered.

    Args:
        request: what to copy where.
        confirm: gets the plan, and how many recordings the sheet shows; True to go ahead.
        progress: shows the work.

    Returns:
        What was done, or None if it was not confirmed.

    Raises:
        ConfigError: paths that would mix originals, copies and key, or a target of other origin.
        RecordingError: there is nothing to copy.
    """
    _check_paths(request)
    key = Key.load(request.key)
    report = Report.load(request.target, key.fingerprint)
    profile = Profile(key.uid)
    plan = make_plan(
        request.source, request.structures, request.area, progress, (request.key, request.sheet)
    )
    if not plan.items:
        raise RecordingError(_nothing(request.source, plan))
    shown = samples(plan, request.sample)
    make_folder(request.sheet.parent, "--key", ConfigError)
    with writing(request.sheet, "--key", ConfigError):
        write_sheet(shown, request.sheet)
    if not confirm(plan, len(shown)):
        return None
    key.name_subjects(item.subject for item in plan.items)
    progress.step("reading checksums", len(plan.items))
    names = {}
    for item in plan.items:
        names[item] = key.name_file(item.original, _checksum(item), key.subjects[item.subject])
        progress.advance()
    key.save()
    make_folder(request.target, "target folder", ConfigError)
    with writing(request.target, "target folder", ConfigError):
        return _Writer(request, key, report, profile, progress).write(plan, names)


class _Writer:
    """Writes the items of a plan."""

    def __init__(
        self,
        request: Copying,
        key: Key,
        report: Report,
        profile: Profile,
        progress: Steps,
    ) -> None:
        self._target = request.target
        self._given = request.area
        self._key = key
        self._report = report
        self._profile = profile
        self._progress = progress

    def write(self, plan: Plan, names: dict[Item, str]) -> Outcome:
        """Write all items that are not there yet."""
        left_out = list(plan.left_out)
        written = kept = 0
        saved_s = time.monotonic()
        self._progress.step("writing", len(plan.items))
        try:
            self._report.save(self._target)  # whose folder this is, should the power fail
            for item in plan.items:
                if self._is_done(item, names[item]):
                    kept += 1
                else:
                    try:
                        row = self._write(item, names[item])
                        self._report.rows[row.file] = row
                        written += 1
                    except (RefusedError, RecordingError) as error:
                        left_out.append(left_out_for(item.files[0], error))
                self._progress.advance()
                if time.monotonic() - saved_s > _SAVE_EVERY_S:
                    self._report.save(self._target)
                    saved_s = time.monotonic()
        finally:
            self._report.left_out = Counter(one.kind for one in left_out)
            self._report.save(self._target)
        cut = sum(row.label_px_outside for row in self._report.rows.values())
        return Outcome(written, kept, tuple(left_out), cut)

    def _is_done(self, item: Item, name: str) -> bool:
        file = _file(item, name)
        row = self._report.rows.get(file)
        box = item.area.box
        return (
            row is not None
            and row.kept_box == (box.top, box.left, box.bottom, box.right)
            and (self._target / file).exists()
        )

    def _write(self, item: Item, name: str) -> Row:
        file = _file(item, name)
        target = self._target / file
        target.parent.mkdir(parents=True, exist_ok=True)
        box = item.area.box
        removed, masks = Removed(_METADATA, (), 0), MasksCropped()
        match item.kind:
            case "DICOM":
                removed = self._dicom(item, item.files[0], target, None)
            case "DICOM series":
                times = frame_times_s(item.recording)
                with _whole_folder(target) as draft:
                    for number, path in enumerate(item.files):
                        one = draft / f"{number + 1:04d}.dcm"
                        removed = self._dicom(item, path, one, times[number])
            case "video":
                write_video(item.recording, target, box)
            case "recorded stream":
                assert isinstance(item.recording, StreamRecording)
                removed = Removed(_STREAM_METADATA, (), 0)
                with _whole_folder(target) as draft:
                    first = draft / f"{target.name}.mkv"
                    masks = write_stream(item.recording, first, box, self._given)
            case "frames":
                with _whole_folder(target) as draft:
                    masks = write_frames(item.recording, draft, box)
            case "still":
                mask = self._target / _MASKS / target.name
                masks = write_still(item.recording, target, mask, box)
        return Row(
            file,
            item.kind,
            len(item.recording),
            item.shape_HW,
            (box.top, box.left, box.bottom, box.right),
            item.area.found_by,
            removed.removed,
            removed.replaced,
            removed.private,
            masks.kept_px,
            masks.outside_px,
        )

    def _dicom(self, item: Item, path: Path, target: Path, time_s: float | None) -> Removed:
        recording = item.recording if item.kind == "DICOM" else open_dicom(Request(path))
        return write_dicom(
            recording,
            target,
            item.area.box,
            subject=self._key.subjects[item.subject],
            profile=self._profile,
            time_s=time_s,
        )


@contextmanager
def _whole_folder(target: Path) -> Iterator[Path]:
    """Yield a folder to write to, which takes its place once it is complete."""
    draft = target.with_name(f".{target.name}.part")
    shutil.rmtree(draft, ignore_errors=True)  # of a run that was killed
    try:
        draft.mkdir()
        yield draft
        if target.exists():
            shutil.rmtree(target)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _file(item: Item, name: str) -> str:
    match item.kind:
        case "DICOM":
            return f"{name}.dcm"
        case "video":
            return f"{name}.mkv"
        case "still":
            return f"{_IMAGES}/{name.replace('/', '-')}.png"
        case _:
            return name


def _check_paths(request: Copying) -> None:
    source, target, key = (path.resolve() for path in (request.source, request.target, request.key))
    if target == source or target in source.parents or source in target.parents:
        raise ConfigError(
            f"{request.target} and {request.source} lie within each other; give a folder outside, "
            "so that copies and originals never mix"
        )
    for path, what in ((key, "--key"), (request.sheet.resolve(), "sheet")):
        if target == path or target in path.parents:
            raise ConfigError(
                f"the {what} {path.name} would lie in {request.target}, where whoever gets the "
                "copies could undo them; give a --key outside of it"
            )


def _checksum(item: Item) -> str:
    total = hashlib.blake2b(digest_size=16)
    for path in item.files:
        try:
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "blake2b").digest())
        except OSError as error:
            raise RecordingError(
                f"{path} cannot be read ({error.strerror}); check it, and repeat the command"
            ) from error
    return total.hexdigest()


def _nothing(source: Path, plan: Plan) -> str:
    if not plan.left_out:
        return f"{source} holds no recordings; give the folder that holds them"
    return (
        f"none of the {len(plan.left_out)} files in {source} can be copied; the first: "
        f"{plan.left_out[0].reason}"
    )
