"""Masks that another tool predicted, found in a folder laid out like the data.

For a sequence ``<subject>/<recording>`` the folder holds ``<subject>/<recording>/`` (or ``masks``
in it, or ``<recording>_masks`` next to it) with one file a frame whose name ends in the frame's
number; for stills, one file of the image's name, at the top or in ``masks``. Files are ``.png``,
``.bmp`` or ``.tif`` of label values, ``.mhd`` or ``.mha``. ``_gt`` at the end of a name is left
out; where some files have it, the others are taken for images.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sonotempo.errors import RecordingError
from sonotempo.io.containment import Inside
from sonotempo.io.frame_files import folders_in, listing
from sonotempo.io.frame_order import in_order
from sonotempo.io.images import read_labels
from sonotempo.io.metaimage import read_mask
from sonotempo.recording import Image, Recording

_META_SUFFIXES = frozenset({".mhd", ".mha"})
_MASK_SUFFIXES = _META_SUFFIXES | {".png", ".bmp", ".tif", ".tiff"}
_ENDING = "_gt"
_SHOWN = 3


@dataclass(frozen=True, slots=True, eq=False)
class ExternalMasks:
    """The mask files of one recording, by frame index."""

    recording: Recording
    files: Mapping[int, Path]

    def read(self, index: int) -> Image:
        """Read the mask of a frame as uint8 HW, in the frame's own shape.

        Raises:
            RecordingError: it cannot be read, has another size than its frame, or holds a label
                value without a name.
        """
        path = self.files[index]
        mask_HW = read_mask(path) if path.suffix.lower() in _META_SUFFIXES else read_labels(path)
        shape_HW = self.recording.images[index].shape
        if mask_HW.shape != shape_HW:
            raise _OtherSizeError(
                f"{path} is {mask_HW.shape[0]}x{mask_HW.shape[1]} pixels but its frame is "
                f"{shape_HW[0]}x{shape_HW[1]} (rows x columns)"
            )
        highest, names = int(mask_HW.max(initial=0)), self.recording.structures.names
        if highest > len(names):
            raise _UnknownLabelError(
                f"{path} holds the label value {highest}; expected 0 to {len(names)}: background, "
                f"{', '.join(names)}"
            )
        return mask_HW


@dataclass(frozen=True, slots=True, eq=False)
class ExternalFolder:
    """What a folder of masks holds.

    Attributes:
        recordings: the masks of each recording, in the order of the recordings.
        unused: files that belong to no frame of them.
    """

    recordings: tuple[ExternalMasks, ...]
    unused: tuple[Path, ...]


class _OtherSizeError(RecordingError):
    """A mask of another size than its frame."""


class _UnknownLabelError(RecordingError):
    """A mask with a label value that has no name."""


def find_masks(folder: Path, recordings: Sequence[Recording]) -> ExternalFolder:
    """Find the masks of recordings; every labelled frame needs one, none is read yet.

    Raises:
        RecordingError: no such folder, or it holds no mask of these recordings.
    """
    if not folder.is_dir():
        raise RecordingError(f"{folder} is not a folder; give the folder of another tool's masks")
    found = tuple(ExternalMasks(one, _files_of(folder, one)) for one in recordings)
    used = {path for masks in found for path in masks.files.values()}
    if not used:
        name = recordings[0].name
        raise RecordingError(
            f"{folder} holds no mask of these {len(recordings)} recordings; expected for example "
            f"{folder / name}{'.png' if len(recordings[0]) == 1 else '/<frame>.png'}"
        )
    unused = tuple(path for path in _masks_below(folder) if path not in used)
    return ExternalFolder(found, unused)


def require_complete(folder: Path, found: Iterable[ExternalMasks]) -> None:
    """Read the mask of every labelled frame once and refuse the folder if one cannot be used.

    A mask left out would make an arm look better than it is, so all are needed.

    Raises:
        RecordingError: masks are missing, of another size, with unknown labels or unreadable; the
            sentence counts each kind and names the first.
    """
    problems: dict[str, list[str]] = {}
    count = 0
    for masks in found:
        for index in masks.recording.labelled:
            count += 1
            if index not in masks.files:
                number = masks.recording.frame_numbers[index]
                problems.setdefault("missing", []).append(
                    f"frame {number} of {masks.recording.name}"
                )
                continue
            try:
                masks.read(index)
            except _OtherSizeError as error:
                problems.setdefault("of another size", []).append(str(error))
            except _UnknownLabelError as error:
                problems.setdefault("with unknown labels", []).append(str(error))
            except RecordingError as error:
                problems.setdefault("unreadable", []).append(str(error))
    if problems:
        kinds = "; ".join(
            f"{len(those)} {kind} ({', '.join(those[:_SHOWN])}{', …' if those[_SHOWN:] else ''})"
            for kind, those in problems.items()
        )
        raise RecordingError(
            f"{folder} cannot be compared as an arm: of {count} labelled frames' masks {kinds}. "
            "Every labelled frame needs a mask of its size; where nothing was found, write an "
            "empty one"
        )


def _files_of(folder: Path, recording: Recording) -> dict[int, Path]:
    """Return the mask file of each frame, by frame index; none of a recording without masks."""
    named = folder / recording.name
    if len(recording) == 1:
        for place in (folder, folder / "masks", named.parent, named.parent / "masks"):
            for path in _masks_in(place):
                if _plain(path) == recording.source.stem:
                    return {0: path}
    sibling = [named.with_name("masks")] if named.name == "images" else []
    for place in (named / "masks", named.with_name(f"{named.name}_masks"), *sibling, named):
        if paths := _masks_in(place):
            return _numbered(paths, recording)
    return {}


def _numbered(paths: Sequence[Path], recording: Recording) -> dict[int, Path]:
    """Give each mask to the frame of its number; without numbers, to the frame of its place."""
    by_stem = {_plain(path): path for path in paths}
    order = in_order([Path(f"{stem}.png") for stem in by_stem])
    files = [by_stem[path.stem] for path in order.paths]
    if not order.are_numbered:
        # Names alone say which frame is meant only if there is a mask for each.
        return dict(enumerate(files)) if len(files) == len(recording) else {}
    index_of = {number: i for i, number in enumerate(recording.frame_numbers.tolist())}
    pairs = zip(order.numbers.tolist(), files, strict=True)
    return {index_of[number]: path for number, path in pairs if number in index_of}


def _masks_in(place: Path) -> list[Path]:
    """Return the mask files directly in a folder; of frames with masks next to them, the masks."""
    if not place.is_dir():
        return []
    files = [
        path for path in listing(place) if path.suffix.lower() in _MASK_SUFFIXES and path.is_file()
    ]
    return [path for path in files if path.stem.endswith(_ENDING)] or files


def _masks_below(folder: Path) -> Iterator[Path]:
    for place in folders_in(folder, Inside(folder)):
        yield from _masks_in(place)


def _plain(path: Path) -> str:
    return path.stem.removesuffix(_ENDING)
