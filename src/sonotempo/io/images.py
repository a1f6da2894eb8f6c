"""Image files as recordings: a folder of numbered PNG, JPEG, BMP or TIFF frames, or one still.

Masks are PNG, BMP or TIFF files of the same names in a folder next to the images: ``masks`` next
to ``images``, or ``<folder>_masks`` next to ``<folder>``. Their pixels are label values: the
indices of a palette image, or the grey values. Image files carry no time and no reliable spacing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image as Pillow

from sonotempo.errors import RecordingError
from sonotempo.io.containment import Inside
from sonotempo.io.formats import IMAGES, Request
from sonotempo.io.frame_files import FrameFiles, image_files
from sonotempo.io.frame_order import in_order
from sonotempo.io.grey import grey
from sonotempo.io.pillow_files import frame_count, opened_image
from sonotempo.io.timing import times_from
from sonotempo.recording import Image, Recording

# JPEG and WebP lose values; GIF sorts its palette again.
_UNSAFE_SUFFIXES = frozenset({".jpg", ".jpeg", ".webp", ".gif"})

_HIGHEST_LABEL = 255


def open_image_folder(request: Request) -> Recording:
    """Open the images of a folder as the frames of one recording, with or without masks.

    The numbers at the end of the file names give the order; :func:`mask_folder` finds the masks.

    Raises:
        RecordingError: the folder holds no image, two frames have the same number, or a mask has
            no frame of the same name.
    """
    frames = image_files(request.path, request.bounds)
    if not frames:
        raise RecordingError(
            f"{request.path} holds no images; expected files ending in {', '.join(IMAGES.suffixes)}"
        )
    inside = request.bounds
    masks = _masks_of(frames, mask_folder(request.path, inside), inside)
    return open_image_frames(frames, request, masks)


def open_image_frames(
    paths: Sequence[Path], request: Request, masks: Mapping[Path, Path] = MappingProxyType({})
) -> Recording:
    """Open image files of a folder as one recording; no file is read before its frame is needed.

    Args:
        paths: the frames, in any order.
        request: the folder, and what its recording is called.
        masks: the mask file of each labelled frame's file.

    Raises:
        RecordingError: two frames have the same number.
    """
    order = in_order(paths)
    times = times_from(order.times_ns, order.numbers)
    mask_files = {i: masks[path] for i, path in enumerate(order.paths) if path in masks}
    readers: dict[int, Callable[[], Image]] = {
        i: partial(read_labels, path) for i, path in mask_files.items()
    }
    return Recording(
        source=request.path,
        subject=request.subject or request.path.name,
        name=request.name or request.path.name,
        images=FrameFiles(order.paths, read_grey),
        timestamps_ns=times.timestamps_ns,
        rate_is_assumed=times.are_assumed,
        structures=request.structures,
        frame_numbers=order.numbers,
        mask_readers=readers,
        files=(*order.paths, *mask_files.values()),
    )


def open_still(request: Request, mask: Path | None = None) -> Recording:
    """Open one image as a recording of one frame, and check both headers at once.

    Raises:
        RecordingError: the image or its mask does not have 8 bits, or their sizes differ.
    """
    path = request.path
    shape_HW = image_shape(path)
    readers: dict[int, Callable[[], Image]] = {}
    if mask is not None:
        check_same_size(mask, labels_shape(mask), path, shape_HW)
        readers[0] = partial(read_labels, mask)
    return Recording(
        source=path,
        subject=request.subject or path.stem,
        name=request.name or path.stem,
        images=FrameFiles([path], read_grey),
        timestamps_ns=np.zeros(1, np.int64),
        structures=request.structures,
        mask_readers=readers,
        files=(path,) if mask is None else (path, mask),
    )


def mask_folder(folder: Path, inside: Inside) -> Path | None:
    """Return the folder of masks that belongs to a folder of images, or None.

    Raises:
        RecordingError: it is a link that leads outside.
    """
    named = [folder.with_name(f"{folder.name}_masks")]
    if folder.name == "images":
        named.append(folder.with_name("masks"))
    found = next((path for path in named if path.is_dir()), None)
    if found is not None and not inside.holds_entry(found):
        raise RecordingError(inside.left_out(found))
    return found


def read_grey(path: Path) -> Image:
    """Read an image as uint8 grey HW.

    Raises:
        RecordingError: it cannot be read, or does not have 8 bits.
    """
    with opened_image(path, _check_single) as image:
        pixels = np.array(image.convert("L" if image.mode == "L" else "RGB"))
    return grey(pixels, path)


def read_labels(path: Path) -> Image:
    """Read a mask as uint8 label values HW: palette indices, grey values, or 0 and 1.

    Raises:
        RecordingError: it cannot be read, is a colour image, has lossy compression, or values
            above 255.
    """
    with opened_image(path, _check_labels) as image:
        labels = np.array(image)
    if labels.size and (labels.min() < 0 or labels.max() > _HIGHEST_LABEL):
        raise RecordingError(
            f"the mask {path} holds values from {labels.min()} to {labels.max()}; expected label "
            f"values from 0 to {_HIGHEST_LABEL}"
        )
    return labels.astype(np.uint8)


def image_shape(path: Path) -> tuple[int, int]:
    """Return an image's rows and columns from its header.

    Raises:
        RecordingError: it is not an image of 8 bits.
    """
    with opened_image(path, _check_single) as image:
        return image.height, image.width


def labels_shape(path: Path) -> tuple[int, int]:
    """Return a mask's rows and columns from its header.

    Raises:
        RecordingError: it cannot hold label values.
    """
    with opened_image(path, _check_labels) as image:
        return image.height, image.width


def check_same_size(
    mask: Path, mask_HW: tuple[int, int], image: Path, image_HW: tuple[int, int]
) -> None:
    """Refuse a mask whose size differs from its image.

    Raises:
        RecordingError: the sizes differ.
    """
    if mask_HW != image_HW:
        raise RecordingError(
            f"the mask {mask} is {mask_HW[0]}x{mask_HW[1]} pixels but its image {image.name} is "
            f"{image_HW[0]}x{image_HW[1]} (rows x columns); export it again at the image's size"
        )


def _masks_of(frames: Iterable[Path], folder: Path | None, inside: Inside) -> dict[Path, Path]:
    if folder is None:
        return {}
    masks = {path.stem: path for path in image_files(folder, inside)}
    paired = {frame: masks.pop(frame.stem) for frame in frames if frame.stem in masks}
    if masks:
        first = next(iter(masks.values()))
        raise RecordingError(
            f"{len(masks)} masks in {folder} have no image of the same name, for example "
            f"{first.name}; rename them after their images or move them away"
        )
    return paired


def check_frame(image: Pillow.Image, path: Path) -> None:
    """Refuse an image whose white level is unknown.

    Raises:
        RecordingError: more than 8 bits per pixel.
    """
    if image.mode.startswith(("I", "F")):
        raise RecordingError(
            f"{path} holds more than 8 bits per pixel (mode {image.mode}), and its white level "
            "is unknown; convert it to 8 bits"
        )


def _check_single(image: Pillow.Image, path: Path) -> None:
    check_frame(image, path)
    if frame_count(image) > 1:
        raise RecordingError(
            f"{path} holds several images; save each as a separate file, numbered in order"
        )


def _check_labels(image: Pillow.Image, path: Path) -> None:
    if path.suffix.lower() in _UNSAFE_SUFFIXES:
        raise RecordingError(
            f"the mask {path} is a {path.suffix[1:].upper()} file, whose writers change label "
            "values; export it as PNG"
        )
    if image.mode == "F":
        raise RecordingError(
            f"the mask {path} holds floating-point numbers; export it as a PNG whose grey values "
            "are the labels"
        )
    if image.mode not in ("1", "L", "P") and not image.mode.startswith("I"):
        raise RecordingError(
            f"the mask {path} holds colours (mode {image.mode}), whose labels are unknown; "
            "export it as a palette or grey PNG whose values are the labels"
        )
