"""Every frame fitted to the network grid once, kept on disk and memory-mapped when read.

One folder per recording, named by the content of its files and the fit's settings, so that a
changed file or setting is fitted again and nothing else is. Pixels pass through memory one frame at
a time: the peak does not grow with the recordings.
"""

import hashlib
import json
import math
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import RecordingError
from sonotempo.folders import make_folder, without_folder, writing
from sonotempo.guard import guarded
from sonotempo.label_origin import Origin
from sonotempo.owners import has_ended, this_machine
from sonotempo.preprocess import fit_frame
from sonotempo.recording import Box, Image, Recording, Spacing, consecutive_runs
from sonotempo.structures import StructureSet

# Counts changes of what is kept and of how files are read: 3 turns images, 4 keeps sums.
_FORMAT = 4

# A folder that is being written: its key, then who writes it. Earlier versions left that out.
_LEFTOVER = re.compile(r"[0-9a-f]{24}-(?:(?P<machine>[0-9a-f]{8})-(?P<pid>\d{1,10})-)?[a-z0-9_]{8}")
_LONGEST_UNTOUCHED_S = 86_400.0
# Those of this process.
_unfinished: set[str] = set()


@dataclass(frozen=True, slots=True)
class CachedRecording:
    """One recording on the network grid; its pixels stay on disk until asked for.

    Attributes:
        folder: where frames.npy and masks.npy lie.
        key: content of its files and settings of its fit, as hexadecimal digits.
        content: of its files alone: weights know by it what they were trained on, whatever the grid
            and however this version reads the files.
        frames_sum: of the fitted frames alone: weights know by it what they were trained on where
            masks were added since.
        subject: who was scanned.
        name: unique within its data set.
        source: the file or folder it came from.
        input_size: S, the side of every frame in pixels.
        timestamps_ns: one per frame.
        frame_numbers: one per frame, as the files number them.
        labelled: indices of the frames with a mask, in the order of masks.npy.
        spacings_mm: millimetres a pixel of each frame on the network grid, or None: a change of
            depth during the recording changes it.
        reference_px: labelled pixels of each structure in the original frames.
        cropped_px: how many of those the fit cut off.
        dropped_masks: why a mask was left out, one sentence each.
        origins: where the masks come from, by index, used or not; a mask without an entry was made
            by a person.
        masks_file: the file with the masks of the labelled frames.
    """

    folder: Path
    key: str
    content: str
    frames_sum: str
    subject: str
    name: str
    source: Path
    input_size: int
    timestamps_ns: tuple[int, ...]
    frame_numbers: tuple[int, ...]
    labelled: tuple[int, ...]
    spacings_mm: tuple[Spacing | None, ...]
    reference_px: tuple[int, ...]
    cropped_px: tuple[int, ...]
    dropped_masks: tuple[str, ...]
    origins: Mapping[int, Origin] = field(default_factory=dict)
    masks_file: str = "masks.npy"

    def __len__(self) -> int:
        return len(self.timestamps_ns)

    @property
    def is_still(self) -> bool:
        """Whether it is a single image, which only motion can make a clip of."""
        return len(self) == 1

    def origin(self, index: int) -> Origin:
        """Return where the mask of a frame comes from, as in :meth:`Recording.origin`."""
        return self.origins.get(index, Origin())

    @property
    def scored(self) -> tuple[int, ...]:
        """The indices of the frames whose mask is a reference: a person stands behind it."""
        return tuple(index for index in self.labelled if self.origin(index).is_truth)

    def frames_TSS(self) -> NDArray[np.uint8]:
        """Map the fitted frames, uint8 TSS."""
        frames: NDArray[np.uint8] = np.load(self.folder / "frames.npy", mmap_mode="r")
        return frames

    def masks_MSS(self) -> NDArray[np.uint8]:
        """Map the masks of the labelled frames, uint8 MSS in the order of ``labelled``."""
        masks: NDArray[np.uint8] = np.load(self.folder / self.masks_file, mmap_mode="r")
        return masks

    def segments(self) -> tuple[range, ...]:
        """Runs of frames without a gap, as in :meth:`Recording.segments`."""
        return consecutive_runs(self.frame_numbers)

    def as_recording(self, structures: StructureSet) -> Recording:
        """Return it as a recording whose frames are already square, for evaluation.

        It has the masks to score by: those of :attr:`scored`.
        """
        scored = frozenset(self.scored)
        masks = {
            index: partial(self._mask, position)
            for position, index in enumerate(self.labelled)
            if index in scored
        }
        # Square but for the rounding of its rows; exactly square, it is not fitted again.
        square_mm = tuple(pair and (pair[1], pair[1]) for pair in self.spacings_mm)
        is_constant = len(set(square_mm)) == 1
        return Recording(
            source=self.source,
            subject=self.subject,
            name=self.name,
            images=self.frames_TSS(),
            timestamps_ns=np.asarray(self.timestamps_ns, np.int64),
            structures=structures,
            spacing_mm=square_mm[0] if is_constant else None,
            spacings_mm=() if is_constant else square_mm,
            frame_numbers=np.asarray(self.frame_numbers, np.int64),
            mask_readers=masks,
            origins={index: self.origins[index] for index in masks if index in self.origins},
        )

    def _mask(self, position: int) -> Image:
        return np.array(self.masks_MSS()[position])


def cache_recordings(
    recordings: Sequence[Recording], root: Path, input_size: int, area: Box | None
) -> Iterator[CachedRecording | RecordingError]:
    """Fit recordings that are not in the cache yet; yield each one, or why it cannot be used.

    A frame that cannot be read makes its recording unusable. A mask that cannot be read or does
    not fit its frame is left out and noted; the rest of its recording is used.
    """
    remove_leftovers(root)
    for recording in recordings:
        try:
            yield cache_recording(recording, root, input_size, area)
        except RecordingError as error:
            yield error


def cache_recording(
    recording: Recording, root: Path, input_size: int, area: Box | None
) -> CachedRecording:
    """Fit one recording, or return it from the cache.

    Raises:
        RecordingError: a frame cannot be read, or none of its masks can be used.
    """
    content = _content(recording)
    key = _key(content, recording, input_size, area)
    folder = root / key
    about = folder / "recording.json"
    if not _is_whole(folder):
        make_folder(root, "data.cache", RecordingError)
        owner = f"{this_machine()}-{os.getpid()}"
        unfinished = Path(tempfile.mkdtemp(prefix=f"{key}-{owner}-", dir=root))
        _unfinished.add(unfinished.name)
        try:
            _write(recording, unfinished, input_size, area)
            if not _is_whole(folder):  # else another process was faster
                shutil.rmtree(folder, ignore_errors=True)  # a copy that was cut off
                unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
            _unfinished.discard(unfinished.name)
    facts: dict[str, Any] = json.loads(about.read_text(encoding="utf-8"))
    sums: dict[str, str] = facts.pop("sums")
    spacings_mm = tuple(pair and (pair[0], pair[1]) for pair in facts.pop("spacings_mm"))
    known: dict[str, Any] = {name: tuple(values) for name, values in facts.items()}
    return CachedRecording(
        folder=folder,
        key=key,
        content=content,
        frames_sum=sums["frames.npy"],
        subject=recording.subject,
        name=recording.name,
        source=recording.source,
        input_size=input_size,
        spacings_mm=spacings_mm,
        origins=dict(recording.origins),
        **known,
    )


def remove_leftovers(root: Path) -> list[Path]:
    """Remove what killed processes have left in a cache, and return it.

    Folders of processes that run are kept, and those of other computers for a day.
    """
    removed = []
    for path in root.glob("*-*") if root.is_dir() else ():
        name = _LEFTOVER.fullmatch(path.name)
        if name is None or path.name in _unfinished or not path.is_dir():
            continue
        if name["machine"] == this_machine():
            is_left = int(name["pid"]) == os.getpid() or has_ended(int(name["pid"]))
        else:
            is_left = _age_s(path) > _LONGEST_UNTOUCHED_S
        if is_left:
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path)
    return removed


def _age_s(folder: Path) -> float:
    """Return how long ago anything in a folder was written."""
    times = [0.0]
    for path in (folder, *folder.iterdir()):
        with suppress(OSError):  # its process has just removed it
            times.append(path.stat().st_mtime)
    return time.time() - max(times)


def _write(recording: Recording, folder: Path, input_size: int, area: Box | None) -> None:
    count = len(recording)
    frames = _reserved(folder / "frames.npy", (count, input_size, input_size))
    structures = len(recording.structures)
    reference_px = np.zeros(structures + 1, np.int64)
    seen_px = np.zeros(structures + 1, np.int64)
    # Rows of masks that turn out unusable stay empty at the end.
    masks = _reserved(folder / "masks.npy", (len(recording.labelled), input_size, input_size))
    labelled: list[int] = []
    dropped: list[str] = []
    spacings_mm: list[Spacing | None] = []
    for index, frame in enumerate(recording):
        fit = fit_frame(frame, input_size, area)
        spacings_mm.append(fit.spacing_mm)
        frames[index] = fit.image(frame.image_HW)
        try:
            mask_HW = recording.mask(index)
        except RecordingError as error:
            # Kept with the frames and copied into runs: subject and recording are enough.
            dropped.append(without_folder(str(error), recording.source.absolute().parent.parent))
            continue
        if mask_HW is None:
            continue
        masks[len(labelled)] = fit.mask(mask_HW)
        labelled.append(index)
        reference_px += np.bincount(mask_HW.ravel(), minlength=structures + 1)
        seen_px += np.bincount(mask_HW[fit.seen()], minlength=structures + 1)
    if dropped and not labelled:
        raise RecordingError(dropped[0])
    frames.flush()
    masks.flush()
    facts = {
        "timestamps_ns": recording.timestamps_ns.tolist(),
        "frame_numbers": recording.frame_numbers.tolist(),
        "labelled": labelled,
        "spacings_mm": spacings_mm,
        "reference_px": reference_px[1:].tolist(),
        "cropped_px": (reference_px - seen_px)[1:].tolist(),
        "dropped_masks": dropped,
    }
    facts["sums"] = _sums(folder, facts)
    with writing(folder, "data.cache", RecordingError):
        (folder / "recording.json").write_text(json.dumps(facts), encoding="utf-8")


def _sums(folder: Path, facts: Mapping[str, Any]) -> dict[str, str]:
    """Return a sum of each file, and of what is known beyond them."""
    known = json.dumps({name: facts[name] for name in facts if name != "sums"})
    sums = {"facts": hashlib.blake2b(known.encode()).hexdigest()}
    for name in ("frames.npy", "masks.npy"):
        with (folder / name).open("rb") as file:
            sums[name] = hashlib.file_digest(file, "blake2b").hexdigest()
    return sums


def _is_whole(folder: Path) -> bool:
    """Whether a recording is in the cache as it was written: one flipped bit and it is not."""
    try:
        with guarded(f"{folder} is damaged", "it is fitted again", RecordingError):
            facts = json.loads((folder / "recording.json").read_text(encoding="utf-8"))
            return bool(facts["sums"] == _sums(folder, facts))
    except RecordingError:
        return False


def _reserved(path: Path, shape: tuple[int, int, int]) -> "np.memmap[Any, np.dtype[np.uint8]]":
    """Create an array on disk whose space is really there: writing to a full map kills a process.

    Raises:
        RecordingError: the disk has too little space.
    """
    needed = math.prod(shape)
    try:
        array: np.memmap[Any, np.dtype[np.uint8]] = np.lib.format.open_memmap(
            path, mode="w+", dtype=np.uint8, shape=shape
        )
        with path.open("r+b") as file:
            file.seek(0, os.SEEK_END)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, file.tell())
    except OSError as error:
        free = shutil.disk_usage(path.parent).free
        raise RecordingError(
            f"{path.parent.parent} has no space for fitted frames ({error.strerror}): "
            f"{needed / 1e6:.1f} MB are needed, {free / 1e6:.1f} MB are free; free some, or set "
            "data.cache to a folder on another disk"
        ) from error
    return array


def _content(recording: Recording) -> str:
    if not recording.files:
        raise RecordingError(
            f"{recording.source} names no files whose content could be its key in the cache"
        )
    digest = hashlib.blake2b(digest_size=12)
    for path in recording.files:
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "blake2b").digest())
        except OSError as error:
            raise RecordingError(
                f"{path} cannot be read ({error.strerror}); restore it or leave its recording out"
            ) from error
    return digest.hexdigest()


def _key(content: str, recording: Recording, input_size: int, area: Box | None) -> str:
    settings = {
        "format": _FORMAT,
        "content": content,
        "input_size": input_size,
        "area": asdict(area) if area else None,
        "own_area": asdict(recording.area) if recording.area else None,
        "spacings_mm": recording.spacings_mm or recording.spacing_mm,
        **({} if recording.pixel_aspect == 1 else {"pixel_aspect": recording.pixel_aspect}),
        "structures": recording.structures.names,
        "timestamps_ns": recording.timestamps_ns.tolist(),
        "frame_numbers": recording.frame_numbers.tolist(),
        "labelled": recording.labelled,
    }
    scored = [index for index in recording.labelled if recording.origin(index).is_truth]
    if len(scored) < len(recording.labelled):
        settings["scored"] = scored
    return hashlib.blake2b(json.dumps(settings).encode(), digest_size=12).hexdigest()
