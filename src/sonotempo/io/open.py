"""One entry point for every kind of recording, a file or a folder."""

# Readers are imported when they are needed, as in formats.py.
# ruff: noqa: PLC0415

from dataclasses import dataclass, replace
from pathlib import Path

from sonotempo.errors import RecordingError
from sonotempo.framing import framed
from sonotempo.guard import guarded
from sonotempo.io.containment import Inside, inside
from sonotempo.io.formats import (
    IMAGES,
    Request,
    format_of,
    is_dicom,
    is_mask,
    is_recording,
    supported,
)
from sonotempo.io.frame_files import image_files, listing
from sonotempo.io.frame_order import frame_number
from sonotempo.io.guard import read_safely
from sonotempo.label_origin import ORIGINS_FILE
from sonotempo.recording import Recording
from sonotempo.structures import NERVE_VESSEL, StructureSet

# Files that accompany recordings: descriptions, and the pixel files of headers.
_SIDECARS = frozenset(
    {"", ".yml", ".yaml", ".json", ".jsonl", ".txt", ".md", ".csv", ".tsv", ".zraw"}
)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a folder holds directly.

    Attributes:
        recordings: paths that :func:`open_recording` takes; the folder itself is one of them if it
            holds one file per frame.
        unknown: files of unknown format that do not accompany a recording.
    """

    recordings: tuple[Path, ...]
    unknown: tuple[Path, ...]


def open_recording(
    path: Path | str,
    structures: StructureSet = NERVE_VESSEL,
    *,
    subject: str | None = None,
    name: str | None = None,
    pitch_mm: float | None = None,
    follow_links: bool = False,
) -> Recording:
    """Open a file or folder as a recording; pixels are read when a frame is requested.

    A folder is a recording if it holds image or ``.mhd`` files (one per frame, with or without
    masks), the DICOM files of one cine, a folder ``images``, or exactly one file that is a
    recording.

    Args:
        path: a file of one of :data:`~sonotempo.io.FORMATS`, or a folder.
        structures: what mask values mean, in label order.
        subject: who was scanned; by default DICOM's PatientID, the folder above an Annotation Web
            sequence, or the name of the file or folder.
        name: of the recording; by default made from the path.
        pitch_mm: distance between a Clarius probe's elements; only raw files need it.
        follow_links: whether links, and the files that headers name, may lead outside the folder
            (or the folder of the file).

    Raises:
        RecordingError: the path does not exist, has an unknown format (the message lists the known
            ones), holds several recordings, or is damaged.
    """
    path = Path(path)
    return open_one(Request(path, structures, subject, name, pitch_mm, inside(path, follow_links)))


def open_one(request: Request) -> Recording:
    """Open a file or folder as a recording; see :func:`open_recording`.

    Raises:
        RecordingError: as there.
    """
    if request.path.is_dir():
        return _open_folder(request)
    if not request.path.is_file():
        raise RecordingError(f"{request.path} does not exist; give the path of a recording")
    return open_file(request)


def contents(folder: Path, bounds: Inside | None = None) -> Contents:
    """Sort the files directly in a folder into recordings and files of unknown format.

    Args:
        folder: to list.
        bounds: leaves out links that lead elsewhere; by default outside the folder.
    """
    files = [path for path in listing(folder, bounds or Inside(folder)) if path.is_file()]
    frames = {path for path in files if IMAGES.matches(path)}
    headers = [path for path in files if path.suffix.lower() == ".mhd" and not is_mask(path)]
    names = {path.name for path in files}
    are_annotated = any(map(is_mask, files)) or any(f"{p.stem}.json" in names for p in headers)
    if are_annotated or _are_frames(headers):
        frames.update(headers)
    for series in _dicom_series(files):
        frames.update(series)
    others = [path for path in files if path not in frames]
    recordings = [path for path in others if is_recording(path)]
    unknown = [
        path for path in others if path.suffix.lower() not in _SIDECARS and format_of(path) is None
    ]
    return Contents((*([folder] if frames else []), *recordings), tuple(unknown))


def open_file(request: Request) -> Recording:
    """Open one file by its format.

    Raises:
        RecordingError: its format is unknown, or it cannot be read.
    """
    path = request.path
    known = format_of(path)
    if known is not None:
        return framed(known.open(request))
    if path.suffix.lower() == ".lzo":
        raise RecordingError(f"{path} is compressed; unpack it first ('lzop -d {path.name}')")
    raise RecordingError(f"{path} has an unknown format; supported are {supported()}")


def _are_frames(headers: list[Path]) -> bool:
    """Whether ``.mhd`` files are the frames of one recording rather than one recording each."""
    from sonotempo.io.metaimage_header import read_header

    if len(headers) < 2 or any(frame_number(path) is None for path in headers):
        return False
    try:
        with guarded(f"{headers[0]} cannot be read", "copy it again", RecordingError):
            # Only the number of frames matters here; the reader checks where the pixels are.
            return read_header(headers[0], Inside(headers[0].parent, follow_links=True)).frames == 1
    except RecordingError:
        return True  # the reader reports what is wrong


def _dicom_series(files: list[Path]) -> list[tuple[Path, ...]]:
    """Return the DICOM files that hold one frame each of a longer cine."""
    dicom = [path for path in files if is_dicom(path)]
    if len(dicom) < 2:
        return []
    from sonotempo.io.dicom_series import series_in

    return series_in(dicom)


def _open_folder(request: Request) -> Recording:
    folder = request.path
    bounds = request.bounds
    for path in listing(folder):
        if path.is_symlink() and format_of(path) is not None and not bounds.holds(path):
            raise RecordingError(bounds.left_out(path))
    found = contents(folder, bounds).recordings
    if len(found) > 1:
        raise RecordingError(
            f"{folder} holds {len(found)} recordings, {found[0].name} and {found[1].name} among "
            "them; open one of them, or the folder as a data set"
        )
    if found and found[0] != folder:
        return open_file(replace(request, path=found[0]))
    if found:
        return open_frames(request)
    if (folder / "images").is_dir():
        subject, name = request.subject or folder.name, request.name or folder.name
        return _open_folder(replace(request, path=folder / "images", subject=subject, name=name))
    raise RecordingError(
        f"{folder} holds no recording; expected one of: {supported()}. Copy the files there or "
        "choose another folder"
    )


def open_frames(request: Request) -> Recording:
    """Open the files in a folder that hold one frame each, whatever else is there.

    Raises:
        RecordingError: they cannot be read, or belong to several recordings.
    """
    return framed(read_safely(request.path, lambda: _frames_in(request)))


def _frames_in(request: Request) -> Recording:
    from sonotempo.io.annotation_web import is_annotated, open_annotated
    from sonotempo.io.images import open_image_folder
    from sonotempo.io.metaimage import open_metaimage_frames

    folder, bounds = request.path, request.bounds
    if is_annotated(folder, bounds):
        recording, skipped = open_annotated(request)
        # An origin without a mask hides nothing: the file's other origins hold.
        unusable = [one for one in skipped if one.path.name != ORIGINS_FILE]
        if unusable:
            raise RecordingError(unusable[0].reason)
        return recording
    if image_files(folder, bounds):
        return open_image_folder(request)
    files = [path for path in listing(folder, bounds) if path.is_file()]
    series = _dicom_series(files)
    if len(series) > 1:
        raise RecordingError(
            f"{folder} holds the frames of {len(series)} DICOM series, {series[0][0].name} and "
            f"{series[1][0].name} among them; move the files of each series into a separate folder"
        )
    if series:
        from sonotempo.io.dicom_series import open_dicom_series

        return open_dicom_series(series[0], request)
    return open_metaimage_frames([path for path in files if path.suffix == ".mhd"], request)
