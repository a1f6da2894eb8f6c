"""Drop a recording on napari: which paths are recordings, and what is opened of them."""

# sonotempo's readers are imported when a file is read, so that finding this plugin costs nothing.
# ruff: noqa: PLC0415

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sonotempo.shared.notify import has_viewer, tell, tell_error, tell_warning

if TYPE_CHECKING:
    from napari_sonotempo.shared.layers import LayerData
    from sonotempo.recording import Recording

ReaderFunction = Callable[[Any], "list[LayerData]"]

#: How many recordings of a folder are opened at once; the message says how to open the others.
MOST_RECORDINGS = 5

_RECORDING_SUFFIXES = frozenset(
    {".dcm", ".dicom", ".mp4", ".avi", ".mov", ".mkv", ".m4v", ".webm", ".mha", ".mhd", ".raw"}
)
_FRAME_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp"})
_MASK_ENDING = "_gt"
_NUMBERED = re.compile(r"\d\Z")
# How far a dropped folder is looked through before it is left to other readers.
_MOST_ENTRIES = 2000
_DEEPEST = 5
_NOTHING: "list[Any]" = [(None,)]  # napari's sign for "read, and there is no layer to show"


def get_reader(path: Any) -> ReaderFunction | None:
    """Return the function that reads a path, or None where it is no ultrasound recording.

    Only names are looked at (and the first bytes of files without a suffix); no file is opened.

    Args:
        path: a file or folder. A list is what napari gives to open files as one stack: a list of
            one is that path, more are left to other readers.
    """
    if isinstance(path, (list, tuple)):
        if len(path) != 1:
            return None
        path = path[0]
    return read_recordings if is_recording(Path(path)) else None


def is_recording(path: Path) -> bool:
    """Whether a path looks like a recording, or a folder like one that holds some.

    A folder of images is one if its names are numbered, or if masks lie beside it; TIFF series
    without masks are left to other readers.
    """
    if not path.is_dir():
        if path.suffix.lower() == ".raw":
            return path.with_suffix(".yml").is_file()
        return path.suffix.lower() in _RECORDING_SUFFIXES or _is_dicom(path)
    if _stills_beside(path):
        return True
    left, level = _MOST_ENTRIES, [path]
    for _ in range(_DEEPEST):
        below: list[Path] = []
        for folder in level:
            files, folders = _entries(folder, left)
            left -= len(files) + len(folders)
            if _holds_recording(folder, files) or _holds_stills(folders):
                return True
            below += [folder / name for name in folders]
        level = below
        if not level or left <= 0:
            return False
    return False


def read_recordings(path: Any) -> "list[LayerData]":
    """Open a recording, or the first few of a folder, as layers.

    What cannot be opened is told as a notification; without a viewer it is raised.

    Raises:
        SonotempoError: nothing can be opened, and there is no viewer to say so in.
    """
    from sonotempo.errors import SonotempoError

    path = Path(path[0] if isinstance(path, (list, tuple)) else path)
    try:
        layers = _layers_of_folder(path) if path.is_dir() else _layers_of_file(path)
    except SonotempoError as error:
        if not has_viewer():
            raise
        tell_error(str(error))
        return _NOTHING
    return layers or _NOTHING


def _layers_of_file(path: Path) -> "list[LayerData]":
    from napari_sonotempo.files.label_names import named_structures
    from sonotempo.io import open_recording

    if path.stem.endswith(_MASK_ENDING) and path.suffix.lower() == ".mhd":
        return _layers_of_folder(path.parent)  # a mask is looked at on its frame
    return _layers_with_predictions(open_recording(path, named_structures(path)), visible=True)


def _layers_with_predictions(recording: "Recording", visible: bool) -> "list[LayerData]":
    """Return a recording's layers, and those of the masks recorded with a stream."""
    from napari_sonotempo.shared.layers import recording_layers
    from sonotempo.io.stream_files import is_stream

    layers = recording_layers(recording, visible=visible)
    if is_stream(recording.source):
        from napari_sonotempo.files.streams import prediction_layers
        from sonotempo.io.stream_recording import StreamRecording

        assert isinstance(recording, StreamRecording)  # its path says so
        layers += prediction_layers(recording, visible)
    return layers


def _layers_of_folder(folder: Path) -> "list[LayerData]":
    from sonotempo.errors import RecordingError

    stills = _still_layers(folder)
    if stills:
        return stills
    paths = list(recording_paths(folder))
    layers: list[LayerData] = []
    problems: list[str] = []
    opened = 0
    for path in paths:
        if opened == MOST_RECORDINGS:
            break
        try:
            recording, left_out = _opened(path, folder)
            layers += _layers_with_predictions(recording, visible=opened == 0)
        except RecordingError as error:
            problems.append(str(error))
            continue
        problems += left_out
        opened += 1
    if not opened:
        raise RecordingError(
            problems[0]
            if problems
            else f"{folder} holds no recordings; drop the file or the folder of a recording"
        )
    if problems:
        tell_warning(f"{len(problems)} files or folders are left out. The first: {problems[0]}")
    if opened > 1 or len(paths) > opened + len(problems):
        tell(_others(folder, paths, opened))
    return layers


def recording_paths(folder: Path) -> Iterator[Path]:
    """Yield the files and folders at or below a folder that are recordings, in order.

    Where there are annotated sequences, only those.
    """
    from sonotempo.io.annotation_web import sequence_folders

    annotated = False
    for sequence in sequence_folders(folder):
        annotated = True
        yield sequence
    if not annotated:
        yield from _plain_paths(folder, _DEEPEST)


def _plain_paths(folder: Path, levels: int) -> Iterator[Path]:
    from sonotempo.io.frame_files import listing
    from sonotempo.io.open import contents

    yield from contents(folder).recordings
    if levels > 1:
        for inner in listing(folder):
            if inner.is_dir() and not inner.name.endswith("masks"):
                yield from _plain_paths(inner, levels - 1)


def _opened(path: Path, root: Path) -> "tuple[Recording, list[str]]":
    """Open one recording, with the reasons for what was left out of it."""
    from napari_sonotempo.files.label_names import named_structures
    from sonotempo.io import open_dataset, open_recording
    from sonotempo.io.annotation_web import is_annotated

    structures = named_structures(path)
    if path.is_dir() and is_annotated(path):
        found = open_dataset(path, structures, layout="annotation_web")
        return found.recordings[0], [skipped.reason for skipped in found.skipped]
    inside = path.relative_to(root).parts
    subject = inside[0] if len(inside) > 1 else None
    return open_recording(path, structures, subject=subject), []


def _still_layers(folder: Path) -> "list[LayerData]":
    """Return labelled stills as one series, or nothing where the folder holds something else."""
    from napari_sonotempo.files.label_names import named_structures
    from napari_sonotempo.files.stills import as_series, has_masks_beside, images_of, largest_shape
    from napari_sonotempo.shared.layers import recording_layers
    from sonotempo.io import open_dataset

    folder = images_of(folder)
    if not has_masks_beside(folder):
        return []
    found = open_dataset(folder, named_structures(folder), layout="stills")
    if found.skipped:
        tell_warning(
            f"{len(found.skipped)} stills are left out. The first: {found.skipped[0].reason}"
        )
    series = as_series(found.recordings, folder)
    return recording_layers(series, shape_HW=largest_shape(found.recordings))


def _others(folder: Path, paths: list[Path], opened: int) -> str:
    shown = "The first is shown; click on the eye of another layer to see it."
    if len(paths) <= MOST_RECORDINGS:
        return f"{folder.name} holds {opened} recordings. {shown}"
    following = paths[MOST_RECORDINGS].relative_to(folder)
    return (
        f"{folder.name} holds {len(paths)} recordings; the first {opened} are open. {shown} "
        f"To open one of the others, drop it by itself, {following} for one."
    )


def _entries(folder: Path, most: int) -> tuple[list[str], list[str]]:
    """Return the names of the files and of the folders in a folder, at most so many."""
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for _, entry in zip(range(most), entries, strict=False):
                if not entry.name.startswith("."):
                    (folders if entry.is_dir() else files).append(entry.name)
    except OSError:
        return [], []  # a folder that cannot be listed holds nothing to be opened
    return files, sorted(folders)


def _holds_recording(folder: Path, names: list[str]) -> bool:
    files = [Path(name) for name in names]
    known = set(names)
    for file in files:
        suffix = file.suffix.lower()
        if suffix == ".raw":
            if file.with_suffix(".yml").name in known:
                return True
        elif suffix in _RECORDING_SUFFIXES:
            return True
    images = [file for file in files if file.suffix.lower() in _FRAME_SUFFIXES]
    if images and len(images) > 1 and all(_NUMBERED.search(image.stem) for image in images):
        return True
    without_suffix = [name for name in names if not Path(name).suffix.strip(".0123456789")]
    return any(_is_dicom(folder / name) for name in without_suffix[:3])


def _holds_stills(folders: list[str]) -> bool:
    """Whether there are folders of images with one of masks for each."""
    return {"images", "masks"} <= set(folders) or any(
        f"{name}_masks" in folders for name in folders
    )


def _stills_beside(folder: Path) -> bool:
    from napari_sonotempo.files.stills import has_masks_beside, images_of

    return has_masks_beside(images_of(folder))


def _is_dicom(path: Path) -> bool:
    from sonotempo.io.formats import is_dicom

    return path.is_file() and is_dicom(path)
