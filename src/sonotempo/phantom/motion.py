"""Motion of probe and patient as closed forms of time: endless, without memory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonotempo.phantom.settings import PhantomConfig

_REST_PRESSURE = 0.3
# Correlation of speckle falls to exp(-1/4) over this distance across the plane: about a third of
# the slice's thickness of 1.2 mm.
_ACROSS_PLANE_MM = 0.4
_LEVER_MM = 15.0  # a tilt about the skin moves the plane by its angle times the depth


@dataclass(frozen=True, slots=True)
class Pose:
    """The position of probe and patient at one time.

    Attributes:
        lateral_mm: of the probe along its face.
        across_mm: of the probe across the image plane.
        tilt_deg: of the probe out of the plane; nerves fade with it but do not move.
        lean: tangent of the probe's rotation in the plane.
        pressure: from 0 (hardly touching) to 1 (pressed hard).
        pulse: from 0 (between heart beats) to 1 (at the peak of one).
        breath_mm: how far breathing has moved deep tissue, along the probe and in depth.
    """

    lateral_mm: float
    across_mm: float
    tilt_deg: float
    lean: float
    pressure: float
    pulse: float
    breath_mm: tuple[float, float]

    @property
    def strain(self) -> float:
        """Compression of the tissue under the probe relative to rest."""
        return 0.11 * (self.pressure - _REST_PRESSURE)


class _Wave:
    """A sum of three sines of different frequency: smooth, endless, within ±1."""

    def __init__(self, random: np.random.Generator, lowest_hz: float, highest_hz: float) -> None:
        self._hz: NDArray[np.float64] = random.uniform(lowest_hz, highest_hz, 3)
        self._phase: NDArray[np.float64] = random.uniform(0, 2 * np.pi, 3)

    def at(self, seconds: float) -> float:
        weights = np.array((0.5, 0.3, 0.2))
        return float(weights @ np.sin(2 * np.pi * self._hz * seconds + self._phase))


class Motion:
    """One recording's motion, as a function of time.

    Heart rate 50 to 120 a minute with the sinus arrhythmia of breathing; 12 to 20 breaths a
    minute. The amplitudes of the hand's motion are chosen, not measured. ``fading`` sets how
    far the probe tilts (14 degrees at 1) and how often.
    """

    def __init__(self, random: np.random.Generator, settings: PhantomConfig) -> None:
        self._slide = _Wave(random, 0.04, 0.22), float(random.uniform(2.0, 8.0))
        self._across = _Wave(random, 0.04, 0.2), float(random.uniform(1.5, 4.0))
        self._lean = _Wave(random, 0.05, 0.2), float(random.uniform(0.01, 0.06))
        self._press = _Wave(random, 0.08, 0.35), float(random.uniform(0.25, 0.5))
        self._tremor = _Wave(random, 2.0, 6.0), float(random.uniform(0.02, 0.08))
        rate = 0.12 + 0.35 * settings.fading
        self._tilt = _Wave(random, 0.6 * rate, 1.4 * rate), 14.0 * settings.fading
        self._heart_hz = float(random.uniform(50, 120)) / 60
        self._breath_hz = float(random.uniform(12, 20)) / 60
        self._breath_mm = random.uniform(0.1, 0.9), random.uniform(0.05, 0.5)
        self._phases: NDArray[np.float64] = random.uniform(0, 1, 2)

    def pose(self, seconds: float) -> Pose:
        """Return the pose at a time."""
        breath = float(np.sin(2 * np.pi * (self._breath_hz * seconds + self._phases[0])))
        beat = self._heart_hz * seconds + 0.03 * breath + self._phases[1]
        tremor = self._tremor[0].at(seconds) * self._tremor[1]
        press, depth_of_press = self._press
        tilt, largest_tilt = self._tilt
        return Pose(
            lateral_mm=_scaled(self._slide, seconds) + tremor,
            across_mm=_scaled(self._across, seconds) + 0.5 * tremor,
            tilt_deg=float(np.clip(1.6 * tilt.at(seconds), -1, 1)) * largest_tilt + 4 * tremor,
            lean=_scaled(self._lean, seconds),
            pressure=float(
                np.clip(_REST_PRESSURE + 0.1 + 1.5 * depth_of_press * press.at(seconds), 0, 1)
            ),
            pulse=pulse_wave(beat % 1.0),
            breath_mm=(breath * self._breath_mm[0], breath * self._breath_mm[1]),
        )


def _scaled(wave: tuple[_Wave, float], seconds: float) -> float:
    return wave[0].at(seconds) * wave[1]


def pulse_wave(phase: float) -> float:
    """Return an artery's widening, 0 to 1, at a phase of the heart beat from 0 to 1.

    A quick rise in systole, a slow fall with a dicrotic wave.

    >>> tuple(round(pulse_wave(phase), 2) for phase in (0.0, 0.15, 0.9))
    (0.0, 1.0, 0.02)
    """
    if phase < 0.15:
        return float(np.sin(0.5 * np.pi * phase / 0.15) ** 2)
    fall = np.exp(-(phase - 0.15) / 0.22)
    dicrotic = 0.12 * np.exp(-(((phase - 0.5) / 0.07) ** 2))
    return float(fall + dicrotic) * float(np.clip((1 - phase) / 0.15, 0, 1))


def kept_correlation(before: Pose, now: Pose, decorrelation: float) -> float:
    """Return ρ: how much of the tissue's speckle stays from one frame to the next.

    Motion across the plane replaces scatterers, and so does tilt; so does compression, which
    mixes the phases within a resolution cell.
    """
    tilt_mm = np.deg2rad(now.tilt_deg - before.tilt_deg) * _LEVER_MM
    across_mm = now.across_mm - before.across_mm
    mixed_mm = 2.0 * (now.strain - before.strain)
    moved2 = across_mm**2 + tilt_mm**2 + mixed_mm**2
    return float(np.exp(-moved2 * decorrelation**2 / (4 * _ACROSS_PLANE_MM**2)))


def nerve_gain(anisotropy: float, best_tilt_deg: float, tilt_deg: float) -> float:
    """Return cosⁿ of the angle between the beam and a nerve's best one.

    >>> nerve_gain(70, 0, 0)
    1.0
    >>> nerve_gain(70, 0, 12) < 0.25
    True
    """
    return float(np.cos(np.deg2rad(tilt_deg - best_tilt_deg)) ** anisotropy)


def vein_opening(pressure: float, half_at: float) -> float:
    """Return how open a vein is: 1 at rest, nearly 0 when the probe presses it shut.

    >>> vein_opening(0.0, 0.5) > 0.9 and vein_opening(1.0, 0.5) < 0.15
    True
    """
    return float(0.08 + 0.92 / (1 + np.exp((pressure - half_at) / 0.09)))
