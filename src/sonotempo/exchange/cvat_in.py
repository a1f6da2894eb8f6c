"""Recordings from annotations of CVAT for video 1.1 and their video or images.

Source: https://docs.cvat.ai/docs/other/xml_format. XML is parsed by defusedxml: a file with a
document type, and so with entities that unfold without end, is refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, parse

from sonotempo.errors import RecordingError
from sonotempo.exchange.cvat import IMAGES_FOLDER
from sonotempo.exchange.cvat_tracks import Track, read_tracks
from sonotempo.exchange.incoming import ImportRequest, Incoming
from sonotempo.exchange.outgoing import ExchangedFrame
from sonotempo.io.formats import is_recording
from sonotempo.io.frame_files import listing
from sonotempo.io.open import open_recording
from sonotempo.recording import Image, Recording


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What one XML file says.

    Attributes:
        path: of the file.
        name: of the task.
        positions: the frames of the video that the task shows.
        shape_HW: rows and columns, or None if the file does not say.
        tracks: the structures that were drawn.
    """

    path: Path
    name: str
    positions: range
    shape_HW: tuple[int, int] | None
    tracks: tuple[Track, ...]


def read_cvat(request: ImportRequest) -> tuple[Incoming, ...]:
    """Read one XML file, or every one in a folder of ``<subject>/<recording>/<name>.xml``.

    Images are those of the request's ``frames`` (for a folder, laid out like it), or in the
    folder ``images`` next to the XML file. A frame is labelled if a shape is visible in it.

    Raises:
        RecordingError: not CVAT for video, no images, images of another size or number than the
            task's, boxes or other shapes that are no masks, or unknown labels.
    """
    source = request.source
    files = sorted(source.rglob("*.xml")) if source.is_dir() else [source]
    if not files:
        raise RecordingError(f"{source} holds no .xml file; give what CVAT for video 1.1 exports")
    root = source if source.is_dir() else None
    return tuple(_incoming(file, root, request) for file in files)


def _incoming(file: Path, root: Path | None, request: ImportRequest) -> Incoming:
    task = _task(file, request)
    inside = file.parent.relative_to(root).parts if root is not None else ()
    subject, name = _identity(inside, task, request.subject)
    recording = open_recording(_frames_of(file, inside, request.frames), request.structures)
    _check_fit(task, recording)
    frames = partial(_frames, task, recording, request.empty_frames)
    return Incoming(subject, name, len(recording), frames)


def _identity(inside: Sequence[str], task: _Task, subject: str | None) -> tuple[str, str]:
    """Return subject and recording: from the folders, else from the task's name."""
    if inside:
        return inside[0], "-".join(inside[1:]) or task.path.stem
    named, _, rest = task.name.partition("/")
    if subject is not None:
        return subject, rest or named or task.path.stem
    if rest:
        return named, rest
    raise RecordingError(
        f"{task.path} does not say who its video shows: its task is called {task.name!r}; give "
        "--subject NAME, or a folder of <subject>/<recording>/annotations.xml"
    )


def _frames_of(file: Path, inside: Sequence[str], given: Path | None) -> Path:
    """Return the video, or the folder of images, of a task."""
    if given is None:
        images = file.parent / IMAGES_FOLDER
        if images.is_dir():
            return images
        raise RecordingError(
            f"{file} has no folder {IMAGES_FOLDER!r} next to it; give its video or images with "
            "--frames"
        )
    place = given.joinpath(*inside)
    if place.exists() or not inside:
        return place
    named = [path for path in _listed(place.parent) if path.stem == place.name]
    found = [path for path in named if is_recording(path)]
    if len(found) != 1:
        raise RecordingError(
            f"{file} has {len(found)} recordings called {'/'.join(inside)} in {given}; expected one"
        )
    return found[0]


def _listed(folder: Path) -> list[Path]:
    return listing(folder) if folder.is_dir() else []


def _task(path: Path, request: ImportRequest) -> _Task:
    try:
        root = parse(path, forbid_dtd=True).getroot()
    except (ParseError, DefusedXmlException, OSError, ValueError, LookupError) as error:
        reason = getattr(error, "strerror", None) or error
        if isinstance(error, DefusedXmlException):
            reason = "it defines entities, which CVAT never does"
        raise RecordingError(
            f"{path} cannot be read as XML of CVAT ({reason}); export it again as CVAT for "
            "video 1.1"
        ) from error
    described = None if root is None else root.find("meta/task")
    if root is not None and described is None:
        described = root.find("meta/job")
    if root is None or root.tag != "annotations" or described is None:
        raise RecordingError(
            f"{path} does not describe a task of CVAT; export the task (not its project) as CVAT "
            "for video 1.1"
        )
    if root.find("image") is not None:
        raise RecordingError(
            f"{path} is CVAT for images, which holds no tracks; export it as CVAT for video 1.1"
        )
    try:
        return _Task(
            path,
            (described.findtext("name") or "").strip(),
            _positions(described),
            _shape(described),
            read_tracks(root, request.structures, path),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise RecordingError(
            f"{path} holds what CVAT does not write ({type(error).__name__}: {error}); export it "
            "again as CVAT for video 1.1"
        ) from error


def _positions(described: Any) -> range:
    """Return the frames of the video that a task shows: some skip the start, or every other."""
    size = int(described.findtext("size") or 0)
    start = int(described.findtext("start_frame") or 0)
    step = int((described.findtext("frame_filter") or "").partition("step=")[2] or 1)
    return range(start, start + size * step, step)


def _shape(described: Any) -> tuple[int, int] | None:
    size = described.find("original_size")
    if size is None:
        return None
    return int(size.findtext("height") or 0), int(size.findtext("width") or 0)


def _check_fit(task: _Task, recording: Recording) -> None:
    height, width = recording.images[0].shape
    if task.shape_HW is not None and task.shape_HW != (height, width):
        raise RecordingError(
            f"{task.path} was drawn on {task.shape_HW[0]}x{task.shape_HW[1]} pixels but "
            f"{recording.source} has {height}x{width} (rows x columns); give the video of this task"
        )
    shown = task.positions
    is_whole = shown.start == 0 and shown.step == 1
    if len(recording) != len(shown) if is_whole else len(recording) <= max(shown, default=0):
        raise RecordingError(
            f"{task.path} has {len(shown)} frames"
            f"{'' if is_whole else f' up to number {shown[-1]}'} but {recording.source} has "
            f"{len(recording)}; give the video of this task"
        )
    beyond = [track for track in task.tracks if track.first not in range(len(recording))]
    if beyond:
        raise RecordingError(
            f"{task.path} holds shapes in frame {beyond[0].first}, but {recording.source} has "
            f"{len(recording)} frames; give the video of this task"
        )


def _frames(task: _Task, recording: Recording, empty_frames: bool) -> Iterator[ExchangedFrame]:
    for frame in recording:
        mask_HW: Image = np.zeros(frame.image_HW.shape, np.uint8)
        shapes = [
            (shape.z_order, track.value, shape)
            for track in task.tracks
            if frame.index in task.positions and (shape := track.at(frame.index)) is not None
        ]
        for _, value, shape in sorted(shapes, key=lambda one: one[0]):
            where = f"{task.path}, frame {frame.index},"
            mask_HW[shape.drawn((mask_HW.shape[0], mask_HW.shape[1]), where)] = value
        is_labelled = bool(shapes) or (empty_frames and frame.index in task.positions)
        yield ExchangedFrame(
            int(recording.frame_numbers[frame.index]),
            frame.image_HW,
            mask_HW if is_labelled else None,
            None if recording.rate_is_assumed else frame.timestamp_ns,
            frame.spacing_mm,
        )
