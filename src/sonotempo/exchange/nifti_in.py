"""Recordings from NIfTI images with their masks: two dimensions, or two and time.

Source: https://nifti.nimh.nih.gov/nifti-1. A mask is ``<name>_gt.nii.gz`` next to
``<name>.nii.gz``. Arrays are (column, row), (column, row, time) or (column, row, 1, time), and are
taken as they are stored, whatever the direction of their axes.
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from sonotempo.errors import RecordingError
from sonotempo.exchange.incoming import ImportRequest, Incoming, label_values
from sonotempo.exchange.nifti import LABELS_FILE
from sonotempo.exchange.outgoing import ExchangedFrame
from sonotempo.io.formats import MASK_ENDING
from sonotempo.recording import Spacing

_SUFFIXES = (".nii.gz", ".nii")
_UNREADABLE = (
    *(ImageFileError, HeaderDataError, OSError, EOFError, ValueError, MemoryError),
    *(zlib.error, gzip.BadGzipFile, OverflowError, TypeError),
)
_VALUES = 256
_MM = {"mm": 1.0, "meter": 1e3, "micron": 1e-3}
_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}


@dataclass(frozen=True, slots=True, eq=False)
class _Facts:
    """What is known of each frame; None where the files do not say."""

    numbers: list[int]
    timestamps_ns: list[int] | None
    spacings_mm: list[Spacing | None]


def read_nifti(request: ImportRequest) -> tuple[Incoming, ...]:
    """Read the pairs in a folder ``<subject>/<name>.nii.gz``, or one image with its mask.

    Label values are named by ``dataset.json`` in the folder, or by the request's ``labels``:
    ``{"nerve": 1}``, or such a mapping, either way round, under the key ``labels``.

    Raises:
        RecordingError: no pairs, label values without a name, unknown names, or shapes of image
            and mask that differ.
    """
    source = request.source
    root = source if source.is_dir() else source.parent
    pairs = _pairs(source)
    values = _values(request, root)
    return tuple(_incoming(image, mask, root, values, request) for image, mask in pairs)


def _pairs(source: Path) -> list[tuple[Path, Path]]:
    paths = sorted(source.rglob("*")) if source.is_dir() else [source]
    images = [path for path in paths if path.name.endswith(_SUFFIXES)]
    found, alone = [], []
    for image in images:
        stem, suffix = _split(image)
        if stem.endswith(MASK_ENDING):
            continue
        mask = image.with_name(f"{stem}{MASK_ENDING}{suffix}")
        if mask.is_file():
            found.append((image, mask))
        else:
            alone.append(mask)
    if alone:
        raise RecordingError(
            f"{len(alone)} images have no mask, {alone[0]} among those that are missing; a mask is "
            f"called like its image with {MASK_ENDING!r} at the end: rename masks, or move the "
            "images away"
        )
    if not found:
        raise RecordingError(
            f"{source} holds no NIfTI image with its mask; expected <subject>/<name>.nii.gz and "
            f"<subject>/<name>{MASK_ENDING}.nii.gz"
        )
    return found


def _split(path: Path) -> tuple[str, str]:
    suffix = next(suffix for suffix in _SUFFIXES if path.name.endswith(suffix))
    return path.name.removesuffix(suffix), suffix


def _values(request: ImportRequest, root: Path) -> Mapping[int, int]:
    """Return the label value of each value in the masks."""
    path = request.labels or root / LABELS_FILE
    if request.labels is None and not path.is_file():
        raise RecordingError(
            f"{root} holds no {LABELS_FILE} that names the values of its masks; give --labels with "
            'a JSON file such as {"nerve": 1, "vessel": 2}'
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        named = {_value(a, b): _name(a, b) for a, b in content.get("labels", content).items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RecordingError(
            f'{path} does not name label values ({error}); expected such as {{"nerve": 1}}'
        ) from error
    names = {value: name for value, name in named.items() if value != 0}
    beyond = [value for value in names if not 0 < value < _VALUES]
    if beyond:
        raise RecordingError(f"{path} names the value {beyond[0]}; expected 0 to {_VALUES - 1}")
    labels = label_values(list(names.values()), request.structures, path)
    return {0: 0, **{value: labels[name] for value, name in names.items()}}


def _value(key: str, content: Any) -> int:
    return int(content) if not isinstance(content, str) else int(key)


def _name(key: str, content: Any) -> str:
    return content if isinstance(content, str) else key


def _incoming(
    image: Path, mask: Path, root: Path, values: Mapping[int, int], request: ImportRequest
) -> Incoming:
    stem, _ = _split(image)
    known = _described(image.with_name(f"{stem}.json"))
    inside = image.relative_to(root).parts[:-1]
    subject = known.get("subject") or (inside[0] if inside else request.subject)
    if subject is None:
        raise RecordingError(
            f"{image} does not say who it shows, and subjects must be known to be kept apart; put "
            "it in a folder of its subject, or give --subject NAME if all files show one person"
        )
    opened, drawn = _opened(image), _opened(mask)
    if opened.shape != drawn.shape:
        raise RecordingError(
            f"{mask} has the shape {drawn.shape} but {image.name} {opened.shape}; export both "
            "again with one size and number of frames"
        )
    count = _count(opened.shape, image)
    facts = _facts(known, opened.header, count, image)
    name = str(known.get("recording") or "-".join((*inside[1:], stem)))
    frames = partial(_frames, image, mask, facts, values)
    return Incoming(str(subject), name, count, frames)


def _described(path: Path) -> dict[str, Any]:
    """Return what this toolkit wrote next to the image, if it did."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}  # of another program
    return content if isinstance(content, dict) and "frame_numbers" in content else {}


def _opened(path: Path) -> Any:
    try:
        image = nibabel.load(path)
        if image.get_data_dtype().fields is not None:
            raise ValueError("colours")
    except _UNREADABLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RecordingError(
            f"{path} cannot be read as NIfTI ({reason}); export it again in grey"
        ) from error
    return image


def _count(shape: tuple[int, ...], path: Path) -> int:
    """Return the number of frames of an array."""
    is_plane = len(shape) in (2, 3) or (len(shape) == 4 and shape[2] == 1)
    if not is_plane or min(shape) < 1:
        raise RecordingError(
            f"{path} has the shape {shape}; expected (columns, rows), (columns, rows, time) or "
            "(columns, rows, 1, time): a volume is no cine"
        )
    return 1 if len(shape) == 2 else int(shape[-1])


def _facts(known: Mapping[str, Any], header: Any, count: int, path: Path) -> _Facts:
    """Return what is known of the frames: as this toolkit wrote it, else from the header."""
    if not known:
        return _facts_of_header(header, count)
    times_ns, spacings_mm = known.get("timestamps_ns"), known.get("spacings_mm")
    try:
        facts = _Facts(
            [int(number) for number in known["frame_numbers"]],
            None if times_ns is None else [int(time_ns) for time_ns in times_ns],
            [mm and (float(mm[0]), float(mm[1])) for mm in spacings_mm or [None] * count],
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise RecordingError(
            f"the .json next to {path} does not describe its frames ({error}); delete it"
        ) from error
    several = (facts.numbers, facts.timestamps_ns, facts.spacings_mm)
    if any(values is not None and len(values) != count for values in several):
        raise RecordingError(
            f"the .json next to {path} describes {len(facts.numbers)} frames but the image has "
            f"{count}; delete it, or export both again"
        )
    return facts


def _facts_of_header(header: Any, count: int) -> _Facts:
    length, time = header.get_xyzt_units()
    zooms = [float(zoom) for zoom in header.get_zooms()]
    factor = _MM.get(length, 0.0)
    spacing_mm = (zooms[1] * factor, zooms[0] * factor)
    period_s = zooms[3] * _SECONDS.get(time, 0.0) if len(zooms) == 4 else 0.0
    times_ns = [round(i * period_s * 1e9) for i in range(count)] if period_s > 0 else None
    spacings_mm = [spacing_mm if min(spacing_mm) > 0 else None] * count
    return _Facts(list(range(count)), times_ns, spacings_mm)


def _frames(
    image: Path, mask: Path, facts: _Facts, values: Mapping[int, int]
) -> Iterator[ExchangedFrame]:
    grey_THW, drawn_THW = _whole_numbers(image), _whole_numbers(mask)
    unnamed = sorted(set(np.unique(drawn_THW).tolist()) - values.keys())
    if unnamed:
        raise RecordingError(
            f"{mask} holds the label value {unnamed[0]}, which has no name; name it in "
            f"{LABELS_FILE} or --labels"
        )
    to_label = np.zeros(_VALUES, np.uint8)
    for value, label in values.items():
        to_label[value] = label
    for i, number in enumerate(facts.numbers):
        yield ExchangedFrame(
            number,
            grey_THW[i],
            to_label[drawn_THW[i]],
            None if facts.timestamps_ns is None else facts.timestamps_ns[i],
            facts.spacings_mm[i],
        )


def _whole_numbers(path: Path) -> NDArray[np.uint8]:
    """Return the frames of a file as uint8 THW."""
    try:
        values = np.asanyarray(_opened(path).dataobj)
    except _UNREADABLE as error:
        raise RecordingError(
            f"{path} is damaged ({' '.join(str(error).split())}); copy or export it again"
        ) from error
    planes = values.reshape(*values.shape[:2], -1).transpose(2, 1, 0)
    if planes.min() < 0 or planes.max() >= _VALUES or np.any(planes != np.floor(planes)):
        raise RecordingError(
            f"{path} holds values from {planes.min():g} to {planes.max():g}; expected whole "
            "numbers from 0 to 255: export images in 8 bits and masks as label values"
        )
    return np.ascontiguousarray(planes.astype(np.uint8))
