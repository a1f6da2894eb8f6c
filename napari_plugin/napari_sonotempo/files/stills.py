"""Labelled stills, one image file and one mask file each, as one series."""

from functools import partial
from pathlib import Path

import numpy as np

from sonotempo.io.images import image_shape
from sonotempo.io.timing import nominal_timestamps
from sonotempo.recording import Image, Recording


class _Stills:
    """The images of recordings of one frame each."""

    def __init__(self, stills: tuple[Recording, ...]) -> None:
        self._stills = stills

    def __len__(self) -> int:
        return len(self._stills)

    def __getitem__(self, index: int, /) -> Image:
        return self._stills[index].images[0]


def images_of(folder: Path) -> Path:
    """Return the folder of the images if this one holds their masks, else the folder itself."""
    resolved = folder.resolve()
    if resolved.name == "masks" and resolved.with_name("images").is_dir():
        return resolved.with_name("images")
    images = resolved.with_name(resolved.name.removesuffix("_masks"))
    return images if images != resolved and images.is_dir() else folder


def as_series(stills: tuple[Recording, ...], folder: Path) -> Recording:
    """Join stills into one recording at the nominal frame rate.

    Args:
        stills: recordings of one frame each, at least one.
        folder: where they were read from; it names the series.
    """
    numbers = np.arange(len(stills), dtype=np.int64)
    return Recording(
        source=folder,
        subject=folder.resolve().name,
        name=folder.resolve().name,
        images=_Stills(stills),
        timestamps_ns=nominal_timestamps(numbers),
        rate_is_assumed=True,
        structures=stills[0].structures,
        mask_readers={i: partial(_mask, still) for i, still in enumerate(stills) if still.labelled},
        files=tuple(file for still in stills for file in still.files),
    )


def largest_shape(stills: tuple[Recording, ...]) -> tuple[int, int]:
    """Return the rows and columns that every still fits into, from the files' headers."""
    shapes = np.array([image_shape(still.source) for still in stills])
    height, width = shapes.max(0).tolist()
    return height, width


def _mask(still: Recording) -> Image:
    mask_HW = still.mask(0)
    assert mask_HW is not None  # asked of labelled stills only
    return mask_HW
