"""Random textures of tissue: mottling, septa, short reflecting dashes, fascicles."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from sonotempo.phantom.anatomy import Nerve, Plane


def amplitude(level_db: float) -> np.float32:
    """Return the amplitude of a level in decibels.

    >>> float(amplitude(20.0))
    10.0
    """
    return np.float32(10.0 ** (level_db / 20.0))


class Texture:
    """Draws textures of one shape."""

    def __init__(self, seed: int, shape_HW: tuple[int, int], spacing_mm: float) -> None:
        self._random = np.random.default_rng(seed)
        self._shape = tuple(fft.next_fast_len(side, real=True) for side in shape_HW)
        self._crop = (slice(0, shape_HW[0]), slice(0, shape_HW[1]))
        rows, columns = self._shape
        self._kz = (2 * np.pi / spacing_mm * fft.fftfreq(rows)).astype(np.float32)[:, None]
        self._kx = (2 * np.pi / spacing_mm * fft.rfftfreq(columns)).astype(np.float32)[None, :]
        #: Fine unevenness, shared by all nerves.
        self.fine = self.noise(0.25, 0.25)

    def noise(self, across_mm: float, along_mm: float, angle: float = 0.0) -> Plane:
        """Return Gaussian noise of unit variance, correlated over these standard deviations.

        Args:
            across_mm: at right angles to the direction.
            along_mm: along the direction.
            angle: of the direction, in radians from the probe's face.
        """
        white = self._random.standard_normal(self._shape, dtype=np.float32)
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        along = (cos * self._kx + sin * self._kz) * np.float32(along_mm)
        across = (cos * self._kz - sin * self._kx) * np.float32(across_mm)
        filtered = fft.irfft2(
            fft.rfft2(white) * np.exp(-0.5 * (along**2 + across**2)), s=self._shape
        )
        plane: Plane = filtered[self._crop].astype(np.float32)
        return plane / max(float(filtered.std()), 1e-6)

    def septa(self, across_mm: float, along_mm: float, *, thickness: float) -> Plane:
        """Return a connected net of thin lines in 0 to 1: where a smooth noise crosses zero."""
        near = self.noise(across_mm, along_mm) / np.float32(thickness)
        broken = np.clip(0.55 + 0.5 * self.noise(0.6, 1.5), 0, 1)
        net: Plane = (np.exp(-0.5 * near**2) * broken).astype(np.float32)
        return net

    def dashes(self, across_mm: float, along_mm: float, angle: float, *, threshold: float) -> Plane:
        """Return short lines in 0 to about 1 along a direction, fewer for a higher threshold."""
        lines: Plane = np.clip(self.noise(across_mm, along_mm, angle) - threshold, 0, None)
        return lines

    def fascicles(self, nerve: Nerve, x: Plane, z: Plane) -> Plane:
        """Return the gain of a nerve's honeycomb: low in fascicles, 1 between them."""
        border = nerve.border
        gain = np.ones_like(x)
        for u, v, radius_mm in self._packed(nerve):
            cos, sin = np.cos(border.angle), np.sin(border.angle)
            along, down = u * border.half_width_mm, v * border.half_height_mm
            at_x = border.x_mm + cos * along - sin * down
            at_z = border.z_mm + sin * along + cos * down
            distance = np.hypot(x - np.float32(at_x), z - np.float32(at_z)) - np.float32(radius_mm)
            dark = np.clip(0.5 - distance / np.float32(0.12), 0, 1)
            gain *= 1 - dark * np.float32(0.85)
        honeycomb: Plane = gain
        return honeycomb

    def _packed(self, nerve: Nerve) -> NDArray[np.float64]:
        """Draw non-overlapping circles in the unit disc of a nerve: u, v and radius in mm."""
        border = nerve.border
        a, b = border.half_width_mm, border.half_height_mm
        mean_mm = 0.72 * np.sqrt(a * b * 0.8 / nerve.fascicles)
        kept: list[tuple[float, float, float]] = []
        for _ in range(60 * nerve.fascicles):
            if len(kept) == nerve.fascicles:
                break
            radius_mm = mean_mm * self._random.uniform(0.7, 1.25)
            reach = np.sqrt(self._random.random())
            turn = self._random.uniform(0, 2 * np.pi)
            u, v = reach * np.cos(turn), reach * np.sin(turn)
            if np.hypot(u * a, v * b) == 0 or reach > 1 - 1.15 * radius_mm / min(a, b):
                continue
            if all(np.hypot((u - p) * a, (v - q) * b) > radius_mm + r + 0.08 for p, q, r in kept):
                kept.append((u, v, radius_mm))
        return np.array(kept, np.float64).reshape(-1, 3)
