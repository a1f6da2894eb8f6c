"""Write the items of a plan into the new folder, each whole or not at all."""

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sonotempo.deidentify.area import GivenArea
from sonotempo.deidentify.dicom import Removed, write_dicom
from sonotempo.deidentify.key import Key
from sonotempo.deidentify.plan import Item, Plan, frame_times_s
from sonotempo.deidentify.profile import Profile
from sonotempo.deidentify.recordings import MasksCropped, write_frames, write_still, write_video
from sonotempo.deidentify.refused import DAMAGED, LeftOut, RefusedError, left_out_for
from sonotempo.deidentify.report import Report, Row
from sonotempo.deidentify.steps import Steps
from sonotempo.deidentify.streams import write_stream
from sonotempo.errors import RecordingError
from sonotempo.io.dicom import open_dicom
from sonotempo.io.formats import Request
from sonotempo.io.stream_recording import StreamRecording

_SAVE_EVERY_S = 5.0
_IMAGES, _MASKS = "images", "masks"
# What files other than DICOM lose.
_METADATA = ("file name", "metadata and comments of the file")
_STREAM_METADATA = ("file name", "metadata of the file", "date and clock", "texts of events")


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


class Writer:
    """Writes the items of a plan.

    Args:
        target: the new folder.
        given: the area that the user gives, if any.
        key: new names.
        report: of what is there already; it grows.
        profile: for DICOM; None if there is none in the plan.
        progress: shows the work.
    """

    def __init__(
        self,
        target: Path,
        given: GivenArea | None,
        *,
        key: Key,
        report: Report,
        profile: Profile | None,
        progress: Steps,
    ) -> None:
        self._target = target
        self._given = given
        self._key = key
        self._report = report
        self._profile = profile
        self._progress = progress

    def write(self, plan: Plan, names: dict[Item, str]) -> Outcome:
        """Write all items that are not there yet."""
        left_out = list(plan.left_out)
        written = kept = 0
        saved_s = time.monotonic()
        self._progress.step("writing", len(names))
        try:
            self._report.save(self._target)  # whose folder this is, should the power fail
            for item, name in names.items():
                if self._is_done(item, name):
                    kept += 1
                else:
                    try:
                        row = self._write(item, name)
                        self._report.rows[row.file] = row
                        written += 1
                    except (RefusedError, RecordingError, *DAMAGED) as error:
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
        assert self._profile is not None
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
            # Without their times, the stills of an examination would be taken for a cine.
            return f"{name}/0001.dcm" if len(item.recording) == 1 else f"{name}.dcm"
        case "video":
            return f"{name}.mkv"
        case "still":
            return f"{_IMAGES}/{name.replace('/', '-')}.png"
        case _:
            return name
