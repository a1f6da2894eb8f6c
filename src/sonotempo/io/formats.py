"""The list of formats: the name, the suffixes and the reader of each kind of file.

To add a reader, write a module with a function ``open_x(request: Request) -> Recording`` and add
one line to :data:`FORMATS`. Messages, folders, data sets and the napari plugin follow that list.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from sonotempo.errors import RecordingError
from sonotempo.io.containment import Inside, inside
from sonotempo.io.guard import read_safely
from sonotempo.io.stream_files import is_later_part, is_stream
from sonotempo.recording import Recording
from sonotempo.structures import NERVE_VESSEL, StructureSet

_DICOM_SUFFIXES = (".dcm", ".dicom")
_IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_STACK_SUFFIXES = (".gif", ".tif", ".tiff", ".webp")

#: How the name of a frame's mask ends, before the suffix.
MASK_ENDING = "_gt"


@dataclass(frozen=True, slots=True)
class Request:
    """What a reader is asked to open.

    Attributes:
        path: the file or folder.
        structures: what mask values mean, in label order.
        subject: who was scanned; None to take it from the file or its path.
        name: of the recording; None to make it from the path.
        pitch_mm: distance between a Clarius probe's elements; only raw files need it.
        inside: where links and the files that a header names may lead; None for the folder, or
            that of the file.
    """

    path: Path
    structures: StructureSet = NERVE_VESSEL
    subject: str | None = None
    name: str | None = None
    pitch_mm: float | None = None
    inside: Inside | None = None

    @property
    def bounds(self) -> Inside:
        """Where files may lie that the recording refers to."""
        return self.inside or inside(self.path)


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of recording file.

    Attributes:
        name: for messages.
        suffixes: of its file names, in lower case.
        reader: ``module:function``, imported when the first such file is opened: pydicom and
            PyAV are slow to import, and a program seldom needs both.
        extra: the optional dependency group that the reader needs, if any.
        recognise: tests a path where the suffix alone does not decide.
    """

    name: str
    suffixes: tuple[str, ...]
    reader: str
    extra: str | None = None
    recognise: Callable[[Path], bool] | None = None

    def matches(self, path: Path) -> bool:
        """Whether a file is of this kind."""
        if self.recognise is not None:
            return self.recognise(path)
        return path.suffix.lower() in self.suffixes

    def open(self, request: Request) -> Recording:
        """Import the reader and open the file.

        Raises:
            RecordingError: the reader's extra is not installed, or the file cannot be read.
        """
        module, function = self.reader.split(":")
        try:
            read: Callable[[Request], Recording] = getattr(import_module(module), function)
        except ModuleNotFoundError as error:
            if self.extra is None:
                raise
            raise RecordingError(
                f"{request.path} needs the package {error.name!r} to be read; install it with: "
                f"pip install 'sonotempo[{self.extra}]'"
            ) from error
        return read_safely(request.path, lambda: read(request))


def is_dicom(path: Path) -> bool:
    """Whether a file is opened as DICOM: by its suffix, or by the mark after DICOM's preamble.

    Scanners often write DICOM files without a suffix, with the last part of a UID as the suffix, or
    with a vendor's suffix, such as ``.ima``.
    """
    suffix = path.suffix.lower()
    if suffix in _DICOM_SUFFIXES:
        return True
    if suffix in _OTHER_SUFFIXES or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return True  # the reader reports what is wrong


def is_image_stack(path: Path) -> bool:
    """Whether an image file holds several images: a TIFF stack, an animated GIF or WebP."""
    if path.suffix.lower() not in _STACK_SUFFIXES:
        return False
    from sonotempo.io.pillow_files import frame_count, opened_image  # noqa: PLC0415  # slow

    try:
        with opened_image(path) as image:
            return frame_count(image) > 1
    except RecordingError:
        return False  # the reader of single images reports what is wrong


def is_image(path: Path) -> bool:
    """Whether a file is an image of one frame, judged by its suffix and the number of images."""
    return path.suffix.lower() in _IMAGE_SUFFIXES and not is_image_stack(path)


#: Image files: one frame each, so a folder of them is one recording.
IMAGES = Format("image", _IMAGE_SUFFIXES, "sonotempo.io.images:open_still", recognise=is_image)

#: Every kind of file that can be opened; the first that matches is taken.
FORMATS = (
    Format("DICOM", _DICOM_SUFFIXES, "sonotempo.io.dicom:open_dicom", recognise=is_dicom),
    Format(
        "recorded stream",
        (".mkv",),
        "sonotempo.io.stream_recording:open_stream_recording",
        extra="video",
        recognise=is_stream,
    ),
    Format(
        "video",
        (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".webm", ".mpg", ".mpeg", ".wmv", ".ts", ".mts"),
        "sonotempo.io.video:open_video",
        extra="video",
    ),
    Format("MetaImage", (".mha", ".mhd"), "sonotempo.io.metaimage:open_metaimage"),
    Format("NRRD", (".nrrd", ".nhdr"), "sonotempo.io.nrrd:open_nrrd"),
    Format(
        "Clarius raw envelope with its .yml",
        (".raw",),
        "sonotempo.io.clarius_raw:open_clarius_raw",
    ),
    Format(
        "image stack",
        _STACK_SUFFIXES,
        "sonotempo.io.image_stack:open_image_stack",
        recognise=is_image_stack,
    ),
    IMAGES,
)

_OTHER_SUFFIXES = frozenset(suffix for known in FORMATS[1:] for suffix in known.suffixes)


def format_of(path: Path) -> Format | None:
    """Return the format of a file, or None if it is unknown."""
    return next((known for known in FORMATS if known.matches(path)), None)


def is_mask(path: Path) -> bool:
    """Whether a file is the mask of a MetaImage or PNG frame.

    >>> is_mask(Path("us_3_gt.mhd")), is_mask(Path("us_3.mhd"))
    (True, False)
    """
    return path.suffix.lower() == ".mhd" and path.stem.endswith(MASK_ENDING)


def is_recording(path: Path) -> bool:
    """Whether a file is a recording by itself, judged by its name and the files next to it.

    Parts of a recording are not: masks, later segments of a stream, pixel files of a MetaImage.
    """
    if path.suffix.lower() == ".raw":
        return path.with_suffix(".yml").is_file()
    return format_of(path) is not None and not is_mask(path) and not is_later_part(path)


def supported() -> str:
    """List the formats with their suffixes, for messages."""
    kinds = "; ".join(f"{known.name} ({', '.join(known.suffixes)})" for known in FORMATS)
    return f"{kinds}; a folder of numbered images or .mhd files"
