"""A DICOM cine that is stored as one file per frame: the files of one series are one recording."""

import statistics
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread

from sonotempo.errors import RecordingError
from sonotempo.guard import guarded
from sonotempo.io.dicom import open_dicom
from sonotempo.io.dicom_file import DicomFile
from sonotempo.io.dicom_frames import REMEDY
from sonotempo.io.formats import Request
from sonotempo.io.timing import times_from
from sonotempo.recording import Image, Recording

_TAGS = (
    "NumberOfFrames",
    "Rows",
    "Columns",
    "SeriesInstanceUID",
    "InstanceNumber",
    "AcquisitionDateTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "ContentDate",
    "ContentTime",
    "FrameTime",
)
# Images of one series that were taken farther apart are stills of an examination, not a cine.
_LONGEST_GAP_S = 2.0
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class _Frame:
    path: Path
    series: str
    frames: int
    shape_HW: tuple[int, int]
    number: int | None
    time_s: float | None
    period_ms: float | None


def series_in(files: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Return the files of each cine that is stored as one file per frame, in temporal order.

    The frames of a cine share the Series Instance UID and their size; each file holds one frame.
    They are ordered by Instance Number, or by time where that is missing. Images that were taken
    more than 2 s apart are stills and are left out.

    Args:
        files: DICOM files of one folder.
    """
    series: dict[tuple[str, tuple[int, int]], list[_Frame]] = defaultdict(list)
    for path in files:
        frame = _frame(path)
        if frame is not None and frame.series and frame.frames == 1:
            series[frame.series, frame.shape_HW].append(frame)
    cines = (_ordered(frames) for frames in series.values() if len(frames) >= _FEWEST)
    return [tuple(frame.path for frame in frames) for frames in cines if not _are_stills(frames)]


def open_dicom_series(files: Sequence[Path], request: Request) -> Recording:
    """Open the files of one series as one recording.

    Times are those of the files (Acquisition or Content Time), else their Frame Time. The rest is
    that of the first file.

    Args:
        files: as :func:`series_in` returns them.
        request: the folder, and what its recording is called.

    Raises:
        RecordingError: a file cannot be read, or is of another kind than the first.
    """
    frames = [_frame(path) for path in files]
    known = [frame for frame in frames if frame is not None]
    if len(known) < len(files):
        raise RecordingError(
            f"{len(files) - len(known)} of the {len(files)} files of a series in {request.path} "
            "cannot be read as DICOM; export the series again"
        )
    first = open_dicom(replace(request, path=files[0]))
    numbers = _numbers(known)
    times = times_from(_stamps_ns(known), numbers)
    return replace(
        first,
        source=request.path,
        name=request.name or request.path.name,
        images=_SeriesFrames(files),
        timestamps_ns=times.timestamps_ns,
        rate_is_assumed=times.are_assumed,
        frame_numbers=numbers,
        files=tuple(files),
    )


class _SeriesFrames:
    """The frames of a series; each file is opened when its frame is read."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int, /) -> Image:
        return open_dicom(Request(self._files[index])).images[0]


def _frame(path: Path) -> _Frame | None:
    """Read the header of one file; None if it cannot be read."""
    try:
        with guarded(f"{path} cannot be read as DICOM", REMEDY, RecordingError):
            header = _header(path)
            number = header.get("InstanceNumber")
            return _Frame(
                path,
                str(header.get("SeriesInstanceUID") or ""),
                int(header.get("NumberOfFrames") or 1),
                (int(header.Rows), int(header.Columns)),
                None if number is None else int(number),
                _time_s(header),
                float(header.get("FrameTime") or 0) or None,
            )
    except RecordingError:
        return None  # the reader of single files reports what is wrong


def _header(path: Path) -> Dataset:
    with DicomFile(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return dcmread(file, stop_before_pixels=True, specific_tags=list(_TAGS))


def _time_s(header: Dataset) -> float | None:
    """Return the time of an image in seconds since 1970, or since midnight."""
    stamp = header.get("AcquisitionDateTime")
    if not stamp:
        for kind in ("Acquisition", "Content"):
            if header.get(f"{kind}Time"):
                date = header.get(f"{kind}Date") or "19700101"
                stamp = f"{date}{header[f'{kind}Time'].value}"
                break
    if not stamp:
        return None
    whole, _, fraction = str(stamp).partition(".")
    digits = "".join(c for c in fraction if c.isdecimal())
    try:
        seconds = datetime.strptime(whole[:14], "%Y%m%d%H%M%S").timestamp()
    except ValueError:
        return None
    return seconds + (float(f"0.{digits}") if digits else 0.0)


def _ordered(frames: Sequence[_Frame]) -> list[_Frame]:
    if len({frame.number for frame in frames}) == len(frames) and all(
        frame.number is not None for frame in frames
    ):
        return sorted(frames, key=lambda frame: frame.number or 0)
    return sorted(frames, key=lambda frame: (frame.time_s or 0.0, frame.path.name))


def _are_stills(frames: Sequence[_Frame]) -> bool:
    times_s = [frame.time_s for frame in frames if frame.time_s is not None]
    if len(times_s) < len(frames) or len(set(times_s)) < 2:
        return False
    gaps_s = [later - earlier for earlier, later in pairwise(times_s)]
    return statistics.median(map(abs, gaps_s)) > _LONGEST_GAP_S


def _numbers(frames: Sequence[_Frame]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    numbers = np.array([-1 if f.number is None else f.number for f in frames], np.int64)
    is_increasing = bool(np.all(np.diff(numbers) > 0)) and None not in {f.number for f in frames}
    return numbers if is_increasing else np.arange(len(frames), dtype=np.int64)


def _stamps_ns(frames: Sequence[_Frame]) -> list[int | None] | None:
    if any(frame.time_s is not None for frame in frames):
        stamps = [None if f.time_s is None else round(f.time_s * 1e9) for f in frames]
        if len(set(stamps)) > 1:
            return stamps
    period_ms = frames[0].period_ms
    return None if period_ms is None else [round(i * period_ms * 1e6) for i in range(len(frames))]
