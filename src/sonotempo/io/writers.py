"""Recordings and masks to files: the layout that Annotation Web and FAST read."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from sonotempo.recording import Image, Spacing


def write_sequence(
    folder: Path,
    name: str,
    images_THW: Sequence[Image] | NDArray[np.uint8],
    masks_THW: Sequence[Image | None] | NDArray[np.uint8] | None,
    *,
    spacing_mm: Spacing | None,
    timestamps_ns: NDArray[np.int64],
) -> None:
    """Write ``<name>_<i>.mhd`` for every frame, and ``<name>_<i>_gt.mhd`` where it has a mask.

    Pixels are zlib-compressed. Time stamps go into the key ``Timestamp`` in milliseconds, as FAST
    writes them. Unknown spacing is written as 1, as MetaImage has no word for it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index, image_HW in enumerate(images_THW):
        milliseconds = {"Timestamp": f"{timestamps_ns[index] / 1e6:.3f}"}
        _write(folder / f"{name}_{index}.mhd", image_HW, spacing_mm, milliseconds)
        mask_HW = None if masks_THW is None else masks_THW[index]
        if mask_HW is not None:
            _write(folder / f"{name}_{index}_gt.mhd", mask_HW, spacing_mm, {})


def _write(path: Path, pixels_HW: Image, spacing_mm: Spacing | None, keys: dict[str, str]) -> None:
    image = sitk.GetImageFromArray(np.ascontiguousarray(pixels_HW))
    row_mm, column_mm = spacing_mm or (1.0, 1.0)
    image.SetSpacing((column_mm, row_mm))
    for key, value in keys.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path), useCompression=True)
