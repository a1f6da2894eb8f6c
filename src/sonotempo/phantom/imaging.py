"""From moved scatterers to a grey picture: point spread, attenuation, log compression.

Baseband (IQ) scatterer convolution (Marion & Vray, Phys Med Biol 2009; COLE): complex scatterers
of random phase are multiplied by the tissue's amplitude, moved, and convolved with a separable
point spread function, a Gaussian pulse along depth and a Gaussian beam across that widens off
focus. Without the carrier, axial motion causes no phase rotation; the decorrelation that this
would cause under compression is in :func:`~sonotempo.phantom.motion.kept_correlation`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import uniform_filter1d

from sonotempo.phantom.anatomy import Plane
from sonotempo.phantom.scanners import Scanner, axial_sigma_mm, lateral_sigma_mm
from sonotempo.recording import Box

#: Standard deviation in pixels of the blur of the scatterers' map, which lets them be read between
#: pixels. It is part of the point spread.
PREFILTER_PX = 0.7

_NEPER = np.float32(np.log(10) / 20)  # of a decibel of amplitude
_LOSS_AT_SCANNER = 0.16  # dB/mm there and back per dB/(cm MHz) and MHz, at 0.8 of the frequency
_COMPENSATED_LOSS = 0.62  # dB/(cm MHz) that time-gain compensation assumes
_GAIN_ENDS_MM = 38.0  # depth at which the compensation reaches its largest gain
_MULTIPATH = ((1.4, 0.035), (2.9, 0.02))  # delay in mm and amplitude of echoes of echoes
Field = NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class View:
    """The position of the picture in the frame.

    The scanner shows the whole aperture and depth in square pixels; the rest of the frame stays
    black. ``size`` is the frame's height, and also its width unless ``width`` is given.
    ``oversampling`` is how much finer the picture is computed than shown.
    """

    size: int
    depth_mm: float
    aperture_mm: float
    oversampling: int
    width: int | None = None

    @property
    def frame_HW(self) -> tuple[int, int]:
        """Height and width of the frame."""
        return self.size, self.width or self.size

    @property
    def spacing_mm(self) -> float:
        """Side of a shown pixel."""
        height, width = self.frame_HW
        return max(self.depth_mm / height, self.aperture_mm / width)

    @property
    def rows(self) -> int:
        """Rows of the shown picture."""
        return min(self.size, round(self.depth_mm / self.spacing_mm))

    @property
    def columns(self) -> int:
        """Columns of the shown picture."""
        return min(self.frame_HW[1], round(self.aperture_mm / self.spacing_mm))

    @property
    def axes_mm(self) -> tuple[Plane, Plane]:
        """Depth of each computed row's middle, and x of each computed column's."""
        fine = self.spacing_mm / self.oversampling
        rows, columns = self.rows * self.oversampling, self.columns * self.oversampling
        z = (np.arange(rows, dtype=np.float32) + np.float32(0.5)) * np.float32(fine)
        x = np.arange(columns, dtype=np.float32) - np.float32((columns - 1) / 2)
        return z, x * np.float32(fine)

    @property
    def area(self) -> Box:
        """The box of the picture in the frame: at the top, centred."""
        left = (self.frame_HW[1] - self.columns) // 2
        return Box(0, left, self.rows, left + self.columns)

    def framed(self, picture_HW: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Put a shown picture or mask into its frame."""
        frame = np.zeros(self.frame_HW, np.uint8)
        frame[: self.rows, self.area.left : self.area.right] = picture_HW
        return frame


def view_of(size: int, depth_mm: float, aperture_mm: float, width: int | None = None) -> View:
    """Return the view for a frame size; small frames are computed finer than shown."""
    return View(size, depth_mm, aperture_mm, max(1, -(-192 // size)), width)


class Imaging:
    """One scanner at one depth: precomputed filters and gains.

    Args:
        scanner: the machine.
        view: depth and pixels.
        scatterer_spacing_mm: of the map that scatterers are read from.
        random: for the operator's gain and the compensation's error.
    """

    def __init__(
        self,
        scanner: Scanner,
        view: View,
        scatterer_spacing_mm: float,
        random: np.random.Generator,
    ) -> None:
        self._scanner, self._view = scanner, view
        z, x = view.axes_mm
        step = float(z[1] - z[0])
        self._step_mm = step
        blur_mm = PREFILTER_PX * scatterer_spacing_mm
        self._axial = _axial_filter(scanner, z, blur_mm)
        self._padded = fft.next_fast_len(len(x) + 24)
        self._lateral = _lateral_filters(scanner, z, self._padded, step, blur_mm)
        per_mm = _LOSS_AT_SCANNER * scanner.frequency_mhz
        self._loss_scale = np.float32(per_mm * step) * _NEPER
        compensation = per_mm * _COMPENSATED_LOSS * np.minimum(z, _GAIN_ENDS_MM)
        turns = random.uniform(0, 2 * np.pi, 2)
        error = 0.6 * np.sin(z / 9 + turns[0]) + 0.4 * np.sin(z / 4 + turns[1])
        self._gain = (compensation + scanner.tgc_error_db * error).astype(np.float32) * _NEPER
        noise_db = scanner.noise_db + compensation - per_mm * _COMPENSATED_LOSS * 30.0
        self._noise = np.exp(noise_db.astype(np.float32) * _NEPER)[:, None]
        lines = random.standard_normal(len(x)).astype(np.float32)
        self._line_gain = np.exp(_NEPER * np.float32(0.35) * lines)
        self._level_db = np.float32(scanner.gain_db + random.uniform(-3, 3))
        ringing = np.exp(-((z / 0.22) ** 2)) + 0.12 * np.exp(-z / 0.9) * (
            1 + np.cos(2 * np.pi * z / 0.45)
        )
        self._ringing = (6.0 * ringing).astype(np.float32)[:, None]
        self._multipath = tuple((round(delay / step), share) for delay, share in _MULTIPATH)

    @property
    def view(self) -> View:
        """Depth and pixels."""
        return self._view

    def envelope(self, field_HW: Field, loss_HW: Plane, noise_HW: Field, contact_W: Plane) -> Plane:
        """Return the envelope before compression, about 1 for average tissue.

        Args:
            field_HW: scatterers times amplitude at each pixel, including mirror-like layers.
            loss_HW: attenuation in dB/(cm MHz).
            noise_HW: complex noise of unit variance.
            contact_W: 1 where the probe touches the skin, 0 elsewhere.
        """
        lost = np.cumsum(loss_HW, axis=0)
        beam = max(1, round(1.1 / self._step_mm))  # the aperture sees around small shadows
        lost = uniform_filter1d(lost, beam, axis=1, mode="nearest")
        lost *= -self._loss_scale
        lost += self._gain[:, None]
        gain = np.exp(lost, out=lost)
        gain *= self._line_gain * contact_W
        echoes = field_HW * gain
        for delay, share in self._multipath:
            echoes[delay:] += np.float32(share) * echoes[: len(echoes) - delay]
        columns = echoes.shape[1]
        pulsed = (self._axial @ echoes.view(np.float32)).view(np.complex64)
        spectrum = fft.fft(pulsed, self._padded, axis=1, overwrite_x=True)
        noise = self._noise * noise_HW
        envelope = np.zeros(echoes.shape, np.float32)
        for look in self._lateral:
            formed: Field = fft.ifft(spectrum * look, axis=1, overwrite_x=True)[:, :columns]
            formed += noise
            envelope += np.abs(formed)
        envelope *= np.float32(1 / len(self._lateral))
        envelope += self._ringing * (1 + 2 * (1 - contact_W))
        return envelope

    def grey(self, envelope_HW: Plane, turned_db: float = 0.0) -> Plane:
        """Return the shown picture as float32 in 0 to 255: compressed, smoothed, resized.

        Args:
            envelope_HW: before compression.
            turned_db: the operator's change of gain.
        """
        scanner = self._scanner
        level = np.log10(envelope_HW + np.float32(1e-6))
        level *= np.float32(20 / scanner.dynamic_range_db)
        level += (self._level_db + np.float32(turned_db)) / np.float32(scanner.dynamic_range_db)
        np.clip(level, 0, 1, out=level)
        if scanner.gamma != 1:
            level **= np.float32(scanner.gamma)
        if scanner.smoothing:
            level = _smoothed(level, np.float32(scanner.smoothing))
        factor = self._view.oversampling
        if factor > 1:
            rows, columns = self._view.rows, self._view.columns
            level = level.reshape(rows, factor, columns, factor).mean(axis=(1, 3))
        grey: Plane = level * np.float32(255)
        return grey


def _axial_filter(scanner: Scanner, z: Plane, blur_mm: float) -> Plane:
    """Return the matrix that spreads each scatterer over its pulse, with unit gain for speckle."""
    sigma = np.array([axial_sigma_mm(scanner, float(depth)) for depth in z])
    distance = z[:, None].astype(np.float64) - z[None, :]
    kernel = np.exp(-0.5 * (distance / sigma[:, None]) ** 2)
    alike = np.exp(-(distance**2) / (4 * blur_mm**2))
    power = np.einsum("ij,ij->i", kernel @ alike, kernel)
    matrix: Plane = (kernel / np.sqrt(power)[:, None]).astype(np.float32)
    return matrix


def _lateral_filters(
    scanner: Scanner, z: Plane, columns: int, step_mm: float, blur_mm: float
) -> tuple[Plane, ...]:
    """Return the spectrum of the beam at each depth, one for each look.

    A look uses a part of the aperture and therefore of the band.
    """
    k = 2 * np.pi / step_mm * fft.fftfreq(columns)
    sigma = np.array([lateral_sigma_mm(scanner, float(depth)) for depth in z])[:, None]
    alike = np.exp(-((blur_mm * k) ** 2))
    centres = np.linspace(-1, 1, scanner.looks) if scanner.looks > 1 else np.zeros(1)
    share = 0.7 if scanner.looks > 1 else 1.0  # of the whole band
    filters = []
    for centre in centres:
        spectrum = np.exp(-0.5 * ((sigma * k - centre) / share) ** 2)
        power = (spectrum**2 * alike).sum(axis=1) / alike.sum()
        filters.append((spectrum / np.sqrt(power)[:, None]).astype(np.float32))
    return tuple(filters)


def _smoothed(level_HW: Plane, share: np.float32) -> Plane:
    """Reduce speckle: mix in a mean over 5 columns and 3 rows."""
    soft = level_HW
    for _ in range(2):
        once = soft.copy()
        once[:, 1:-1] += soft[:, :-2] + soft[:, 2:]
        once[:, 1:-1] *= np.float32(1 / 3)
        soft = once
    mixed = soft.copy()
    mixed[1:-1] *= 2
    mixed[1:-1] += soft[:-2] + soft[2:]
    mixed[1:-1] *= np.float32(0.25)
    mixed -= level_HW
    mixed *= share
    mixed += level_HW
    return mixed
