"""Masks from napari to files that a network can be trained on: the layout of Annotation Web."""

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_sonotempo.shared.label_names import METADATA_FILE, metadata_lines
from napari_sonotempo.shared.layers import (
    LayerData,
    facts_of,
    label_names,
    recording_of,
    structures_of,
)
from napari_sonotempo.shared.lazy_masks import LazyMasks
from napari_sonotempo.shared.made_by import model_of
from napari_sonotempo.shared.notify import tell, tell_warning
from sonotempo.errors import RecordingError, SonotempoError
from sonotempo.folders import short_name
from sonotempo.io import open_recording
from sonotempo.io.writers import write_frame
from sonotempo.label_origin import Origin, counted_origins, write_origins
from sonotempo.recording import Image, Recording
from sonotempo.structures import StructureSet

_WRITER_LINE = "writer: sonotempo napari plugin"
_FRAME_NAME = "frame"
_HIGHEST_LABEL = 254


@dataclass(frozen=True, slots=True)
class _Edited:
    """One Labels layer to be written.

    Attributes:
        name: of the layer.
        masks_THW: its data, time first.
        positions: of the frames to write.
        recording: the labelled recording: images, time stamps, spacing, subject and name.
        has_images: whether the recording's images are known; if not, only masks are written.
        structures: what the label values mean.
        origins: where the masks come from, by position; the others are a person's.
    """

    name: str
    masks_THW: Any
    positions: tuple[int, ...]
    recording: Recording
    has_images: bool
    structures: StructureSet
    origins: Mapping[int, Origin] = field(default_factory=dict)

    @property
    def by_number(self) -> dict[int, Origin]:
        """Where the masks come from, by frame number."""
        numbers = self.recording.frame_numbers
        return {int(numbers[p]): self.origins.get(p, Origin()) for p in self.positions}

    @property
    def counted(self) -> str:
        """How many masks have which origin."""
        return counted_origins(Counter(origin.text for origin in self.by_number.values()))


def write_annotation_web(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Write Labels layers as ``<path>/<subject>/<sequence>/frame_<number>.mhd`` with ``_gt`` masks.

    ``sonotempo.io.open_dataset(path, ...)`` reads them back, and so does training with
    ``data.root=<path>``. Only frames that have labels, had a mask or were painted on are
    written, each with its image, frame number and time stamp. ``metadata.txt`` in the same folder
    names the labels, ``origins.json`` says where each mask comes from
    (:mod:`sonotempo.label_origin`). The images come from the recording that the labels were opened
    with, or else from the Image layer that is saved together with them.

    What a model has made or motion has carried is saved with its origin, and is no truth to train
    on until somebody has accepted it.

    Only files that this writer made are ever overwritten. Saving a recording to the same folder
    again replaces the earlier save as a whole.

    Args:
        path: the folder of the data set; created if missing.
        layers: of napari, as (data, attributes, type): one or more Labels, with or without Image.

    Returns:
        The sequence folders that were written.

    Raises:
        SonotempoError: nothing is labelled, a label value is too high, two layers belong to one
            recording, the folder holds other files, or it cannot be written.
    """
    root = Path(path)
    images = [layer for layer in layers if layer[2] == "image"]
    edited = [_edited(layer, images) for layer in layers if layer[2] == "labels"]
    folders = [root / _folder_name(e.recording.subject) / _sequence_name(e) for e in edited]
    twice = [folder for folder in folders if folders.count(folder) > 1]
    if twice:
        raise RecordingError(
            f"{len(twice)} of the layers to be saved would become {twice[0]}; save them one at a "
            "time, each to its own folder"
        )
    for folder, layer in zip(folders, edited, strict=True):
        _refuse_taken(folder, layer.recording)
    for folder, layer in zip(folders, edited, strict=True):
        _write_sequence(folder, layer)
    for folder, layer in zip(folders, edited, strict=True):
        if isinstance(layer.masks_THW, LazyMasks):
            layer.masks_THW.note_saved(folder)
        if not layer.has_images:
            tell_warning(
                f"The masks of {layer.name!r} are saved without images, because the images they "
                "were drawn on are unknown; to train on them, select the Image layer too and save "
                "both together"
            )
    frames = sum(len(layer.positions) for layer in edited)
    tell(f"Saved {frames} labelled frames in {root} ({'; '.join(one.counted for one in edited)})")
    return [str(folder) for folder in folders]


def _edited(layer: LayerData, images: Iterable[LayerData]) -> _Edited:
    data, meta, _ = layer
    name = str(meta.get("name", "labels"))
    shape = tuple(data.shape)
    if len(shape) not in (2, 3):
        raise RecordingError(
            f"the layer {name!r} has {len(shape)} axes; expected time, rows and columns"
        )
    masks_THW = data if len(shape) == 3 else np.asarray(data)[None]
    own = recording_of(data, meta)
    recording = _drawn_on(layer, images)
    positions = _positions(masks_THW, facts_of(meta))
    if not positions:
        raise RecordingError(f"the layer {name!r} holds no labels; paint some, then save it")
    highest = max(int(np.max(masks_THW[position])) for position in positions)
    lowest = min(int(np.min(masks_THW[position])) for position in positions)
    if lowest < 0 or highest > _HIGHEST_LABEL:
        raise RecordingError(
            f"the layer {name!r} holds label values from {lowest} to {highest}; an 8-bit mask "
            f"holds 0 to {_HIGHEST_LABEL}: change the others"
        )
    structures = structures_of(meta)
    if structures is None or len(structures) < highest:
        structures = label_names(max(highest, 1))
    origins = _origins(data, meta, positions, recording or own)
    return _Edited(
        name,
        masks_THW,
        positions,
        recording or own,
        recording is not None,
        structures,
        origins,
    )


def _origins(
    data: Any, meta: Mapping[str, Any], positions: tuple[int, ...], recording: Recording
) -> dict[int, Origin]:
    """Return where masks come from; of an array of numbers, that of those it was opened with."""
    if isinstance(data, LazyMasks):
        return data.origins
    if model_of(meta):
        return dict.fromkeys(positions, Origin("model", model_of(meta)))
    opened = set(facts_of(meta).get("labelled", ()))
    return {position: one for position, one in recording.origins.items() if position in opened}


def _drawn_on(layer: LayerData, images: Iterable[LayerData]) -> Recording | None:
    """Return the recording that labels were drawn on, or None if it is unknown."""
    data, meta, _ = layer
    if isinstance(data, LazyMasks):
        return data.recording
    facts = facts_of(meta)
    fitting = [image for image in images if _is_over(data, image)]
    same = [image for image in fitting if facts and facts_of(image[1]) == facts]
    for image in (*same, *fitting[:1]):
        return recording_of(image[0], image[1])
    if facts and Path(facts["source"]).exists():
        return _reopened(data, facts)
    return None


def _reopened(labels_THW: Any, facts: Mapping[str, Any]) -> Recording | None:
    """Open the recording that a layer names, if it still has the layer's shape."""
    try:
        recording = open_recording(
            facts["source"], label_names(1), subject=facts["subject"], name=facts["name"]
        )
        shape = (len(recording), *recording.images[0].shape)
    except RecordingError:
        return None  # moved or damaged: the masks are saved without it
    return recording if shape == tuple(labels_THW.shape) else None


def _is_over(labels: Any, image: LayerData) -> bool:
    """Whether labels have the same frames, rows and columns as an Image layer."""
    shape = image[0].shape[:-1] if image[1].get("rgb") else image[0].shape
    return tuple(shape) == tuple(labels.shape)


def _positions(masks_THW: Any, facts: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the frames that have labels, had a mask or were painted on."""
    if isinstance(masks_THW, LazyMasks):
        return masks_THW.labelled
    had = {int(position) for position in facts.get("labelled", ()) if position < len(masks_THW)}
    has = {position for position in range(len(masks_THW)) if np.any(masks_THW[position])}
    return tuple(sorted(had | has))


def _folder_name(name: str) -> str:
    """Return a name that every file system accepts."""
    kept = "".join(c if c.isalnum() or c in " ._-()" else "_" for c in name).strip(" .")
    return kept or "unnamed"


def _sequence_name(edited: _Edited) -> str:
    """Return the last part of a recording's name, which often begins with the subject."""
    return _folder_name(Path(edited.recording.name).name)


def _refuse_taken(folder: Path, recording: Recording) -> None:
    """Refuse to overwrite the recording's files, or files that this writer did not make."""
    sources = {recording.source.resolve(), *(file.resolve().parent for file in recording.files)}
    if folder.resolve() in sources:
        raise RecordingError(
            f"{folder} is the source of these masks and is never overwritten; save to another "
            "folder"
        )
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not folder.is_dir() or not _is_own(folder):
        raise RecordingError(f"{folder} already holds other files; save to another folder")


def _is_own(folder: Path) -> bool:
    described = folder / METADATA_FILE
    return described.is_file() and _WRITER_LINE in described.read_text(encoding="utf-8")


def _write_sequence(folder: Path, edited: _Edited) -> None:
    """Write a sequence to a temporary folder, then swap it in: an earlier save stays until then."""
    draft = folder.with_name(f".{folder.name}.part")
    former = folder.with_name(f".{folder.name}.former")
    try:
        draft.mkdir(parents=True)
        write_origins(draft, edited.by_number)
        for position in _with_progress(edited.positions, f"saving {edited.name}"):
            _write_frame(draft, position, edited)
        (draft / METADATA_FILE).write_text(_described(edited), encoding="utf-8")
        if folder.exists():
            folder.replace(former)
        draft.replace(folder)
    except OSError as error:
        if former.is_dir() and not folder.exists():
            former.replace(folder)
        raise SonotempoError(
            f"{folder} cannot be written ({error.strerror or error}); free some space or save to "
            "another folder. Earlier saves are intact"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(former, ignore_errors=True)


def _write_frame(folder: Path, position: int, edited: _Edited) -> None:
    recording = edited.recording
    mask_HW = np.asarray(edited.masks_THW[position]).astype(np.uint8)
    stem = f"{_FRAME_NAME}_{recording.frame_numbers[position]}"
    timestamp_ns = int(recording.timestamps_ns[position])
    if not edited.has_images:
        write_frame(
            folder, f"{stem}_gt", mask_HW, None,
            spacing_mm=recording.spacing_mm, timestamp_ns=timestamp_ns,
        )  # fmt: skip
        return
    image_HW: Image = recording.images[position]
    rows, columns = image_HW.shape
    fitted_HW = np.zeros(image_HW.shape, np.uint8)
    shown_HW = mask_HW[:rows, :columns]  # smaller frames are shown padded with black
    fitted_HW[: shown_HW.shape[0], : shown_HW.shape[1]] = shown_HW
    write_frame(
        folder,
        stem,
        image_HW,
        fitted_HW,
        spacing_mm=recording.spacing_mm,
        timestamp_ns=timestamp_ns,
    )


def _described(edited: _Edited) -> str:
    source = short_name(edited.recording.source)
    lines = [_WRITER_LINE, f"source: {source}", *metadata_lines(edited.structures)]
    lines.append(f"masks: {edited.counted}")
    return "\n".join(lines) + "\n"


def _with_progress(positions: tuple[int, ...], what: str) -> Iterable[int]:
    from napari.utils import progress  # noqa: PLC0415  # slow to import, and only writing needs it

    bar: Iterable[int] = progress(positions, desc=what)
    return bar
