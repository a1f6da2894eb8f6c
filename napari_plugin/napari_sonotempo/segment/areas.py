"""The area of each structure in every mask of a recording, over time."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_sonotempo.shared.layers import label_names
from sonotempo.errors import RecordingError, SonotempoError
from sonotempo.recording import Frame, Image, Recording
from sonotempo.structures import StructureSet

AreaUnit = Literal["mm²", "px"]
FloatArray = NDArray[np.float64]

#: The name of the recording's own masks next to those of the models.
REFERENCE = "reference"


@dataclass(frozen=True, slots=True, eq=False)
class AreaSeries:
    """The area of every structure according to one model, or to the recording's own masks.

    Attributes:
        name: of the model.
        area_TK: one row per frame, one column per structure; NaN where there is no mask.
    """

    name: str
    area_TK: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """Areas over time, of one or two models and of the recording's own masks.

    Attributes:
        structures: what the columns of every series mean.
        times_s: of the frames, since the first.
        frame_numbers: as in the recording's files.
        unit: of all areas; pixels if the spacing is unknown.
        models: A before B.
        reference: the recording's own masks, or None if they show none of these structures.
    """

    structures: StructureSet
    times_s: FloatArray
    frame_numbers: NDArray[np.int64]
    unit: AreaUnit
    models: tuple[AreaSeries, ...]
    reference: AreaSeries | None = None

    @property
    def series(self) -> tuple[AreaSeries, ...]:
        """All series, the reference last."""
        return self.models if self.reference is None else (*self.models, self.reference)


def pixel_area(recording: Recording) -> tuple[float, AreaUnit]:
    """Return the area of a pixel and its unit."""
    if recording.spacing_mm is None:
        return 1.0, "px"
    row_mm, column_mm = recording.spacing_mm
    return row_mm * column_mm, "mm²"


def structure_areas(mask_HW: Image, structures: int, area_of_pixel: float = 1.0) -> FloatArray:
    """Return the area of every structure of a mask, in label order, without the background.

    >>> structure_areas(np.array([[0, 1, 1], [0, 3, 1]], np.uint8), 3, 0.5)
    array([1.5, 0. , 0.5])
    """
    counts = np.bincount(mask_HW.ravel(), minlength=structures + 1)
    return np.asarray(counts[1 : structures + 1] * area_of_pixel, np.float64)


class ReferenceAreas:
    """Collects the areas of a recording's own masks, for the structures of a model.

    Structures are matched by name; labels known only by number are matched by number.

    Args:
        recording: with masks.
        structures: of the model.
    """

    def __init__(self, recording: Recording, structures: StructureSet) -> None:
        own = recording.structures.names
        if own == label_names(len(own)).names:
            own = structures.names
        self._readers = recording.mask_readers
        self._area_of_pixel, _ = pixel_area(recording)
        self._columns = [own.index(name) if name in own else None for name in structures.names]
        self._area_TK = np.full((len(recording), len(structures)), np.nan)
        self._labels = len(recording.structures)
        #: How many masks could not be read.
        self.unread = 0

    @property
    def names_others(self) -> bool:
        """Whether there are masks, but of other structures only."""
        return bool(self._readers) and all(column is None for column in self._columns)

    def add(self, frame: Frame) -> None:
        """Read the mask of a frame, if it has one."""
        if frame.index not in self._readers or self.names_others:
            return
        try:
            # Not recording.mask(), which would read the frame again.
            mask_HW = self._readers[frame.index]()
        except SonotempoError:
            self.unread += 1
            return
        if mask_HW.shape != frame.image_HW.shape:
            self.unread += 1
            return
        own_K = structure_areas(mask_HW, max(self._labels, len(self._columns)), self._area_of_pixel)
        for column, own in enumerate(self._columns):
            if own is not None:
                self._area_TK[frame.index, column] = own_K[own]

    def series(self) -> AreaSeries | None:
        """Return the areas; None without masks of these structures."""
        if not self._readers or self.names_others:
            return None
        return AreaSeries(REFERENCE, self._area_TK)


def write_areas(path: Path, areas: Areas) -> None:
    """Write a table: one row per frame and structure, one column per series; empty without a mask.

    Raises:
        RecordingError: the file cannot be written.
    """
    unit = {"mm²": "mm2", "px": "px"}[areas.unit]
    header = ["frame", "time_s", "structure", *(f"{one.name}_{unit}" for one in areas.series)]
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(header)
            for t, number in enumerate(areas.frame_numbers.tolist()):
                for k, name in enumerate(areas.structures.names):
                    values = [float(one.area_TK[t, k]) for one in areas.series]
                    cells = ["" if np.isnan(value) else f"{value:.4g}" for value in values]
                    table.writerow([number, f"{areas.times_s[t]:.3f}", name, *cells])
    except OSError as error:
        raise RecordingError(
            f"{path} cannot be written ({error.strerror}); choose another place"
        ) from error
