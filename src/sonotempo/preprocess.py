"""Frames to network input and masks back, with the same code for training and live use.

The fit follows Smistad et al. 2021, II-A ("the aspect ratio of the images were preserved by
padding with zero or cropping at the bottom"): crop to the image area, make pixels square, scale
the width to the input size, then pad with zeros or crop rows at the bottom.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from sonotempo.errors import RecordingError
from sonotempo.recording import Box, Frame, Image, Spacing
from sonotempo.sector import Sector

Pixel = TypeVar("Pixel", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The mapping from one frame geometry to the square network grid, and back.

    Made by :func:`fit_to`. S is the input size; rows from ``content_rows`` on are padding.

    Attributes:
        shape_HW: height and width of the frame in pixels.
        area: the part of the frame that the network sees.
        input_size: S.
        scaled_rows: number of rows of the area after scaling; those beyond S are cropped.
        spacing_mm: millimetres per pixel on the network grid, or None if the frame's is unknown.
        inside_SS: uint8, 1 where the grid shows the image's sector and 0 elsewhere; None if the
            image fills the area.
    """

    shape_HW: tuple[int, int]
    area: Box
    input_size: int
    scaled_rows: int
    spacing_mm: Spacing | None
    inside_SS: Image | None
    _row_weights: "csr_array[np.float32]" = field(repr=False)
    _column_weights: "csr_array[np.float32]" = field(repr=False)

    @property
    def content_rows(self) -> int:
        """Number of rows of the network grid that show the frame."""
        return min(self.scaled_rows, self.input_size)

    def image(self, image_HW: Image) -> Image:
        """Resample a frame to uint8 SS, with antialiasing where it shrinks."""
        area_HW = self._cropped(image_HW).astype(np.float32)
        rows = self._row_weights @ area_HW
        # Sparse times dense is fast along rows of memory: columns are resampled as rows.
        scaled = (self._column_weights @ np.ascontiguousarray(rows.T)).T
        fitted_SS = np.zeros((self.input_size, self.input_size), np.uint8)
        fitted_SS[: self.content_rows] = np.rint(np.clip(scaled, 0, 255))
        return self.in_sector(fitted_SS)

    def in_sector(self, values_SS: Image) -> Image:
        """Return values of the network grid with 0 outside the image's sector."""
        return values_SS if self.inside_SS is None else values_SS * self.inside_SS

    def mask(self, mask_HW: Image) -> Image:
        """Resample a mask to uint8 SS by nearest neighbour; padding is background."""
        area_HW = self._cropped(mask_HW)
        height, width = area_HW.shape
        rows = _nearest(height, self.scaled_rows)[: self.content_rows]
        columns = _nearest(width, self.input_size)
        fitted_SS = np.zeros((self.input_size, self.input_size), np.uint8)
        fitted_SS[: self.content_rows] = area_HW[np.ix_(rows, columns)]
        return self.in_sector(fitted_SS)

    def mask_back(self, mask_SS: Image) -> Image:
        """Map a mask from the network grid to the frame's shape.

        Rows that the network did not see, and pixels outside the area or the sector, become
        background.
        """
        return self._back(self.in_sector(mask_SS))

    def values_back(self, values_SS: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map values such as confidence to the frame's shape; 0 for pixels that were not seen."""
        return self._back(values_SS)

    def seen(self) -> NDArray[np.bool_]:
        """Return HW, True where a pixel of the frame is part of the network input."""
        content_SS = np.zeros((self.input_size, self.input_size), np.uint8)
        content_SS[: self.content_rows] = 1
        return self.mask_back(content_SS).astype(bool)

    def _back(self, grid_SS: NDArray[Pixel]) -> NDArray[Pixel]:
        size = self.input_size
        if grid_SS.shape != (size, size):
            raise ValueError(f"mask of shape {grid_SS.shape}; expected ({size}, {size})")
        height, width = self.area.shape
        rows = _nearest(self.scaled_rows, height)
        rows = rows[rows < self.content_rows]
        # ``take`` twice is many times faster than indexing once with both, and faster still
        # without a check of every index and without an array in between.
        content = grid_SS[: self.content_rows]
        columns = content.take(_nearest(size, width), axis=1, mode="clip")
        top, left = self.area.top, self.area.left
        whole_HW = np.zeros(self.shape_HW, grid_SS.dtype)
        seen_HW = whole_HW[top : top + len(rows), left : left + width]
        columns.take(rows, axis=0, out=seen_HW, mode="clip")
        return whole_HW

    def _cropped(self, pixels_HW: Image) -> Image:
        if pixels_HW.shape != self.shape_HW:
            raise ValueError(f"pixels of shape {pixels_HW.shape}; this fit is for {self.shape_HW}")
        area = self.area
        return pixels_HW[area.top : area.bottom, area.left : area.right]


@lru_cache(maxsize=32)
def fit_to(  # noqa: PLR0917
    shape_HW: tuple[int, int],
    spacing_mm: Spacing | None,
    area: Box | None,
    input_size: int,
    pixel_aspect: float = 1.0,
    sector: Sector | None = None,
) -> Fit:
    """Return the fit for frames of one geometry; ``pixel_aspect`` counts if spacing is unknown.

    >>> fit = fit_to((400, 800), None, None, 256)
    >>> fit.content_rows, fit.mask_back(fit.mask(np.ones((400, 800), np.uint8))).shape
    (128, (400, 800))

    Raises:
        RecordingError: the area is outside the frame, or the spacing is not positive.
    """
    height, width = shape_HW
    if area is not None and (area.top >= height or area.left >= width):
        raise RecordingError(
            f"the image area {area} is outside a frame of {height}x{width} pixels "
            "(rows x columns); correct data.area or leave it out"
        )
    if spacing_mm is not None and not all(np.isfinite(mm) and mm > 0 for mm in spacing_mm):
        raise RecordingError(
            f"spacing {spacing_mm} mm; expected two positive numbers (row, column)"
        )
    area = area.clamped(shape_HW) if area else Box(0, 0, height, width)
    area_height, area_width = area.shape
    row_mm, column_mm = spacing_mm or (pixel_aspect, 1.0)
    scale = input_size / area_width
    scaled_rows = max(1, round(area_height * scale * row_mm / column_mm))
    fitted_mm = (
        (row_mm * area_height / scaled_rows, column_mm / scale) if spacing_mm is not None else None
    )
    rows = _linear_weights(area_height, scaled_rows, keep=min(scaled_rows, input_size))
    return Fit(
        shape_HW,
        area,
        input_size,
        scaled_rows,
        fitted_mm,
        None if sector is None else _inside(sector, area, input_size, scaled_rows),
        rows,
        _linear_weights(area_width, input_size, keep=input_size),
    )


def fit_frame(frame: Frame, input_size: int, area: Box | None = None) -> Fit:
    """Return the fit for a frame; ``area`` applies if the frame has no area.

    Fits are cached by shape, spacing, area, aspect ratio and sector.
    """
    height, width = frame.image_HW.shape
    return fit_to(
        (height, width),
        frame.spacing_mm,
        frame.area or area,
        input_size,
        frame.pixel_aspect,
        frame.sector,
    )


def _inside(sector: Sector, area: Box, input_size: int, scaled_rows: int) -> Image:
    """Return 1 where the middle of a pixel of the network grid is in the sector, uint8 SS."""
    inside_SS = np.zeros((input_size, input_size), np.uint8)
    height, width = area.shape
    rows = area.top + (np.arange(min(scaled_rows, input_size)) + 0.5) * height / scaled_rows
    columns = area.left + (np.arange(input_size) + 0.5) * width / input_size
    inside_SS[: len(rows)] = sector.inside(rows - 0.5, columns - 0.5)
    return inside_SS


def area_from(rows_and_columns: Sequence[int] | None) -> Box | None:
    """Turn the setting ``data.area`` (top, left, bottom, right in pixels) into a box."""
    return Box(*rows_and_columns) if rows_and_columns is not None else None


def _nearest(source: int, target: int) -> NDArray[np.intp]:
    """For each of ``target`` cells, the index of the ``source`` cell under its centre."""
    centres = (np.arange(target) + 0.5) * (source / target)
    return np.minimum(centres.astype(np.intp), source - 1)


def _linear_weights(source: int, target: int, keep: int) -> "csr_array[np.float32]":
    """Weights (keep, source) for the first cells of a linear filter, widened where it shrinks.

    This is Pillow's BILINEAR filter. Resampling is two products with these sparse matrices.
    """
    ratio = source / target
    support = max(ratio, 1.0)
    centres = (np.arange(keep)[:, None] + 0.5) * ratio
    distance = np.abs(np.arange(source)[None, :] + 0.5 - centres) / support
    weights = np.maximum(0.0, 1.0 - distance)
    weights /= weights.sum(axis=1, keepdims=True)
    return csr_array(weights.astype(np.float32))
