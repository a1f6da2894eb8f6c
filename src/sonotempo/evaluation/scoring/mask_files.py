"""The masks that an arm drew of a recording, on disk: one compressed .npz file a recording."""

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import SonotempoError
from sonotempo.folders import whole_file
from sonotempo.guard import guarded, shown
from sonotempo.io.limits import limits
from sonotempo.recording import Image


@dataclass(frozen=True, slots=True, eq=False)
class DrawnMasks:
    """What an arm drew of one recording, on the network grid.

    Attributes:
        recording: the recording's name.
        frame_numbers: int64 [T], the numbers of the frames that were predicted, increasing.
        masks_TSS: uint8 [T, S, S], label values, one mask for each of these frames.
    """

    recording: str
    frame_numbers: NDArray[np.int64]
    masks_TSS: NDArray[np.uint8]

    def by_number(self) -> Mapping[int, Image]:
        """Return each mask by its frame's number."""
        return dict(zip(self.frame_numbers.tolist(), self.masks_TSS, strict=True))


def mask_path(folder: Path, recording: str) -> Path:
    """Return where the masks of a recording lie in a job's or an arm's folder.

    >>> mask_path(Path("run/frame/fold-00"), "anna/scan-1").as_posix()
    'run/frame/fold-00/masks/anna__scan-1.npz'
    """
    return folder / "masks" / f"{recording.replace('/', '__')}.npz"


def write_masks(folder: Path, masks: DrawnMasks) -> Path:
    """Write the masks of one recording below ``folder/masks`` and return the file."""
    path = mask_path(folder, masks.recording)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as draft:
        np.savez_compressed(
            draft,
            masks_TSS=masks.masks_TSS,
            frame_numbers=masks.frame_numbers,
            recording=np.array(masks.recording),
        )
    return path


def read_masks(folder: Path, recording: str) -> DrawnMasks:
    """Read the masks of one recording; nothing in the file is executed.

    Raises:
        SonotempoError: the file is missing, or does not hold masks.
    """
    path = mask_path(folder, recording)
    if not path.is_file():
        raise SonotempoError(
            f"{path} is missing; delete {folder / 'finished.json'} and run the same `sonotempo "
            "crossval` again: it keeps the trained weights and scores again"
        )
    with guarded(f"{path} holds no masks", "delete it and score the arm again", SonotempoError):
        with zipfile.ZipFile(path) as archive:
            limits().check_masks(path, sum(part.file_size for part in archive.infolist()))
            for part in archive.infolist():
                _check_part(archive, part)
        with np.load(path, allow_pickle=False) as file:
            masks_TSS, numbers = file["masks_TSS"], file["frame_numbers"]
            name = str(file["recording"])
    if masks_TSS.dtype != np.uint8 or masks_TSS.ndim != 3 or numbers.shape != masks_TSS.shape[:1]:
        raise SonotempoError(
            f"{path} holds masks of shape {masks_TSS.shape} and type {masks_TSS.dtype} for "
            f"{len(numbers)} frames; expected uint8, one S×S mask a frame: score the arm again"
        )
    if name != recording:
        raise SonotempoError(
            f"{path} holds the masks of {shown(name)}, not of {recording!r}: the names of two "
            "recordings differ only in '/' and '__'; rename one and score the arm again"
        )
    return DrawnMasks(recording, numbers.astype(np.int64), masks_TSS)


def _check_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Refuse an array that announces more than its part of the file holds."""
    with archive.open(part) as file:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(file)
    if math.prod(shape) * dtype.itemsize > part.file_size:
        raise ValueError(f"{part.filename} announces more than it holds")
