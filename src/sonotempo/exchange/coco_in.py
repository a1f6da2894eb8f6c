"""Recordings from a COCO file and its images.

Source: https://cocodataset.org/#format-data. Later annotations cover earlier ones, and an image
without any is an empty mask, as trainers take it.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from sonotempo.errors import RecordingError
from sonotempo.exchange.coco import ANNOTATIONS_FILE, IMAGES_FOLDER
from sonotempo.exchange.filled import filled
from sonotempo.exchange.incoming import ImportRequest, Incoming, label_values
from sonotempo.exchange.outgoing import ExchangedFrame
from sonotempo.exchange.run_lengths import Binary, from_run_lengths, unpacked
from sonotempo.io.frame_order import in_order
from sonotempo.io.images import read_grey
from sonotempo.recording import Image, Spacing

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Picture:
    """One entry of ``images``; what this toolkit adds is None in files of other programs."""

    key: int
    file: str
    shape_HW: tuple[int, int]
    subject: str
    recording: str
    number: int | None
    timestamp_ns: int | None
    spacing_mm: Spacing | None


@dataclass(frozen=True, slots=True, eq=False)
class _Annotation:
    picture: int
    value: int
    segmentation: Any


def read_coco(request: ImportRequest) -> tuple[Incoming, ...]:
    """Read a COCO file, or the one in a folder.

    The subject of an image is its key ``subject``, as this toolkit writes it, else the first folder
    of its name, else what the request says.

    Raises:
        RecordingError: not a COCO file, annotations of missing images, missing image files, boxes
            without a mask, unknown categories, or unknown subjects.
    """
    path = _annotations_file(request.source)
    content = _content(path)
    try:
        pictures = {
            one.key: one
            for one in (_picture(raw, request.subject, path) for raw in content["images"])
        }
        annotations = _annotations(content, request, path)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordingError(
            f"{path} is not a COCO file of segmentations ({type(error).__name__}: {error}); export "
            "it again as COCO"
        ) from error
    strangers = sorted({one.picture for one in annotations} - pictures.keys())
    if strangers:
        raise RecordingError(
            f"{path} holds annotations of {len(strangers)} images that it does not list, such as "
            f"image {strangers[0]}; export it again with its images"
        )
    root = _images_root(path, request.frames, pictures.values())
    by_picture: dict[int, list[_Annotation]] = defaultdict(list)
    for annotation in annotations:
        by_picture[annotation.picture].append(annotation)
    groups: dict[tuple[str, str], list[_Picture]] = defaultdict(list)
    for picture in pictures.values():
        groups[picture.subject, picture.recording].append(picture)
    return tuple(
        Incoming(subject, name, len(group), partial(_frames, group, by_picture, root, path))
        for (subject, name), group in sorted(groups.items())
    )


def _annotations_file(source: Path) -> Path:
    if not source.is_dir():
        return source
    named = source / ANNOTATIONS_FILE
    found = [named] if named.is_file() else sorted(source.glob("*.json"))
    if len(found) != 1:
        raise RecordingError(
            f"{source} holds {len(found)} files ending in .json; give the COCO file itself"
        )
    return found[0]


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RecordingError(
            f"{path} cannot be read as COCO ({reason}); export it again"
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise RecordingError(f"{path} holds no list of images; give a COCO file of segmentations")
    return content


def _picture(raw: Mapping[str, Any], subject: str | None, path: Path) -> _Picture:
    file = str(raw["file_name"]).replace("\\", "/")
    folders = PurePosixPath(file).parts[:-1]
    who = raw.get("subject") or (folders[0] if folders else subject)
    if who is None:
        raise RecordingError(
            f"{path} does not say who {file} shows, and subjects must be known to be kept apart; "
            "put images in a folder for each subject, or give --subject NAME if all show one person"
        )
    number, time_ns, spacing = (raw.get(k) for k in ("frame_number", "timestamp_ns", "spacing_mm"))
    return _Picture(
        key=int(raw["id"]),
        file=file,
        shape_HW=(int(raw["height"]), int(raw["width"])),
        subject=str(who),
        recording=str(raw.get("recording") or "-".join(folders[1:]) or "images"),
        number=None if number is None else int(number),
        timestamp_ns=None if time_ns is None else int(time_ns),
        spacing_mm=None if spacing is None else (float(spacing[0]), float(spacing[1])),
    )


def _annotations(
    content: Mapping[str, Any], request: ImportRequest, path: Path
) -> list[_Annotation]:
    names = {int(one["id"]): str(one["name"]) for one in content["categories"]}
    raw = content["annotations"]
    used = sorted({int(one["category_id"]) for one in raw})
    unnamed = [key for key in used if key not in names]
    if unnamed:
        raise RecordingError(
            f"{path} uses category {unnamed[0]}, which it does not name; export it again"
        )
    boxes = sum(not one.get("segmentation") for one in raw)
    if boxes:
        raise RecordingError(
            f"{path} holds {boxes} annotations without a segmentation, and a box is no mask; draw "
            "polygons or masks"
        )
    values = label_values([names[key] for key in used], request.structures, path)
    return [
        _Annotation(
            int(one["image_id"]), values[names[int(one["category_id"])]], one["segmentation"]
        )
        for one in raw
    ]


def _images_root(path: Path, given: Path | None, pictures: Iterator[_Picture] | Any) -> Path:
    """Return the folder that the images' names start from; all must be there."""
    files = [picture.file for picture in pictures]
    roots = [given] if given is not None else [path.parent / IMAGES_FOLDER, path.parent]
    missing = {root: [file for file in files if not _is_inside(root, file)] for root in roots}
    best = min(roots, key=lambda root: len(missing[root]))
    if missing[best]:
        gone = missing[best]
        raise RecordingError(
            f"{len(gone)} of the {len(files)} images of {path} are not in {best}, "
            f"{', '.join(gone[:_SHOWN])} among them; give their folder with --frames"
        )
    return best


def _is_inside(root: Path, file: str) -> bool:
    path = root / file
    return path.is_file() and path.resolve().is_relative_to(root.resolve())


def _frames(
    group: Sequence[_Picture],
    annotations: Mapping[int, Sequence[_Annotation]],
    root: Path,
    path: Path,
) -> Iterator[ExchangedFrame]:
    """Read the images of one recording in their order and draw their masks."""
    by_file = {root / picture.file: picture for picture in group}
    if all(picture.number is not None for picture in group):
        ordered = sorted((picture.number or 0, picture) for picture in group)
    else:
        order = in_order(by_file)
        ordered = [
            (int(number), by_file[file])
            for number, file in zip(order.numbers, order.paths, strict=True)
        ]
    are_timed = all(picture.timestamp_ns is not None for picture in group)
    for number, picture in ordered:
        image_HW = read_grey(root / picture.file)
        if image_HW.shape != picture.shape_HW:
            raise RecordingError(
                f"{root / picture.file} is {image_HW.shape[0]}x{image_HW.shape[1]} pixels but "
                f"{path.name} says {picture.shape_HW[0]}x{picture.shape_HW[1]} (rows x columns); "
                "give the images that were annotated"
            )
        mask_HW: Image = np.zeros(image_HW.shape, np.uint8)
        for annotation in annotations.get(picture.key, ()):
            where = f"{path}, image {picture.file},"
            mask_HW[_drawn(annotation.segmentation, picture.shape_HW, where)] = annotation.value
        time_ns = picture.timestamp_ns if are_timed else None
        yield ExchangedFrame(number, image_HW, mask_HW, time_ns, picture.spacing_mm)


def _drawn(segmentation: Any, shape_HW: tuple[int, int], where: str) -> Binary:
    if isinstance(segmentation, list):
        return filled(segmentation, shape_HW, where)
    height, width = shape_HW
    try:
        size, counts = tuple(segmentation["size"]), segmentation["counts"]
        lengths = unpacked(counts, where) if isinstance(counts, str) else [int(n) for n in counts]
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(
            f"{where} holds a segmentation that is neither polygons nor run lengths; export "
            "it again"
        ) from error
    if size != shape_HW:
        raise RecordingError(
            f"{where} holds a mask of {'x'.join(map(str, size))} pixels, but the image is "
            f"{height}x{width} (rows x columns); export it again at the image's size"
        )
    # Checked by their sum: pycocotools would leave out or overrun what is missing.
    return from_run_lengths(lengths, height * width, where).reshape(width, height).T
