"""Read a recorded stream: FFV1 video in Matroska, with exact numbers from its ``.jsonl`` file."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import RecordingError
from sonotempo.guard import guarded, shown
from sonotempo.io.containment import Inside
from sonotempo.io.formats import Request
from sonotempo.io.limits import limits
from sonotempo.io.stream_files import STREAM_KEY, STREAM_VERSION, lines_path
from sonotempo.io.video import open_video
from sonotempo.recording import Box, Image, ImageStack, Recording, Spacing
from sonotempo.sector import Sector
from sonotempo.structures import Structure, StructureSet

_REMEDY = "copy all files of the recording again"


@dataclass(frozen=True, slots=True, eq=False)
class StreamRecording(Recording):
    """A recorded stream. Size, spacing and area may change from frame to frame.

    ``spacing_mm`` and ``area`` are None unless all frames have the same; every frame carries its
    own. ``frame_numbers`` are those of the stream: lost frames leave gaps.

    Attributes:
        host_ns: int64, capture time of each frame on the computer's monotonic clock.
        probe_ns: int64, the same on the probe's clock.
        events: reported by the source, as (host_ns, kind, detail).
    """

    host_ns: NDArray[np.int64] | None = None
    probe_ns: NDArray[np.int64] | None = None
    events: tuple[tuple[int, str, str], ...] = ()


def open_stream_recording(request: Request) -> StreamRecording:
    """Open ``out.mkv`` with all its segments; no frame is decoded.

    Time stamps are the probe's if they increase throughout, else the computer's. Frames that an
    interrupted recorder left unfinished at the end are omitted. :func:`open_predictions` reads the
    masks of models that ran during the recording.

    Raises:
        RecordingError: lines or a segment are missing or damaged, or no frame is complete.
    """
    path = request.path
    lines = _lines(path)
    described: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        if "frame" in line:
            described[line["segment"]].append(line)
    names = {line["segment"]: line["file"] for line in lines if "file" in line and "of" not in line}
    frames: list[dict[str, Any]] = []
    places: list[tuple[ImageStack, int]] = []
    files = [lines_path(path)]
    for segment in sorted(described):
        file = request.bounds.named(str(names.get(segment, path.name)), lines_path(path), "file")
        # A recorder that was killed may have left the first frame of the last segment unfinished.
        is_cut = segment == max(described) and len(described[segment]) == 1 and places != []
        images = _images(file, may_be_empty=is_cut)
        whole = described[segment][: len(images)]
        frames += whole
        places += [(images, i) for i in range(len(whole))]
        files.append(file)
    if not frames:
        raise RecordingError(
            f"{path} holds no complete frame: the recording ended too early; record again"
        )
    spacings = tuple(_spacing(line["spacing_mm"]) for line in frames)
    sectors = tuple(Sector(*line["sector"]) if line.get("sector") else None for line in frames)
    areas = tuple(Box(*line["area"]) if line["area"] else None for line in frames)
    host_ns, probe_ns = (
        np.array([line[key] for line in frames], np.int64) for key in ("host_ns", "probe_ns")
    )
    clock_ns = probe_ns if np.all(np.diff(probe_ns) > 0) else host_ns
    return StreamRecording(
        source=path,
        subject=request.subject or path.stem,
        name=request.name or path.stem,
        images=_Segments(places),
        timestamps_ns=clock_ns - clock_ns[0],
        structures=request.structures,
        spacing_mm=spacings[0] if len(set(spacings)) == 1 else None,
        area=areas[0] if len(set(areas)) == 1 else None,
        frame_numbers=np.array([line["frame"] for line in frames], np.int64),
        files=tuple(files),
        spacings_mm=spacings,
        areas=areas,
        sector=sectors[0] if len(set(sectors)) == 1 else None,
        sectors=sectors,
        host_ns=host_ns,
        probe_ns=probe_ns,
        events=tuple(
            (line["host_ns"], line["event"], line["detail"]) for line in lines if "event" in line
        ),
    )


def open_predictions(path: Path) -> Mapping[str, Mapping[int, Callable[[], Image]]]:
    """Return each model's masks that were recorded with a stream, by frame number.

    Calling a function of the result reads a mask, uint8 HW of label values.

    Args:
        path: the stream's first file.

    Raises:
        RecordingError: lines or files are missing or damaged.
    """
    with guarded(f"the predictions in {lines_path(path)} cannot be read", _REMEDY, RecordingError):
        return _predictions(path, _lines(path))


def _predictions(
    path: Path, lines: Sequence[dict[str, Any]]
) -> Mapping[str, Mapping[int, Callable[[], Image]]]:
    inside = Inside(path.parent)
    expected = Counter((line["model"], line["segment"]) for line in lines if "prediction" in line)
    stacks = {
        place: _images(
            inside.named(str(line["file"]), lines_path(path), "file"),
            may_be_empty=expected[place] <= 1,
        )
        for line in lines
        if "of" in line and (place := (line["of"], line["segment"]))
    }
    readers: dict[str, dict[int, Callable[[], Image]]] = {model: {} for model, _ in stacks}
    seen: Counter[tuple[str, int]] = Counter()
    for line in lines:
        if "prediction" in line:
            place = line["model"], line["segment"]
            masks, position = stacks.get(place, ()), seen[place]
            seen[place] += 1
            if position < len(masks):
                readers[line["model"]][line["prediction"]] = partial(masks.__getitem__, position)
    return readers


def recorded_structures(path: Path) -> StructureSet | None:
    """Return what the label values of a stream's masks mean, or None if it was not recorded.

    Args:
        path: the stream's first file.

    Raises:
        RecordingError: the lines are missing or damaged.
    """
    with guarded(f"the structures in {lines_path(path)} cannot be read", _REMEDY, RecordingError):
        for line in _lines(path):
            if "structures" in line:
                return StructureSet(
                    str(line["set"]),
                    tuple(
                        Structure(str(one["name"]), (one["color_rgb"][0], *one["color_rgb"][1:]))
                        for one in line["structures"]
                    ),
                )
        return None


class _Segments:
    """The frames of several files in sequence."""

    def __init__(self, places: Sequence[tuple[ImageStack, int]]) -> None:
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int, /) -> Image:
        images, position = self._places[index]
        return images[position]


def _images(file: Path, may_be_empty: bool) -> ImageStack:
    """Open one file; the last one may have ended before its first frame was complete."""
    if not file.is_file():
        raise RecordingError(
            f"{file} is missing, but the recording's .jsonl file lists its frames; copy all files "
            "of the recording"
        )
    try:
        return open_video(Request(file)).images
    except RecordingError:
        if may_be_empty:
            return _Segments(())
        raise


def _lines(path: Path) -> list[dict[str, Any]]:
    """Read all lines; an incomplete last one is omitted."""
    file = lines_path(path)
    try:
        limits().check_header(file, file.stat().st_size)
        texts = file.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise RecordingError(
            f"{file} cannot be read ({error.strerror}); it belongs to {path.name}: copy both"
        ) from error
    lines = []
    for number, text in enumerate(
        texts[:-1], start=1
    ):  # the rest after the last newline is incomplete
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict):
            raise RecordingError(
                f"line {number} of {file} is damaged; copy it again, or remove it to open "
                f"{path.name} as a plain video, which keeps milliseconds only and no spacing"
            )
        lines.append(line)
    version = lines[0].get(STREAM_KEY) if lines else None
    if version != STREAM_VERSION:
        raise RecordingError(
            f"{file} has format version {shown(version)}; expected {STREAM_VERSION}. Use the "
            "version of sonotempo that wrote it"
        )
    return lines


def _spacing(pair: Sequence[float] | None) -> Spacing | None:
    return None if pair is None else (float(pair[0]), float(pair[1]))
