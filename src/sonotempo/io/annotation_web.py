"""Annotation Web segmentation exports as recordings.

An export holds ``<dataset>/<subject>/<sequence>/<name>_<frame>.{mhd,png}`` with
``<name>_<frame>_gt.mhd`` masks (or labelme ``.json`` shapes) for the annotated key frames only,
so frame numbers have gaps, which the original recordings can fill. The export does not name
labels: label value ``i`` is the ``i``-th structure that the user names. ``origins.json`` in a
sequence's folder, where there is one, says which masks nobody has drawn
(:mod:`sonotempo.label_origin`).

Source: https://github.com/smistad/annotationweb (spline segmentation exporter).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from sonotempo.errors import RecordingError
from sonotempo.guard import guarded
from sonotempo.io.containment import Inside
from sonotempo.io.formats import IMAGES, MASK_ENDING, Request, is_recording
from sonotempo.io.frame_files import folders_in, listing
from sonotempo.io.frame_order import frame_number, in_order
from sonotempo.io.images import check_same_size, image_shape, open_image_frames
from sonotempo.io.labelme import is_labelme, read_shapes
from sonotempo.io.metaimage import open_metaimage_frames, read_mask
from sonotempo.io.metaimage_header import read_header
from sonotempo.io.skipped import Skipped
from sonotempo.label_origin import ORIGINS_FILE, Origin, read_origins
from sonotempo.recording import Image, Recording

_REMEDY = "export it again"
_FRAME_SUFFIXES = (".mhd", *IMAGES.suffixes)


# A function that reads the labels of one frame, and their files.
_Labels = tuple[Callable[[], Image], tuple[Path, ...]]


def sequence_folders(root: Path, inside: Inside | None = None) -> Iterator[Path]:
    """Yield every folder at or below ``root`` that holds annotated frames, in order.

    Args:
        root: where to look.
        inside: leaves out links that lead elsewhere; by default outside the root.
    """
    bounds = inside or Inside(root)
    return (folder for folder in folders_in(root, bounds) if is_annotated(folder, bounds))


def is_annotated(folder: Path, inside: Inside | None = None) -> bool:
    """Whether a folder holds frames with ``_gt.mhd`` masks or labelme shapes."""
    return any(_label_file(path) is not None for path in _frame_files(folder, inside)) or bool(
        _mask_files(folder, inside)
    )


def open_annotated(request: Request) -> tuple[Recording, tuple[Skipped, ...]]:
    """Open one sequence of an export, ``<subject>/<sequence>``: its key frames with their masks.

    Args:
        request: the folder. The subject is by default the name of the folder above, and the
            recording's name ``subject/sequence``.

    Returns:
        The recording, and the skipped frames and masks with the reasons (missing pixels, or a
        mask whose size differs from its image); an origin without a mask is among them.

    Raises:
        RecordingError: no frame can be used, the folder mixes file types or recordings, or its
            ``origins.json`` is damaged.
    """
    folder = request.path
    parts = folder.resolve().parts
    subject = request.subject or parts[-2]
    bounds = request.bounds
    frames, skipped = _usable(_frame_files(folder, bounds), bounds)
    labels: dict[Path, _Labels] = {}
    for path, shape_HW in frames.items():
        try:
            with guarded(f"the mask of {path} cannot be read", _REMEDY, RecordingError):
                found = _labels(path, shape_HW, request)
        except RecordingError as error:
            skipped.append(Skipped(path, str(error)))
            continue
        if found is not None:
            labels[path] = found
    for mask in _mask_files(folder, bounds):
        frame = mask.stem.removesuffix(MASK_ENDING)
        if not any((folder / f"{frame}{suffix}").is_file() for suffix in _FRAME_SUFFIXES):
            skipped.append(Skipped(mask, f"the mask {mask} has no image of its frame"))
    if not frames:
        nothing = (
            f"{folder} holds no annotated frames; expected <name>_<frame>.mhd or .png with "
            "<name>_<frame>_gt.mhd"
        )
        raise RecordingError(skipped[0].reason if skipped else nothing)
    are_meta = {path.suffix.lower() == ".mhd" for path in frames}
    if len(are_meta) > 1:
        types = sorted({path.suffix.lower() for path in frames})
        raise RecordingError(
            f"{folder} holds frames of several types ({', '.join(types)}); keep one type"
        )
    opener = open_metaimage_frames if are_meta == {True} else open_image_frames
    name = request.name or f"{subject}/{parts[-1]}"
    recording = opener(tuple(frames), replace(request, subject=subject, name=name))
    recording = _with_labels(recording, in_order(frames).paths, labels)
    recording, unknown = _with_origins(recording, read_origins(folder))
    return recording, (*skipped, *unknown)


def paired(annotated: Recording, whole: Recording) -> Recording:
    """Add the masks of an exported sequence to its original recording.

    The result has every frame of ``whole``; frames are matched by frame number.

    Raises:
        RecordingError: ``whole`` lacks a frame that is annotated.
    """
    position = {number: i for i, number in enumerate(whole.frame_numbers.tolist())}
    numbers = {i: int(annotated.frame_numbers[i]) for i in annotated.labelled}
    missing = [number for number in numbers.values() if number not in position]
    if missing:
        raise RecordingError(
            f"{annotated.source} annotates frame {missing[0]}, but {whole.source} holds frames "
            f"{whole.frame_numbers[0]} to {whole.frame_numbers[-1]} without it; check that "
            "data.frames_root holds the original recordings of the export"
        )
    readers = {position[number]: annotated.mask_readers[i] for i, number in numbers.items()}
    frames = set(annotated.files) - set(whole.files)
    return replace(
        whole,
        subject=annotated.subject,
        name=annotated.name,
        structures=annotated.structures,
        spacing_mm=whole.spacing_mm or annotated.spacing_mm,
        mask_readers=MappingProxyType(readers),
        origins=MappingProxyType(
            {position[numbers[i]]: origin for i, origin in annotated.origins.items()}
        ),
        files=(*whole.files, *sorted(frames)),
    )


def recorded_sequence(frames_root: Path, sequence: Path) -> Path:
    """Find the original recording of an exported sequence.

    It is a folder ``<subject>/<sequence>`` or a file ``<subject>/<sequence>.<suffix>``, with or
    without the data set's name in front. Only files that are recordings by themselves count.

    Raises:
        RecordingError: there is no such recording, or more than one.
    """
    dataset, subject, name = sequence.resolve().parts[-3:]
    for parent in (frames_root / dataset / subject, frames_root / subject):
        if (parent / name).is_dir():
            return parent / name
        found = listing(parent) if parent.is_dir() else []
        files = [path for path in found if path.stem == name and is_recording(path)]
        if len(files) == 1:
            return files[0]
        if files:
            raise RecordingError(
                f"{sequence} fits {len(files)} recordings, {files[0]} and {files[1].name} among "
                "them; keep one"
            )
    raise RecordingError(
        f"{sequence} has no recording {subject}/{name} in {frames_root}; copy it there, or leave "
        "data.frames_root empty to use the annotated frames alone"
    )


def _mask_files(folder: Path, inside: Inside | None) -> list[Path]:
    return [path for path in listing(folder, inside) if path.name.endswith(f"{MASK_ENDING}.mhd")]


def _frame_files(folder: Path, inside: Inside | None) -> list[Path]:
    """Return the files of frames: images, and numbered ``.mhd`` files."""
    return [
        path
        for path in listing(folder, inside)
        if not path.stem.endswith(MASK_ENDING)
        and (
            IMAGES.matches(path)
            or (path.suffix.lower() == ".mhd" and frame_number(path) is not None)
        )
    ]


def _label_file(frame: Path) -> Path | None:
    mask, shapes = frame.with_name(f"{frame.stem}{MASK_ENDING}.mhd"), frame.with_suffix(".json")
    if mask.is_file():
        return mask
    return shapes if shapes.is_file() and is_labelme(shapes) else None


def _usable(
    paths: Iterable[Path], inside: Inside
) -> tuple[dict[Path, tuple[int, int]], list[Skipped]]:
    """Return the shapes of frames with pixels, and the reasons why others have none."""
    frames: dict[Path, tuple[int, int]] = {}
    skipped: list[Skipped] = []
    for path in paths:
        try:
            with guarded(f"{path} cannot be read", _REMEDY, RecordingError):
                is_meta = path.suffix.lower() == ".mhd"
                frames[path] = read_header(path, inside).shown_HW if is_meta else image_shape(path)
        except RecordingError as error:
            skipped.append(Skipped(path, str(error)))
    return frames, skipped


def _labels(frame: Path, shape_HW: tuple[int, int], request: Request) -> _Labels | None:
    path, inside = _label_file(frame), request.bounds
    if path is None:
        return None
    if not inside.holds_entry(path):
        raise RecordingError(inside.left_out(path))
    if path.suffix == ".json":
        return partial(read_shapes, path, shape_HW, request.structures, frame), (path,)
    header = read_header(path, inside)
    stored = header.stored
    if frame.suffix.lower() == ".mhd" and "UltrasoundImageOrientation" not in header.fields:
        stored = read_header(frame, inside).stored
    check_same_size(path, replace(header, stored=stored).shown_HW, frame, shape_HW)
    return partial(read_mask, path, stored, inside), header.files


def _with_labels(
    recording: Recording, frames: Sequence[Path], labels: Mapping[Path, _Labels]
) -> Recording:
    readers = {i: labels[path][0] for i, path in enumerate(frames) if path in labels}
    label_files = tuple(file for _, files in labels.values() for file in files)
    return replace(
        recording,
        mask_readers=MappingProxyType(readers),
        files=(*recording.files, *label_files),
    )


def _with_origins(
    recording: Recording, by_number: Mapping[int, Origin]
) -> tuple[Recording, tuple[Skipped, ...]]:
    """Add where the masks come from; return what is said of frames that have no mask, too."""
    index_of = {int(recording.frame_numbers[index]): index for index in recording.labelled}
    origins = {index_of[number]: one for number, one in by_number.items() if number in index_of}
    without = [
        number
        for number in sorted(set(by_number) - set(index_of))
        # One that is there but cannot be used is reported by itself.
        if not any(recording.source.glob(f"*_{number}{MASK_ENDING}.mhd"))
    ]
    skipped: tuple[Skipped, ...] = ()
    if without:
        path = recording.source / ORIGINS_FILE
        said = f"frame {without[0]}" if len(without) == 1 else f"{len(without)} frames"
        skipped = (
            Skipped(path, f"{path} says where the mask of {said} comes from, but there is none"),
        )
    return replace(recording, origins=MappingProxyType(origins)), skipped
