"""The records shared by all modules: Frame, Recording, Prediction; and the Predictor protocol.

Images are ``uint8`` grey with axes HW (row, column); masks have the same shape and hold the label
values of a :class:`~sonotempo.structures.StructureSet`. Time is in nanoseconds, spacing in
millimetres per pixel as (row, column).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonotempo.errors import RecordingError
from sonotempo.label_origin import Origin
from sonotempo.sector import Sector
from sonotempo.structures import StructureSet

# A mask of 0 and 255 marks one structure.
_WHITE = 255

Image = NDArray[np.uint8]
Spacing = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels: rows ``top`` to ``bottom``, columns ``left`` to ``right``, half-open.

    >>> Box(0, 10, 50, 110).shape
    (50, 100)
    """

    top: int
    left: int
    bottom: int
    right: int

    def __post_init__(self) -> None:
        if not (0 <= self.top < self.bottom and 0 <= self.left < self.right):
            raise RecordingError(
                f"box (top {self.top}, left {self.left}, bottom {self.bottom}, right {self.right}) "
                "is empty or starts outside the image; expected 0 <= top < bottom and "
                "0 <= left < right"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.bottom - self.top, self.right - self.left

    def clamped(self, shape_HW: tuple[int, int]) -> "Box":
        """Clip the box to an image; some scanners write boxes larger than their image."""
        height, width = shape_HW
        return Box(self.top, self.left, min(self.bottom, height), min(self.right, width))


@dataclass(frozen=True, slots=True)
class Frame:
    """One image with its time and scale.

    Attributes:
        image_HW: uint8 grey pixels.
        index: position in its recording or stream, from 0.
        timestamp_ns: time since the start of the recording or the probe's clock.
        spacing_mm: millimetres per pixel as (row, column), or None if unknown.
        area: the part of the image that shows ultrasound, or None for all of it.
        pixel_aspect: height of a pixel divided by its width, for where the spacing is unknown.
        sector: the shape of the image in the area; None if it fills it.
    """

    image_HW: Image
    index: int
    timestamp_ns: int
    spacing_mm: Spacing | None
    area: Box | None = None
    pixel_aspect: float = 1.0
    sector: Sector | None = None

    @property
    def pixel_size(self) -> Spacing:
        """Size of a pixel as (row, column): in millimetres, or in widths where that is unknown."""
        return self.spacing_mm or (self.pixel_aspect, 1.0)


class ImageStack(Protocol):
    """The pixels of a recording, read on demand; opening one reads no pixels."""

    def __len__(self) -> int:
        """Return the number of frames."""
        ...

    def __getitem__(self, index: int, /) -> Image:
        """Read one frame as uint8 HW; raises RecordingError if its file cannot be read."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One acquisition of one subject: frames with time stamps and spacing, some with masks.

    ``recording[i]`` reads frame ``i`` on demand. ``frame_numbers`` are those in the files: a
    skipped number is a gap in time that a clip must not cross.

    Attributes:
        source: the file or folder that it was read from.
        subject: who was scanned; folds are split by subject.
        name: unique within its data set, for example ``subject/sequence``.
        images: the frames' pixels.
        timestamps_ns: int64, one per frame, increasing.
        structures: the meaning of the mask values.
        spacing_mm: millimetres per pixel as (row, column), or None if unknown or if it differs
            between frames.
        area: the part of every frame that shows ultrasound, or None for all of it.
        sector: the shape of the image in the area, or None if it fills it.
        frame_numbers: int64, one per frame, strictly increasing; by default 0, 1, 2…
        mask_readers: a function for the index of each labelled frame that reads its mask.
        origins: where the masks come from, by the index of their frame; a mask without an entry was
            made by a person.
        files: every file with pixels or masks of the recording.
        spacings_mm: one per frame if they may differ (change of depth); else empty.
        areas: likewise.
        sectors: likewise.
        pixel_aspect: height of a pixel divided by its width, for where the spacing is unknown.
        rate_is_assumed: whether the files hold no times, so that 25 frames a second are assumed.
        stored_as: how the files hold the images, which are given out turned as they are shown; see
            :mod:`sonotempo.io.orientation`.
    """

    source: Path
    subject: str
    name: str
    images: ImageStack
    timestamps_ns: NDArray[np.int64]
    structures: StructureSet
    spacing_mm: Spacing | None = None
    area: Box | None = None
    sector: Sector | None = None
    frame_numbers: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    mask_readers: Mapping[int, Callable[[], Image]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    origins: Mapping[int, Origin] = field(default_factory=lambda: MappingProxyType({}))
    files: tuple[Path, ...] = ()
    spacings_mm: tuple[Spacing | None, ...] = ()
    areas: tuple[Box | None, ...] = ()
    sectors: tuple[Sector | None, ...] = ()
    pixel_aspect: float = 1.0
    rate_is_assumed: bool = False
    stored_as: str = "MF"

    def __post_init__(self) -> None:
        count = len(self.images)
        if count == 0:
            raise RecordingError(f"{self.source} holds no frames; a recording needs at least one")
        if len(self.frame_numbers) == 0:
            object.__setattr__(self, "frame_numbers", np.arange(count, dtype=np.int64))
        for what, values in (
            ("time stamps", self.timestamps_ns),
            ("frame numbers", self.frame_numbers),
            ("spacings", self.spacings_mm or range(count)),
            ("areas", self.areas or range(count)),
            ("sectors", self.sectors or range(count)),
        ):
            if len(values) != count:
                raise RecordingError(
                    f"{self.source} has {count} frames but {len(values)} {what}; expected one each"
                )
        if count > 1 and not np.all(np.diff(self.frame_numbers) > 0):
            raise RecordingError(
                f"the frame numbers of {self.source} do not increase; rename the files so that "
                "their numbers follow the order in time"
            )
        outside = [i for i in self.mask_readers if not 0 <= i < count]
        if outside:
            raise RecordingError(
                f"{self.source} has masks for frames {outside}, but its frames are 0 to {count - 1}"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {self.name}: expected 0 to {len(self) - 1}")
        return Frame(
            self.images[index],
            index,
            int(self.timestamps_ns[index]),
            self.spacing_at(index),
            self.areas[index] if self.areas else self.area,
            self.pixel_aspect,
            self.sectors[index] if self.sectors else self.sector,
        )

    def __iter__(self) -> Iterator[Frame]:
        return (self[i] for i in range(len(self)))

    def spacing_at(self, index: int) -> Spacing | None:
        """Return the spacing of one frame in millimetres, or None; no pixel is read."""
        return self.spacings_mm[index] if self.spacings_mm else self.spacing_mm

    @property
    def pixel_size(self) -> Spacing:
        """Size of a pixel as (row, column): in millimetres, or in widths where that is unknown."""
        return self.spacing_mm or (self.pixel_aspect, 1.0)

    @property
    def frame_rate_hz(self) -> float:
        """Frames per second, from the median of the pauses between them; 25 of a single frame."""
        pauses_ns = np.diff(self.timestamps_ns)
        return 1e9 / max(1.0, float(np.median(pauses_ns))) if len(pauses_ns) else 25.0

    @property
    def labelled(self) -> tuple[int, ...]:
        """The indices of the frames that have a mask, in order."""
        return tuple(sorted(self.mask_readers))

    def origin(self, index: int) -> Origin:
        """Return where the mask of a frame comes from: a person, unless the files say otherwise."""
        return self.origins.get(index, Origin())

    def mask(self, index: int) -> Image | None:
        """Read the mask of a frame as uint8 HW, or return None if it is unlabelled.

        Raises:
            RecordingError: the mask cannot be read, differs in size from its frame, or holds a
                label value without a name.
        """
        reader = self.mask_readers.get(index)
        if reader is None:
            return None
        mask_HW = reader()
        image_shape = self.images[index].shape
        if mask_HW.shape != image_shape:
            raise RecordingError(
                f"the mask of frame {self.frame_numbers[index]} of {self.source} is "
                f"{mask_HW.shape[0]}x{mask_HW.shape[1]} pixels but its image is "
                f"{image_shape[0]}x{image_shape[1]} (rows x columns); export it again at the "
                "image's size"
            )
        highest = int(mask_HW.max(initial=0))
        if highest == _WHITE and not np.any((mask_HW > 0) & (mask_HW < _WHITE)):
            if len(self.structures) > 1:
                raise RecordingError(
                    f"the mask of frame {self.frame_numbers[index]} of {self.source} is black and "
                    f"white (0 and 255), which can mark one structure, but "
                    f"{len(self.structures)} are named ({', '.join(self.structures.names)}); set "
                    "data.structures to the one that is marked, or export label values from 1"
                )
            return mask_HW // np.uint8(_WHITE)
        if highest > len(self.structures):
            raise RecordingError(
                f"the mask of frame {self.frame_numbers[index]} of {self.source} holds the label "
                f"value {highest}, but only {len(self.structures)} structures are named "
                f"({', '.join(self.structures.names)}); set data.structures to one name for "
                "each label value from 1"
            )
        return mask_HW

    def segments(self) -> tuple[range, ...]:
        """Split the frames into runs without a missing frame number; clips do not cross them."""
        return consecutive_runs(self.frame_numbers)


def consecutive_runs(frame_numbers: ArrayLike) -> tuple[range, ...]:
    """Split positions into runs whose frame numbers have no gap.

    >>> consecutive_runs([3, 4, 5, 9, 10])
    (range(0, 3), range(3, 5))
    """
    numbers = np.asarray(frame_numbers, np.int64)
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    return tuple(range(a, b) for a, b in pairwise([0, *breaks.tolist(), len(numbers)]))


@dataclass(frozen=True, slots=True)
class Prediction:
    """A mask together with its frame, so that the two always match.

    Attributes:
        frame: the frame that was segmented.
        mask_HW: uint8 label values, in the frame's shape.
        confidence_HW: float32 probability of the chosen label in 0 to 1, or None.
        state_age: number of frames since the model's last reset, this one included.
        model: the name of the model.
    """

    frame: Frame
    mask_HW: Image
    confidence_HW: NDArray[np.float32] | None
    state_age: int
    model: str


class Predictor(Protocol):
    """Segments a stream frame by frame; holding the state between steps is its only job."""

    @property
    def stateful(self) -> bool:
        """Whether earlier frames matter; if not, frames may be skipped."""
        ...

    def reset(self) -> None:
        """Forget all earlier frames."""
        ...

    def step(self, frame: Frame) -> tuple[Prediction, ...]:
        """Segment the next frame: one prediction per model (a pair returns two)."""
        ...
