"""A subject's plane as maps at rest: labels, echo, attenuation, specular layers, nerves.

Maps have axes HW (depth, along the probe) and their own spacing. Motion changes only the
coordinates at which they are read, so everything in them moves with the tissue, speckle included.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sonotempo.phantom.anatomy import Fascia, Nerve, Plane, Subject, Vessel
from sonotempo.phantom.texture import Texture, amplitude
from sonotempo.structures import StructureSet

# Attenuation in dB/(cm MHz), after Duck, Physical Properties of Tissue (1990), rounded; bone is
# set so that its shadow is complete within a few millimetres.
_FAT_LOSS, _MUSCLE_LOSS, _SHEATH_LOSS, _BLOOD_LOSS, _BONE_LOSS = 0.6, 0.95, 0.9, 0.18, 7.0
_BLOOD_ECHO_DB = -11.0
_BONE_LABEL_MM = 4.0  # how deep below the bone's surface a mask reaches
_BONE_LABEL_ANGLE = np.deg2rad(62.0)  # steeper surfaces send nothing back


@dataclass(frozen=True, slots=True)
class NervePatch:
    """The place of a nerve in the maps, and what its bright structure adds to the echo."""

    nerve: Nerve
    rows: slice
    columns: slice
    extra_echo: Plane


@dataclass(frozen=True, slots=True)
class TissuePlane:
    """The maps of one subject.

    Attributes:
        left_mm: x of the first column; the first row is the skin.
        spacing_mm: of rows and columns.
        label_HW: uint8 mask values.
        echo_HW: amplitude of diffuse scattering, 1 for average tissue, nerves at their faintest.
        loss_HW: attenuation in dB/(cm MHz).
        specular_HW: amplitude of layers that reflect like mirrors.
        normal_HW: direction of those layers' normal from the beam in radians.
        blood: flat indices of lumens, whose speckle flows.
        nerves: what to add to the echo, depending on the tilt.
    """

    left_mm: float
    spacing_mm: float
    label_HW: NDArray[np.uint8]
    echo_HW: Plane
    loss_HW: Plane
    specular_HW: Plane
    normal_HW: Plane
    blood: NDArray[np.intp]
    nerves: tuple[NervePatch, ...]


def build_plane(
    subject: Subject,
    structures: StructureSet,
    half_width_mm: float,
    depth_mm: float,
    spacing_mm: float,
) -> TissuePlane:
    """Paint a subject's maps from x = -half_width to half_width, from the skin to ``depth_mm``."""
    painter = _Painter(subject, structures, half_width_mm, depth_mm, spacing_mm)
    painter.layers()
    painter.muscles()
    painter.sheath()
    painter.bone()
    patches = tuple(painter.nerve(nerve) for nerve in subject.nerves)
    for vessel in subject.vessels:
        painter.vessel(vessel)
    # A wall that touches a nerve ends the nerve's bright structure there.
    for patch in patches:
        patch.extra_echo[painter.lumen[patch.rows, patch.columns]] = 0
    return TissuePlane(
        -half_width_mm,
        spacing_mm,
        painter.label,
        painter.echo,
        painter.loss * np.float32(subject.bulk_attenuation),
        painter.specular,
        painter.normal,
        np.flatnonzero(painter.lumen),
        patches,
    )


class _Painter:
    """Paints one tissue after another; later ones cover earlier ones."""

    def __init__(
        self,
        subject: Subject,
        structures: StructureSet,
        half_width_mm: float,
        depth_mm: float,
        spacing_mm: float,
    ) -> None:
        self.subject, self.structures, self.spacing_mm = subject, structures, spacing_mm
        rows = int(np.ceil(depth_mm / spacing_mm)) + 2
        columns = int(np.ceil(2 * half_width_mm / spacing_mm)) + 2
        self.texture = Texture(subject.texture_seed, (rows, columns), spacing_mm)
        z, x = np.mgrid[:rows, :columns].astype(np.float32) * np.float32(spacing_mm)
        self.x, self.z = x - np.float32(half_width_mm), z
        # Borders of muscles and layers are never as smooth as an ellipse.
        self.bent_x = self.x + np.float32(0.7) * self.texture.noise(5.0, 5.0)
        self.bent_z = self.z + np.float32(0.45) * self.texture.noise(3.0, 6.0)
        self.label = np.zeros((rows, columns), np.uint8)
        self.echo = np.ones((rows, columns), np.float32)
        self.loss = np.full((rows, columns), _SHEATH_LOSS, np.float32)
        self.specular = np.zeros((rows, columns), np.float32)
        self.normal = np.zeros((rows, columns), np.float32)
        self.lumen = np.zeros((rows, columns), bool)

    def layers(self) -> None:
        """Skin, fat with its septa, and loose tissue below the deep fascia."""
        subject, texture = self.subject, self.texture
        bottom = subject.fat_bottom.depth_mm(self.bent_x)
        below = self.bent_z > bottom
        fat = self._mottled(subject.fat_echo_db, 2.0)
        loose = self._mottled(-2.0, 2.5)
        self.echo[:] = np.where(below, loose, fat)
        self.loss[:] = np.where(below, _SHEATH_LOSS, _FAT_LOSS)
        septa = texture.septa(0.55, 5.0, thickness=0.09)
        self._reflect(np.where(below, 0, septa) * amplitude(13.0), 0.0)
        streaks = texture.septa(0.5, 2.5, thickness=0.10) + texture.dashes(
            0.09, 1.2, 0.0, threshold=1.3
        )
        self._reflect(np.where(below, streaks, 0) * amplitude(9.0), 0.0)
        for fascia in subject.fasciae:
            self._fascia(fascia)
        self._fascia(subject.fat_bottom, thickness_mm=0.15)
        second = replace(subject.fat_bottom, z_mm=subject.fat_bottom.z_mm + 0.9, slope=0.01)
        self._fascia(replace(second, echo_db=second.echo_db - 6))
        skin = self.z < subject.skin_mm
        self.echo[skin] = self._mottled(2.0, 1.5)[skin]
        self.specular[skin] = 0
        dermis = Fascia(subject.skin_mm, 0.0, 0.0, 0.08, 1.0, 12.0)
        self._fascia(dermis)

    def muscles(self) -> None:
        """Muscles: dark, with short bright septa along the fibres, in a bright envelope."""
        below = self.z > self.subject.fat_bottom.depth_mm(self.x) + 0.3
        for muscle in self.subject.muscles:
            distance = muscle.border.distance_mm(self.bent_x, self.bent_z)
            inside = (distance < 0) & below
            self.echo[inside] = self._mottled(muscle.echo_db, 2.0)[inside]
            self.loss[inside] = _MUSCLE_LOSS
            self.specular[inside] = 0
            lines = self.texture.dashes(0.09, 1.3, muscle.fibre_angle, threshold=1.5)
            lines += 0.5 * self.texture.dashes(0.08, 0.45, muscle.fibre_angle, threshold=1.2)
            lines = np.where(inside & (distance < -0.4), lines, 0)
            self._reflect(lines * amplitude(9.0), muscle.fibre_angle)
            envelope = np.exp(-0.5 * (distance / 0.11) ** 2).astype(np.float32) * below
            envelope *= self._uneven()
            self._reflect(envelope * amplitude(16.0), self._normal_of(distance))

    def sheath(self) -> None:
        """Bright, streaky tissue around the vessels and nerves, without a sharp border."""
        distance = self.subject.sheath.distance_mm(self.bent_x, self.bent_z)
        below = self.z > self.subject.fat_bottom.depth_mm(self.x)
        share = np.clip(0.5 - distance / 1.6, 0, 1).astype(np.float32) * below
        self.echo += share * (self._mottled(-0.5, 2.5) - self.echo)
        self.loss += share * (np.float32(_SHEATH_LOSS) - self.loss)
        self.specular *= 1 - 0.7 * share
        self._reflect(share * self.texture.septa(0.8, 2.0, thickness=0.12) * amplitude(6.0), 0.0)

    def bone(self) -> None:
        """Bone: a bright ridge towards the probe, fading echoes of it below, then shadow."""
        distance = self.subject.bone.distance_mm(
            self.x, self.z + np.float32(0.35) * self.texture.noise(2.0, 2.0)
        )
        inside = distance < 0
        normal = self._normal_of(self.subject.bone.distance_mm(self.x, self.z))
        depth = np.maximum(-distance, 0)
        tail = amplitude(-4.0) * np.exp(-depth / 1.1).astype(np.float32)
        self.echo[inside] = tail[inside]
        self.loss[inside] = _BONE_LOSS
        self.specular[inside] = 0
        echoes = np.zeros_like(distance)
        for order in range(4):  # the beam runs to and fro between the surface and a layer above
            width = 0.13 + 0.2 * order
            echo = np.exp(-0.5 * ((depth - 1.3 * order) / width) ** 2)
            echoes += 0.05**order * echo * (self._uneven() ** 2 if order else 1)
        echoes = np.where(distance < 0.2, echoes, 0).astype(np.float32)
        rough = np.clip(0.8 + 0.35 * self.texture.noise(0.8, 0.8), 0.15, 1.6)
        self._reflect(echoes * rough * amplitude(26.0), 0.55 * normal)
        cap = inside & (depth < _BONE_LABEL_MM) & (np.abs(normal) < _BONE_LABEL_ANGLE)
        cap &= self.z < self.subject.bone.z_mm
        if cap.any():
            self.label[cap] = self.structures.label("bone")

    def nerve(self, nerve: Nerve) -> NervePatch:
        """A nerve: its label, and what it adds to the echo at its best tilt."""
        rows, columns = self._box(
            nerve.border.x_mm, nerve.border.z_mm, 1.2 * nerve.border.half_width_mm + 0.5
        )
        x, z = self.x[rows, columns], self.z[rows, columns]
        u, v = nerve.border.local(x, z)
        radius = np.hypot(u, v)
        inside = radius < 1
        bright = amplitude(nerve.echo_db)
        echo = bright * (1 + np.float32(0.35) * self.texture.fine[rows, columns])
        echo *= self.texture.fascicles(nerve, x, z)
        rim = np.exp(-0.5 * ((radius - 0.96) * nerve.border.half_height_mm / 0.14) ** 2)
        echo = np.maximum(echo, rim.astype(np.float32) * bright * amplitude(2.0))
        edge = np.clip((1.08 - radius) / 0.12, 0, 1).astype(np.float32)
        # A faded nerve looks like the tissue around it, without that tissue's layers.
        self.specular[rows, columns] *= 1 - edge
        extra = edge * (echo - self.echo[rows, columns])
        if nerve.labelled:
            self.label[rows, columns][inside] = self.structures.label(nerve.name)
        return NervePatch(nerve, rows, columns, extra.astype(np.float32))

    def vessel(self, vessel: Vessel) -> None:
        """A vessel: dark lumen, bright wall, brightest where it faces the probe."""
        bend = np.float32(0.10 if vessel.artery else 0.2) * self.texture.noise(1.5, 1.5)
        distance = vessel.lumen.distance_mm(self.x + bend, self.z + bend)
        lumen = distance < 0
        wall = np.exp(-0.5 * ((distance - 0.5 * vessel.wall_mm) / (0.42 * vessel.wall_mm)) ** 2)
        around = (distance > -0.1) & (distance < 2 * vessel.wall_mm)
        self.specular[around & (wall > 0.1)] *= 0.3
        wall = np.where(around, wall, 0).astype(np.float32)
        gain = amplitude(6.5 if vessel.artery else 4.0)
        self.echo[:] = np.maximum(self.echo, wall * gain)
        self.echo[lumen] = amplitude(_BLOOD_ECHO_DB)
        self.loss[lumen] = _BLOOD_LOSS
        self.loss[around & ~lumen] = 1.6 * _SHEATH_LOSS
        self.specular[lumen] = 0
        layer = np.exp(-0.5 * ((distance - 0.1) / 0.14) ** 2).astype(np.float32)
        self._reflect(
            np.where(around, layer, 0) * amplitude(14.0 if vessel.artery else 11.0),
            self._normal_of(distance),
        )
        self.label[lumen] = self.structures.label("blood")
        self.lumen |= lumen

    def _fascia(self, fascia: Fascia, thickness_mm: float = 0.11) -> None:
        distance = self.bent_z - fascia.depth_mm(self.bent_x)
        line = np.exp(-0.5 * (distance / thickness_mm) ** 2).astype(np.float32)
        self._reflect(line * self._uneven() * amplitude(fascia.echo_db), self._normal_of(distance))

    def _uneven(self) -> Plane:
        """Brightness along a layer of uneven thickness with gaps."""
        uneven: Plane = np.clip(0.6 + 0.5 * self.texture.noise(0.8, 3.0), 0.03, 1.7)
        return uneven

    def _mottled(self, echo_db: float, spread_db: float) -> Plane:
        """Diffuse echo around a level that varies over a few millimetres."""
        level: Plane = amplitude(echo_db) * np.exp(
            np.float32(spread_db * np.log(10) / 20) * self.texture.noise(0.8, 2.2)
        )
        return level

    def _reflect(self, amplitude_HW: Plane, normal: Plane | float) -> None:
        """Add a layer where it reflects more strongly than the existing ones."""
        stronger = amplitude_HW > self.specular
        np.copyto(self.specular, amplitude_HW.astype(np.float32), where=stronger)
        np.copyto(self.normal, np.asarray(normal, np.float32), where=stronger)

    def _normal_of(self, distance_HW: Plane) -> Plane:
        """Angle between a layer's normal and the beam, at most a right angle."""
        down, along = np.gradient(distance_HW)
        normal: Plane = np.arctan2(along, np.abs(down) + 1e-9).astype(np.float32)
        return normal

    def _box(self, x_mm: float, z_mm: float, reach_mm: float) -> tuple[slice, slice]:
        rows, columns = self.label.shape
        left = self.x[0, 0]
        top, bottom = (z_mm - reach_mm) / self.spacing_mm, (z_mm + reach_mm) / self.spacing_mm
        first = (x_mm - reach_mm - left) / self.spacing_mm
        last = (x_mm + reach_mm - left) / self.spacing_mm
        return (
            slice(int(np.clip(top, 0, rows)), int(np.clip(bottom + 2, 0, rows))),
            slice(int(np.clip(first, 0, columns)), int(np.clip(last + 2, 0, columns))),
        )
