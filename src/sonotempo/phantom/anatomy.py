"""The anatomy in the scanned plane: layers, muscles, vessels, nerves and bone of one subject.

Coordinates are millimetres at rest: ``x`` along the probe from its centre, ``z`` depth below the
skin. Lateral is to the left. ``axillary`` and ``femoral`` draw the numbers; ``plane`` turns them
into maps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ellipse:
    """A tilted ellipse: centre, half axes and angle in radians, all in millimetres."""

    x_mm: float
    z_mm: float
    half_width_mm: float
    half_height_mm: float
    angle: float = 0.0

    def local(self, x: Plane, z: Plane) -> tuple[Plane, Plane]:
        """Return coordinates along the half axes, 1 at the border."""
        dx, dz = x - np.float32(self.x_mm), z - np.float32(self.z_mm)
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        return (
            ((cos * dx + sin * dz) / self.half_width_mm).astype(np.float32),
            ((cos * dz - sin * dx) / self.half_height_mm).astype(np.float32),
        )

    def distance_mm(self, x: Plane, z: Plane) -> Plane:
        """Return the signed distance to the border to first order, negative inside."""
        u, v = self.local(x, z)
        radius = np.hypot(u, v) + np.float32(1e-6)
        slope = np.hypot(u / np.float32(self.half_width_mm), v / np.float32(self.half_height_mm))
        distance: Plane = radius * (radius - 1) / (slope + np.float32(1e-6))
        return distance


@dataclass(frozen=True, slots=True)
class Muscle:
    """A muscle's cross-section, the direction of its fibres, and its brightness."""

    border: Ellipse
    fibre_angle: float
    echo_db: float


@dataclass(frozen=True, slots=True)
class Vessel:
    """An artery or a vein.

    Attributes:
        lumen: its cross-section at rest.
        artery: arteries pulsate, veins collapse under the probe.
        wall_mm: thickness of the bright wall.
        pulsation: relative growth of an artery's radius at the peak of a pulse.
        opening_pressure: probe pressure (0 to 1) at which a vein is half collapsed.
        obliquity: how far it shifts in x and z for a millimetre across the plane.
    """

    lumen: Ellipse
    artery: bool
    wall_mm: float
    pulsation: float
    opening_pressure: float
    obliquity: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Nerve:
    """A nerve's cross-section: dark fascicles in bright epineurium inside a bright rim.

    Attributes:
        name: of its structure.
        border: outer edge of the rim.
        fascicles: number of fascicles.
        echo_db: brightness of the epineurium.
        best_tilt_deg: probe tilt at which it is brightest.
        anisotropy: n of the gain cosⁿ(tilt - best tilt).
        obliquity: how far it shifts in x and z for a millimetre across the plane.
        labelled: whether masks show it; the radial nerve has no class.
    """

    name: str
    border: Ellipse
    fascicles: int
    echo_db: float
    best_tilt_deg: float
    anisotropy: float
    obliquity: tuple[float, float]
    labelled: bool = True


@dataclass(frozen=True, slots=True)
class Fascia:
    """A thin layer across the whole picture: depth at x = 0, slope, waves and brightness.

    It bends down by ``sag_mm`` at 1 cm on either side, and by four times as much at 2 cm.
    """

    z_mm: float
    slope: float
    sag_mm: float
    wave_mm: float
    phase: float
    echo_db: float

    def depth_mm(self, x: Plane) -> Plane:
        """Return its depth at each x."""
        wave = self.wave_mm * np.sin(0.22 * x + self.phase)
        depth: Plane = (self.z_mm + self.slope * x + self.sag_mm * (x / 10) ** 2 + wave).astype(
            np.float32
        )
        return depth


@dataclass(frozen=True, slots=True)
class Subject:
    """The anatomy of one simulated person in one region.

    Attributes:
        procedure: axillary, femoral or lookalikes.
        skin_mm: thickness of the skin.
        fat_bottom: the deep fascia, where subcutaneous fat ends.
        fasciae: further layers.
        muscles: painted in this order.
        sheath: bright connective tissue around the nerves and vessels.
        vessels: arteries and veins.
        nerves: with and without a class.
        bone: its cross-section; only the surface that faces the probe is visible.
        fat_echo_db: brightness of fat.
        bulk_attenuation: relative to the average person's.
        texture_seed: of all fine texture.
    """

    procedure: str
    skin_mm: float
    fat_bottom: Fascia
    fasciae: tuple[Fascia, ...]
    muscles: tuple[Muscle, ...]
    sheath: Ellipse
    vessels: tuple[Vessel, ...]
    nerves: tuple[Nerve, ...]
    bone: Ellipse
    fat_echo_db: float
    bulk_attenuation: float
    texture_seed: int

    @property
    def deepest_target_mm(self) -> float:
        """Lower end of the deepest nerve or vessel, which the image should include."""
        targets = [nerve.border for nerve in self.nerves] + [each.lumen for each in self.vessels]
        return max(each.z_mm + each.half_height_mm for each in targets)


@dataclass(frozen=True, slots=True)
class Dice:
    """Draws of one subject; ``variability`` scales every spread around its mean."""

    random: np.random.Generator
    variability: float

    def normal(self, mean: float, deviation: float, low: float, high: float) -> float:
        """Draw from a normal distribution, clipped to ``low`` and ``high``."""
        drawn = mean + self.variability * deviation * self.random.standard_normal()
        return float(np.clip(drawn, low, high))

    def between(self, low: float, high: float) -> float:
        """Draw uniformly from a range that shrinks to its middle without variability."""
        half = 0.5 * (high - low) * self.variability
        return float(0.5 * (low + high) + half * self.random.uniform(-1, 1))

    def angle(self, degrees: float) -> float:
        """Draw an angle in radians, at most this many degrees in either direction."""
        return self.between(-np.deg2rad(degrees), np.deg2rad(degrees))

    def obliquity(self, largest: float) -> tuple[float, float]:
        """Draw how a structure runs across the plane; less in depth than along the probe."""
        return self.between(-largest, largest), self.between(-largest / 2, largest / 2)

    def fascia(
        self,
        z_mm: float,
        slope: tuple[float, float],
        sag_mm: tuple[float, float],
        wave_mm: tuple[float, float],
        echo_db: tuple[float, float, float, float],
    ) -> Fascia:
        """Draw a layer: ranges of its shape, and mean, deviation and limits of its brightness."""
        return Fascia(
            z_mm,
            self.between(*slope),
            self.between(*sag_mm),
            self.between(*wave_mm),
            self.between(0, 6.3),
            self.normal(*echo_db),
        )

    def nerve(
        self,
        name: str,
        place_mm: tuple[float, float],
        area_mm2: float,
        flatness: float,
        *,
        labelled: bool = True,
    ) -> Nerve:
        """Draw a nerve of this cross-sectional area; ``flatness`` is width over height.

        Anisotropy: the femoral nerve is isoechoic with its surroundings when the probe is tilted
        by 10 to 13 degrees (Soong et al. 2005); cosⁿ falls to a quarter there with n about 70.
        """
        height = float(np.sqrt(area_mm2 / np.pi / flatness))
        return Nerve(
            name,
            Ellipse(*place_mm, flatness * height, height, self.angle(20)),
            fascicles=int(np.clip(round(self.normal(1.3 * area_mm2, 3, 5, 30)), 5, 30)),
            echo_db=self.normal(8.0, 1.5, 4.5, 11),
            best_tilt_deg=self.between(-3.0, 3.0),
            anisotropy=self.between(50, 90),
            obliquity=self.obliquity(0.25),
            labelled=labelled,
        )


def free_place(
    wanted_mm: tuple[float, float],
    radius_mm: float,
    taken: Sequence[tuple[float, float, float]],
    ceiling_mm: float = -np.inf,
) -> tuple[float, float]:
    """Return the place nearest to the wanted one where a circle overlaps no other.

    Args:
        wanted_mm: x and z of its centre.
        radius_mm: of the circle.
        taken: x, z and radius of the other circles.
        ceiling_mm: smallest depth of the centre.

    >>> free_place((0.0, 1.0), 1.0, [(0.0, 0.0, 2.0)])
    (0.0, 3.0)
    """
    places = np.array(wanted_mm) + _OFFSETS_MM
    free = places[:, 1] >= ceiling_mm
    for x, z, radius in taken:
        free &= np.hypot(places[:, 0] - x, places[:, 1] - z) >= radius_mm + radius - 1e-9
    x, z = places[int(np.argmax(free))]
    return float(x), float(z)


def _rings() -> NDArray[np.float64]:
    """Return offsets on rings around a place, the nearest first; downwards first on each."""
    reach, turn = np.mgrid[0:20:0.25, 0 : 2 * np.pi : 48j]
    offsets = np.stack([reach * np.sin(turn), reach * np.cos(turn)], axis=-1)
    return offsets.reshape(-1, 2)


_OFFSETS_MM = _rings()
