"""One door for every kind of recording: the list of formats, and which one a path is."""

# Each reader is imported when its first file is opened: pydicom, PyAV and SimpleITK are slow to
# import and a program seldom meets all of them.
# ruff: noqa: PLC0415

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sonotempo.errors import RecordingError
from sonotempo.io.frame_files import IMAGE_SUFFIXES, frame_number, image_files, listing
from sonotempo.io.stream_files import is_later_part, is_stream
from sonotempo.recording import Recording
from sonotempo.structures import NERVE_VESSEL, StructureSet


@dataclass(frozen=True, slots=True)
class _Request:
    path: Path
    structures: StructureSet
    subject: str | None
    name: str | None
    pitch_mm: float | None


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: what it is called, how its names end, and what opens it."""

    name: str
    suffixes: tuple[str, ...]
    open: Callable[[_Request], Recording]


def _dicom(wanted: _Request) -> Recording:
    from sonotempo.io.dicom import open_dicom

    return open_dicom(wanted.path, wanted.structures, subject=wanted.subject, name=wanted.name)


def _video(wanted: _Request) -> Recording:
    try:
        from sonotempo.io.stream_recording import open_stream_recording
        from sonotempo.io.video import open_video
    except ModuleNotFoundError as error:
        if error.name != "av":
            raise
        raise RecordingError(
            f"{wanted.path} needs PyAV to be read; install it with: pip install 'sonotempo[video]'"
        ) from error

    open_file = open_stream_recording if is_stream(wanted.path) else open_video
    return open_file(wanted.path, wanted.structures, subject=wanted.subject, name=wanted.name)


def _metaimage(wanted: _Request) -> Recording:
    from sonotempo.io.metaimage import open_metaimage

    return open_metaimage(wanted.path, wanted.structures, subject=wanted.subject, name=wanted.name)


def _still(wanted: _Request) -> Recording:
    from sonotempo.io.images import open_still

    return open_still(wanted.path, wanted.structures, subject=wanted.subject, name=wanted.name)


def _clarius(wanted: _Request) -> Recording:
    from sonotempo.io.clarius_raw import open_clarius_raw

    return open_clarius_raw(
        wanted.path,
        wanted.structures,
        subject=wanted.subject,
        name=wanted.name,
        pitch_mm=wanted.pitch_mm,
    )


_DICOM = Format("DICOM", (".dcm", ".dicom"), _dicom)
_STILL = Format("image", tuple(sorted(IMAGE_SUFFIXES)), _still)

#: Every kind of file that can be opened. DICOM files are also known without a suffix.
FORMATS = (
    _DICOM,
    Format("video", (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".webm"), _video),
    Format("MetaImage", (".mha", ".mhd"), _metaimage),
    Format("Clarius raw envelope with its .yml", (".raw",), _clarius),
    _STILL,
)

# What lies beside recordings and is none: descriptions, and the pixels of a header.
_SIDECARS = frozenset(
    {"", ".yml", ".yaml", ".json", ".jsonl", ".txt", ".md", ".csv", ".tsv", ".zraw"}
)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a folder holds directly.

    Attributes:
        recordings: paths that :func:`open_recording` takes; the folder itself is one of them if it
            holds frames as one file each.
        unknown: files of no known kind that are no sidecars either.
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
) -> Recording:
    """Open a file or folder as a recording; no pixels are read before a frame is asked for.

    A folder is a recording if it holds numbered image or ``.mhd`` files (one per frame, with masks
    beside them if any), a folder ``images``, or exactly one file that is a recording.

    Args:
        path: a file of one of :data:`FORMATS`, or a folder.
        structures: what mask values mean, in label order.
        subject: who was scanned; by default DICOM's PatientID, the folder above an Annotation Web
            sequence, or else the file's or folder's own name.
        name: of the recording; by default made from the path.
        pitch_mm: millimetres between a Clarius probe's elements; only raw files need it.

    Raises:
        RecordingError: nothing there, an unknown kind (the sentence lists the known ones), several
            recordings in one folder, or whatever the format's reader finds wrong.
    """
    wanted = _Request(Path(path), structures, subject, name, pitch_mm)
    if wanted.path.is_dir():
        return _open_folder(wanted)
    if not wanted.path.is_file():
        raise RecordingError(f"{path} does not exist; give the path of a recording")
    return _format_of(wanted.path).open(wanted)


def contents(folder: Path) -> Contents:
    """Sort what a folder holds directly into recordings and files of unknown kind."""
    files = [path for path in listing(folder) if path.is_file()]
    masks = {p for p in files if p.stem.endswith("_gt") and p.suffix.lower() == ".mhd"}
    frames = {p for p in files if p.suffix.lower() in IMAGE_SUFFIXES}
    headers = [p for p in files if p.suffix.lower() == ".mhd" and p not in masks]
    names = {path.name for path in files}
    are_annotated = masks or any(f"{path.stem}.json" in names for path in headers)
    if are_annotated or _are_frames(headers):
        frames.update(headers)
    left_out = frames | masks
    recordings = [folder] if frames else []
    unknown = []
    for path in files:
        suffix = path.suffix.lower()
        if (
            path in left_out
            or is_later_part(path)
            or (suffix == ".raw" and not path.with_suffix(".yml").is_file())
        ):
            continue
        if any(suffix in known.suffixes for known in FORMATS) or is_dicom(path):
            recordings.append(path)
        elif suffix not in _SIDECARS:
            unknown.append(path)
    return Contents(tuple(recordings), tuple(unknown))


def supported() -> str:
    """List the formats with their suffixes, for messages."""
    kinds = "; ".join(f"{known.name} ({', '.join(known.suffixes)})" for known in FORMATS)
    return f"{kinds}; a folder of numbered images or .mhd files"


def is_dicom(path: Path) -> bool:
    """Whether a file is opened as DICOM: by suffix, or by the mark after DICOM's preamble.

    Scanners often write DICOM files without a suffix, or with the last part of a UID for one.
    """
    if path.suffix.lower() in _DICOM.suffixes:
        return True
    if (path.suffix and not path.suffix[1:].isdecimal()) or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return True  # its reader will say what is wrong


def _format_of(path: Path) -> Format:
    suffix = path.suffix.lower()
    for known in FORMATS:
        if suffix in known.suffixes:
            return known
    if is_dicom(path):
        return _DICOM
    if suffix == ".lzo":
        raise RecordingError(f"{path} is compressed; unpack it first ('lzop -d {path.name}')")
    raise RecordingError(f"{path} is of no known kind; supported are {supported()}")


def _are_frames(headers: list[Path]) -> bool:
    """Whether ``.mhd`` files are the frames of one recording, not recordings of their own."""
    from sonotempo.io.metaimage_header import read_header

    if len(headers) < 2 or any(frame_number(path) is None for path in headers):
        return False
    try:
        return read_header(headers[0]).frames == 1
    except RecordingError:
        return True  # its reader will say what is wrong


def _open_folder(wanted: _Request) -> Recording:
    folder = wanted.path
    found = contents(folder).recordings
    if len(found) > 1:
        raise RecordingError(
            f"{folder} holds {len(found)} recordings, {found[0].name} and {found[1].name} among "
            "them; open one of them, or the folder as a data set"
        )
    if found and found[0] != folder:
        own = _Request(found[0], wanted.structures, wanted.subject, wanted.name, wanted.pitch_mm)
        return _format_of(found[0]).open(own)
    if found:
        return _open_frames(wanted)
    if (folder / "images").is_dir():
        inner = _Request(
            folder / "images",
            wanted.structures,
            wanted.subject or folder.name,
            wanted.name or folder.name,
            wanted.pitch_mm,
        )
        return _open_folder(inner)
    raise RecordingError(
        f"{folder} holds no recording; expected one of: {supported()}. Copy the files there or "
        "choose another folder"
    )


def _open_frames(wanted: _Request) -> Recording:
    from sonotempo.io.annotation_web import is_annotated, open_annotated
    from sonotempo.io.images import open_image_folder
    from sonotempo.io.metaimage import open_metaimage_frames

    folder = wanted.path
    if is_annotated(folder):
        recording, skipped = open_annotated(
            folder, wanted.structures, subject=wanted.subject, name=wanted.name
        )
        if skipped:
            raise RecordingError(skipped[0].reason)
        return recording
    if image_files(folder):
        return open_image_folder(
            folder, wanted.structures, subject=wanted.subject, name=wanted.name
        )
    return open_metaimage_frames(
        sorted(folder.glob("*.mhd")),
        wanted.structures,
        source=folder,
        subject=wanted.subject or folder.name,
        name=wanted.name or folder.name,
    )
