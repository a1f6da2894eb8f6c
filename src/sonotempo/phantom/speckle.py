"""Scatterers that move with the tissue and are replaced by motion across the plane."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from sonotempo.phantom.anatomy import Plane
from sonotempo.phantom.imaging import PREFILTER_PX, Field

_SPARE = 192  # how far the pool of new scatterers can be shifted in either direction
_FLOW_CORRELATION = 0.3  # what flowing blood keeps of its speckle from frame to frame


_Value = TypeVar("_Value", bound=np.generic)


class Speckle:
    """A map of complex scatterers z of unit variance: z_t = ρ z_{t-1} + √(1 - ρ²) ε.

    New scatterers ε are a window of a larger pool, with a random shift and phase. This is far
    cheaper than fresh noise, and practically independent from frame to frame.
    """

    def __init__(
        self, random: np.random.Generator, shape_HW: tuple[int, int], blood: NDArray[np.intp]
    ) -> None:
        self._random, self._shape, self._blood = random, shape_HW, blood
        rows, columns = shape_HW[0] + _SPARE, shape_HW[1] + _SPARE
        shape = fft.next_fast_len(rows), fft.next_fast_len(columns)
        white = random.standard_normal((*shape, 2), dtype=np.float32)
        k_z = 2 * np.pi * fft.fftfreq(shape[0])[:, None]
        k_x = 2 * np.pi * fft.fftfreq(shape[1])[None, :]
        blur = np.exp(-0.5 * PREFILTER_PX**2 * (k_z**2 + k_x**2)).astype(np.float32)
        pool = fft.ifft2(fft.fft2(white.view(np.complex64)[..., 0]) * blur)
        self._pool: Field = (pool / np.sqrt(np.mean(np.abs(pool) ** 2))).astype(np.complex64)
        self.scatterers_HW: Field = np.array(self.fresh(shape_HW))

    def fresh(self, shape_HW: tuple[int, int]) -> Field:
        """Return new scatterers of a shape that is no larger than the map."""
        spare_z = self._pool.shape[0] - shape_HW[0]
        spare_x = self._pool.shape[1] - shape_HW[1]
        top, left = self._random.integers(spare_z + 1), self._random.integers(spare_x + 1)
        turn = np.complex64(np.exp(2j * np.pi * self._random.random()))
        window: Field = self._pool[top : top + shape_HW[0], left : left + shape_HW[1]] * turn
        return window

    def step(self, correlation: float) -> None:
        """Advance to the next frame, whose speckle in tissue keeps this correlation."""
        new = self.fresh(self._shape)
        old = self.scatterers_HW
        in_blood = old.ravel()[self._blood] * np.float32(_FLOW_CORRELATION)
        in_blood += new.ravel()[self._blood] * np.float32((1 - _FLOW_CORRELATION**2) ** 0.5)
        old *= np.float32(correlation)
        new *= np.float32(max(0.0, 1 - correlation**2) ** 0.5)
        old += new
        old.ravel()[self._blood] = in_blood


class Reader:
    """Reads maps at the tissue coordinates of one frame's pixels.

    Args:
        x: tissue coordinates of the pixels in mm, HW.
        z: depth of the pixels in mm, HW.
        left_mm: x of the maps' first column.
        spacing_mm: of the maps.
        shape_HW: of the maps.
    """

    def __init__(
        self, x: Plane, z: Plane, left_mm: float, spacing_mm: float, shape_HW: tuple[int, int]
    ) -> None:
        scale = np.float32(1 / spacing_mm)
        column = (x - np.float32(left_mm)) * scale
        row = z * scale
        np.clip(column, 0, np.float32(shape_HW[1] - 1.01), out=column)
        np.clip(row, 0, np.float32(shape_HW[0] - 1.01), out=row)
        first_column, first_row = column.astype(np.int32), row.astype(np.int32)
        self._right = column - first_column
        self._below = row - first_row
        self._stride = shape_HW[1]
        self._at = first_row * np.int32(shape_HW[1]) + first_column

    def nearest(self, plane_HW: NDArray[_Value]) -> NDArray[_Value]:
        """Read a map of labels or slowly changing values."""
        at = self._at + (self._right > np.float32(0.5))
        at += (self._below > np.float32(0.5)) * np.int32(self._stride)
        return plane_HW.ravel().take(at)

    def scatterers(self, field_HW: Field) -> Field:
        """Interpolate a map of scatterers without changing the speckle's power."""
        flat, at = field_HW.ravel(), self._at
        right, below = self._right, self._below
        upper = flat.take(at)
        upper += (flat.take(at + 1) - upper) * right
        lower_at = at + np.int32(self._stride)
        lower = flat.take(lower_at)
        lower += (flat.take(lower_at + 1) - lower) * right
        lower -= upper
        lower *= below
        upper += lower
        upper *= _lost_power(right) * _lost_power(below)
        return upper


def _lost_power(fraction: Plane) -> Plane:
    """Return the gain that restores the power lost by averaging two neighbours."""
    alike = np.float32(np.exp(-1 / (4 * PREFILTER_PX**2)))
    kept = 1 - 2 * (1 - alike) * fraction * (1 - fraction)
    gain: Plane = 1 / np.sqrt(kept)
    return gain
