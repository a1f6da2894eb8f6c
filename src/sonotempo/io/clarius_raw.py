"""Clarius raw envelope files (``.raw`` with ``.yml``) as recordings, through a memory map.

The file: five little-endian uint32 (kind, frames, lines, samples, bytes per sample), then for each
frame a uint64 time stamp in nanoseconds and lines x samples, line after line. Lines become
columns, samples rows. Source: https://github.com/clariusdev/raw.

Only a linear probe's parallel lines form an image without scan conversion. Steered lines are
refused. Curved probes cannot be detected, because the file states neither radius nor pitch: their
image is the unfolded sector.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from sonotempo.errors import RecordingError
from sonotempo.guard import guarded
from sonotempo.io.formats import Request
from sonotempo.io.limits import limits
from sonotempo.io.timing import times_from
from sonotempo.plain_yaml import plain_yaml
from sonotempo.recording import Box, Image, Recording, Spacing

SPEED_OF_SOUND_M_S = 1540.0

_HEADER_BYTES = 20
_KINDS = {0: "iq", 1: "envelope", 2: "rf", 3: "plane-wave iq"}
_ENVELOPE = 1
# Largest relative difference between the depth by the sampling rate and the stated depth.
_DEPTH_TOLERANCE = 0.05
# The gain curve is written as `tgc: {…}{…}`, which is not YAML.
_NOT_YAML = re.compile(r"^\s*tgc:.*$", re.MULTILINE)


def open_clarius_raw(request: Request) -> Recording:
    """Open a Clarius envelope file; no pixel is read.

    Depth spacing is c / (2 x sampling rate) with c = 1540 m/s, accepted if the region of interest
    then ends within 5 % of the stated imaging depth. In a real file, its 585 samples of 0.0513 mm
    give 30.03 mm of 30 mm; all 592 samples (30.39 mm) or those without the 16 delay samples
    (29.57 mm) fit worse, so depth / samples would be less accurate.

    The ``.yml`` file of the same name must be in the same folder. It gives line positions in
    elements, so without ``pitch_mm`` the spacing is unknown. Raw files carry no masks.

    Raises:
        RecordingError: the ``.yml`` is missing, the file is not a Clarius raw file or is cut
            short, or it holds iq data, rf data or steered lines.
    """
    path = request.path
    settings = _settings(path)
    frames = _mapped(path)
    if any(_number(line.get("angle")) for line in _lines(settings)):
        raise RecordingError(
            f"{path} holds steered lines, which do not form an image side by side; export the scan "
            "as DICOM or video instead"
        )
    _, line_count, samples = frames["lines"].shape
    area = _region(settings, (samples, line_count))
    numbers = np.arange(len(frames), dtype=np.int64)
    times = times_from(frames["timestamp_ns"].astype(np.int64), numbers)
    return Recording(
        source=path,
        subject=request.subject or path.stem,
        name=request.name or path.stem,
        images=_Lines(frames),
        timestamps_ns=times.timestamps_ns,
        rate_is_assumed=times.are_assumed,
        structures=request.structures,
        spacing_mm=_spacing(settings, area, samples, request.pitch_mm),
        area=area,
        files=(path, path.with_suffix(".yml")),
    )


class _Lines:
    """The frames with depth along the rows: the file's lines become columns."""

    __slots__ = ("_frames",)

    def __init__(self, frames: np.memmap[Any, Any]) -> None:
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int, /) -> Image:
        return np.array(self._frames[index]["lines"].T, order="C")


def _mapped(path: Path) -> np.memmap[Any, Any]:
    try:
        with path.open("rb") as file:
            header = np.fromfile(file, "<u4", _HEADER_BYTES // 4)
        size = path.stat().st_size
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(header) < 5 or header[0] not in _KINDS or 0 in header[1:].tolist():
        raise RecordingError(
            f"{path} is not a Clarius raw file: its first numbers are {header.tolist()}; expected "
            "kind, frames, lines, samples and bytes per sample (the .raw of a MetaImage is opened "
            "through its .mhd)"
        )
    kind, frames, lines, samples, sample_bytes = header.tolist()
    if kind != _ENVELOPE or sample_bytes != 1:
        raise RecordingError(
            f"{path} holds {_KINDS[kind]} data of {sample_bytes} bytes per sample, not an image; "
            "export the envelope (…_env.raw)"
        )
    limits().check_frame(path, samples, lines)
    limits().check_frames(path, frames)
    frame = np.dtype([("timestamp_ns", "<u8"), ("lines", "u1", (lines, samples))])
    whole = (size - _HEADER_BYTES) // frame.itemsize
    if whole < frames:
        raise RecordingError(
            f"{path} is cut short: it holds {whole} of {frames} frames; unpack or copy it again"
        )
    return np.memmap(path, frame, "r", offset=_HEADER_BYTES, shape=(frames,))


def _settings(path: Path) -> dict[str, Any]:
    described = path.with_suffix(".yml")
    if not described.is_file():
        raise RecordingError(
            f"{path} lacks its description {described.name}; copy it into the same folder (the "
            ".raw of a MetaImage is opened through its .mhd)"
        )
    what = f"{described} is not the description of a Clarius raw file"
    with guarded(what, "export it again", RecordingError):
        settings = plain_yaml(_NOT_YAML.sub("", limits().text_of(described)))
    if not isinstance(settings, dict):
        raise RecordingError(
            f"{described} is not the description of a Clarius raw file; expected 'key: value' lines"
        )
    return settings


def _lines(settings: dict[str, Any]) -> list[dict[str, Any]]:
    lines = settings.get("lines")
    return [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []


def _region(settings: dict[str, Any], shape_HW: tuple[int, int]) -> Box | None:
    """Return the region of interest; the last samples of a line lie outside it."""
    roi = settings.get("roi")
    keys = ("start sample", "start line", "end sample", "end line")
    if not isinstance(roi, dict) or any(not isinstance(roi.get(key), int) for key in keys):
        return None
    top, left, bottom, right = (roi[key] for key in keys)
    if not (0 <= top <= bottom and 0 <= left <= right and top < shape_HW[0] and left < shape_HW[1]):
        return None
    return Box(top, left, bottom + 1, right + 1).clamped(shape_HW)


def _spacing(
    settings: dict[str, Any], area: Box | None, samples: int, pitch_mm: float | None
) -> Spacing | None:
    rate_mhz = _number(settings.get("sampling rate"))
    elements = [_number(line.get("rx element")) for line in _lines(settings)]
    if not pitch_mm or not rate_mhz or len(elements) < 2:
        return None
    row_mm = SPEED_OF_SOUND_M_S / (2 * rate_mhz * 1e3)
    depth_mm = _number(settings.get("imaging depth"))
    reached_mm = row_mm * (area.bottom if area else samples)
    if depth_mm and abs(reached_mm / depth_mm - 1) > _DEPTH_TOLERANCE:
        return None
    steps = np.diff(elements)
    step = float(np.median(steps))
    if step <= 0 or not np.allclose(steps, step, rtol=0.01):
        return None
    return row_mm, step * pitch_mm


def _number(value: object) -> float:
    """Return the number at the start of a value such as ``15 MHz``; 0 if there is none.

    >>> _number("15 MHz"), _number(3), _number(None)
    (15.0, 3.0, 0.0)
    """
    found = re.match(r"\s*[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?", str(value))
    return float(found.group()) if found else 0.0
