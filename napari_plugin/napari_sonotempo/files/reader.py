"""Drop a recording on napari: which paths are recordings, and which layers they become."""

# sonotempo's readers are imported when a path is looked at, so that finding this plugin is quick.
# ruff: noqa: PLC0415

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sonotempo.shared.notify import has_viewer, tell, tell_error, tell_warning

if TYPE_CHECKING:
    from napari_sonotempo.shared.layers import LayerData
    from sonotempo.recording import Recording

ReaderFunction = Callable[[Any], "list[LayerData]"]

#: How many recordings of a folder are opened at once; the message explains how to open the others.
MOST_RECORDINGS = 5

# How far a dropped folder is searched before it is left to other readers.
_MOST_ENTRIES = 2000
_DEEPEST = 12
_NOTHING: "list[Any]" = [(None,)]  # napari's sign for "read, and there is no layer to show"


def get_reader(path: Any = None) -> ReaderFunction | None:
    """Return the function that reads a path, or None if it is not an ultrasound recording.

    Names decide, and the first bytes of files that a name leaves open; no recording is opened.

    Args:
        path: a file or folder. A list is what napari gives to open files as one stack: a list of
            one is that path, more are left to other readers. The command palette gives none: then
            the user chooses a file.
    """
    if path is None:
        _ask_for_recording()
        return None
    if isinstance(path, (list, tuple)):
        if len(path) != 1:
            return None
        path = path[0]
    return read_recordings if is_recording(Path(path)) else None


def _ask_for_recording() -> None:
    from napari import current_viewer
    from qtpy.QtWidgets import QFileDialog

    viewer = current_viewer()
    path, _ = QFileDialog.getOpenFileName(None, "Open an ultrasound recording")
    if path and viewer is not None:
        viewer.open(path, plugin="sonotempo")


def is_recording(path: Path) -> bool:
    """Whether a path looks like a recording, or a folder like one that holds some.

    A folder of images is one if its names are numbered, or if it has masks; TIFF series without
    masks are left to other readers.
    """
    if not path.is_dir():
        return _is_recording_file(path)
    from napari_sonotempo.files.stills import images_of
    from sonotempo.io.dataset import still_folders

    if still_folders(images_of(path)) is not None:
        return True
    left, level = _MOST_ENTRIES, [path]
    for _ in range(_DEEPEST):
        below: list[Path] = []
        for folder in level:
            files, folders = _entries(folder, left)
            left -= len(files) + len(folders)
            if _holds_recording(files) or _holds_stills([inner.name for inner in folders]):
                return True
            below += folders
        level = below
        if not level or left <= 0:
            return False
    return False


def read_recordings(path: Any) -> "list[LayerData]":
    """Open a recording, or the first few of a folder, as layers.

    Problems are shown as notifications; without a viewer they are raised.

    Raises:
        SonotempoError: nothing can be opened, and there is no viewer to show a notification.
    """
    from napari_sonotempo.files.first_view import begin_here
    from sonotempo.errors import SonotempoError

    path = Path(path[0] if isinstance(path, (list, tuple)) else path)
    try:
        layers = _layers_of_folder(path) if path.is_dir() else _layers_of_file(path)
    except SonotempoError as error:
        if not has_viewer():
            raise
        tell_error(str(error))
        return _NOTHING
    if layers and has_viewer():
        begin_here(layers)
    return layers or _NOTHING


def _layers_of_file(path: Path) -> "list[LayerData]":
    from napari_sonotempo.shared.label_names import named_structures
    from sonotempo.io import open_recording
    from sonotempo.io.formats import is_mask

    if is_mask(path):
        return _layers_of_folder(path.parent)  # a mask is shown on its frame
    return _layers_with_predictions(open_recording(path, named_structures(path)), visible=True)


def _layers_with_predictions(recording: "Recording", visible: bool) -> "list[LayerData]":
    """Return a recording's layers, with those of the predictions recorded with a stream."""
    from napari_sonotempo.shared.layers import recording_layers
    from sonotempo.io.stream_files import is_stream

    layers = recording_layers(recording, visible=visible)
    if is_stream(recording.source):
        from napari_sonotempo.files.streams import prediction_layers
        from sonotempo.io.stream_recording import StreamRecording

        assert isinstance(recording, StreamRecording)  # as its path is a stream
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
        tell_warning(f"{len(problems)} files or folders were left out. The first: {problems[0]}")
    if opened > 1 or len(paths) > opened + len(problems):
        tell(_others(folder, paths, opened))
    return layers


def recording_paths(folder: Path) -> Iterator[Path]:
    """Yield the recordings at or below a folder, in order: only annotated ones if there are any."""
    from sonotempo.io.annotation_web import sequence_folders

    annotated = False
    for sequence in sequence_folders(folder):
        annotated = True
        yield sequence
    if not annotated:
        yield from _plain_paths(folder, _DEEPEST, set(), folder)


def _plain_paths(folder: Path, levels: int, seen: set[Path], root: Path) -> Iterator[Path]:
    from sonotempo.io.containment import Inside
    from sonotempo.io.frame_files import listing
    from sonotempo.io.open import contents

    seen.add(folder.resolve())
    inside = Inside(root)
    yield from contents(folder, inside).recordings
    if levels > 1:
        for inner in listing(folder, inside):
            is_new = inner.is_dir() and inner.resolve() not in seen  # links may lead back
            if is_new and not inner.name.endswith("masks"):
                yield from _plain_paths(inner, levels - 1, seen, root)


def _opened(path: Path, root: Path) -> "tuple[Recording, list[str]]":
    """Open one recording; return it with the reasons for frames that were left out."""
    from napari_sonotempo.shared.label_names import named_structures
    from sonotempo.io.annotation_web import is_annotated, open_annotated
    from sonotempo.io.formats import Request
    from sonotempo.io.open import open_file, open_frames

    structures = named_structures(path)
    if path.is_dir() and is_annotated(path):
        recording, skipped = open_annotated(Request(path, structures))
        return recording, [one.reason for one in skipped]
    inside = path.relative_to(root).parts
    subject = inside[0] if len(inside) > 1 else None
    request = Request(path, structures, subject)
    return (open_frames if path.is_dir() else open_file)(request), []


def _still_layers(folder: Path) -> "list[LayerData]":
    """Return labelled stills as one series, or nothing if the folder holds something else."""
    from napari_sonotempo.files.stills import as_series, images_of, largest_shape
    from napari_sonotempo.shared.label_names import named_structures
    from napari_sonotempo.shared.layers import recording_layers
    from sonotempo.io.dataset import open_dataset, still_folders

    folder = images_of(folder)
    if still_folders(folder) is None:
        return []
    found = open_dataset(folder, named_structures(folder), layout="stills")
    if found.skipped:
        tell_warning(
            f"{len(found.skipped)} stills were left out. The first: {found.skipped[0].reason}"
        )
    series = as_series(found.recordings, folder)
    return recording_layers(series, shape_HW=largest_shape(found.recordings))


def _others(folder: Path, paths: list[Path], opened: int) -> str:
    shown = "The first is shown; click the eye icon of another layer to see it."
    if len(paths) <= MOST_RECORDINGS:
        return f"{folder.name} holds {opened} recordings. {shown}"
    following = paths[MOST_RECORDINGS].relative_to(folder)
    return (
        f"{folder.name} holds {len(paths)} recordings; the first {opened} are open. {shown} "
        f"To open one of the others, drop it on its own, for example {following}."
    )


def _entries(folder: Path, most: int) -> tuple[list[Path], list[Path]]:
    """Return the files and the folders in a folder, up to a number of entries."""
    files: list[Path] = []
    folders: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for _, entry in zip(range(most), entries, strict=False):
                if not entry.name.startswith("."):
                    (folders if entry.is_dir() else files).append(folder / entry.name)
    except OSError:
        return [], []  # nothing can be opened in a folder that cannot be listed
    return files, sorted(folders)


def _is_recording_file(path: Path) -> bool:
    """Whether a file, or the frame that it is a mask of, is a recording; pictures are not."""
    from sonotempo.io.formats import IMAGES, format_of, is_recording

    if path.suffix.lower() == ".raw":
        return is_recording(path)
    return format_of(path) not in (None, IMAGES)


def _holds_recording(files: list[Path]) -> bool:
    from sonotempo.io.formats import IMAGES
    from sonotempo.io.frame_order import frame_number

    images = [file for file in files if IMAGES.matches(file) and "tif" not in file.suffix.lower()]
    are_frames = len(images) > 1 and all(frame_number(image) is not None for image in images)
    return are_frames or any(map(_is_recording_file, files))


def _holds_stills(folders: list[str]) -> bool:
    """Whether there is a folder of images with one of masks."""
    return {"images", "masks"} <= set(folders) or any(
        f"{name}_masks" in folders for name in folders
    )
