"""Write frames and masks in the layout that Annotation Web and FAST read."""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonotempo.label_origin import Origin, write_origins
from sonotempo.recording import Image, Spacing


def write_sequence(
    folder: Path,
    name: str,
    images_THW: Sequence[Image] | NDArray[np.uint8],
    masks_THW: Sequence[Image | None] | NDArray[np.uint8] | None,
    *,
    spacing_mm: Spacing | None,
    timestamps_ns: NDArray[np.int64],
    frame_numbers: Sequence[int] | NDArray[np.int64] | None = None,
    origins: Mapping[int, Origin] | None = None,
) -> None:
    """Write ``<name>_<i>.mhd`` for every frame, and ``<name>_<i>_gt.mhd`` where it has a mask.

    Args:
        folder: made if missing.
        name: of the files, before their number.
        images_THW: the frames.
        masks_THW: their masks; None for a frame without one.
        spacing_mm: millimetres per pixel as (row, column), or None if unknown.
        timestamps_ns: one per frame.
        frame_numbers: one per frame; by default 0, 1, 2…
        origins: where the masks come from, by index; with it ``origins.json`` is written. Masks
            without an entry were made by a person.

    See :func:`write_frame`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(len(images_THW)) if frame_numbers is None else frame_numbers
    if origins is not None:  # first: a mask without its origin would pass for a person's
        write_origins(folder, {int(numbers[index]): one for index, one in origins.items()})
    for index, image_HW in enumerate(images_THW):
        write_frame(
            folder,
            f"{name}_{numbers[index]}",
            image_HW,
            None if masks_THW is None else masks_THW[index],
            spacing_mm=spacing_mm,
            timestamp_ns=int(timestamps_ns[index]),
        )


def write_frame(
    folder: Path,
    stem: str,
    image_HW: Image,
    mask_HW: Image | None,
    *,
    spacing_mm: Spacing | None,
    timestamp_ns: int | None,
) -> None:
    """Write ``<stem>.mhd``, and before it ``<stem>_gt.mhd`` where there is a mask.

    Pixels are zlib-compressed. The key ``Timestamp`` holds the time stamp in milliseconds, as in
    files of FAST; without a time it is left out. Unknown spacing is written as 1, because
    MetaImage cannot express it. The folder must exist; if the disk fills up, the frame's files are
    removed.

    Raises:
        OSError: a file cannot be written.
    """
    milliseconds = {} if timestamp_ns is None else {"Timestamp": f"{timestamp_ns / 1e6:.3f}"}
    try:
        if mask_HW is not None:
            _write(folder / f"{stem}_gt", mask_HW, spacing_mm, {})
        _write(folder / stem, image_HW, spacing_mm, milliseconds)
    except OSError:
        for half in (stem, f"{stem}_gt"):
            for suffix in (".mhd", ".zraw"):
                (folder / f"{half}{suffix}").unlink(missing_ok=True)
        raise


def _write(
    path: Path, pixels_HW: Image, spacing_mm: Spacing | None, keys: Mapping[str, str]
) -> None:
    """Write the pixels, then the header that points to them."""
    packed = zlib.compress(np.ascontiguousarray(pixels_HW).tobytes(), 4)
    pixels = path.with_name(f"{path.name}.zraw")
    pixels.write_bytes(packed)
    row_mm, column_mm = spacing_mm or (1.0, 1.0)
    header = {
        "ObjectType": "Image",
        "NDims": "2",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(len(packed)),
        "TransformMatrix": "1 0 0 1",
        "Offset": "0 0",
        "CenterOfRotation": "0 0",
        "ElementSpacing": f"{column_mm!r} {row_mm!r}",
        "DimSize": f"{pixels_HW.shape[1]} {pixels_HW.shape[0]}",
        **keys,
        "ElementType": "MET_UCHAR",
        "ElementDataFile": pixels.name,
    }
    text = "".join(f"{key} = {value}\n" for key, value in header.items())
    path.with_name(f"{path.name}.mhd").write_text(text, encoding="ascii")
