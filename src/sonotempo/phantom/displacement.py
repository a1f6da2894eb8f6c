"""The displacement field: which point of the tissue at rest each pixel of a frame shows."""

from dataclasses import dataclass

import numpy as np

from sonotempo.phantom.anatomy import Plane, Subject, Vessel
from sonotempo.phantom.motion import Pose, vein_opening

_SOFT_MM = 12.0  # the tissue above this depth takes most of the compression
_DRIFT_MM = 4.5  # how far the shift of a nerve or vessel reaches


def tissue_coordinates(x_W: Plane, z_H: Plane, pose: Pose, subject: Subject) -> tuple[Plane, Plane]:
    """Return x and z of the tissue at rest that each pixel shows, in millimetres, both HW.

    Args:
        x_W: along the probe from its centre.
        z_H: depth below the probe.
        pose: of probe and patient.
        subject: whose vessels pulsate and collapse.
    """
    deep = z_H / np.float32(30.0)
    rest_z = z_H + np.float32(pose.strain * _SOFT_MM) * (1 - np.exp(-z_H / np.float32(_SOFT_MM)))
    rest_z = rest_z + np.float32(pose.breath_mm[1]) * deep
    rest_x = x_W + np.float32(pose.lateral_mm)
    sheared = np.float32(pose.lean) * z_H + np.float32(pose.breath_mm[0]) * deep
    field = _Field(
        rest_x,
        rest_z,
        rest_x + sheared[:, None],
        np.repeat(rest_z[:, None], len(x_W), axis=1),
    )
    _drift(field, pose, subject)
    for vessel in subject.vessels:
        change = _pulsate if vessel.artery else _collapse
        change(field, vessel, pose)
    return field.x, field.z


@dataclass(frozen=True, slots=True)
class _Field:
    """Tissue coordinates HW in the making, and what each column and row shows roughly."""

    rest_x: Plane
    rest_z: Plane
    x: Plane
    z: Plane

    def around(self, vessel: Vessel, reach_x_mm: float, reach_z_mm: float) -> tuple[slice, slice]:
        """Return the rows and columns within a reach of a vessel's centre."""
        lumen = vessel.lumen
        columns = np.searchsorted(self.rest_x, (lumen.x_mm - reach_x_mm, lumen.x_mm + reach_x_mm))
        rows = np.searchsorted(self.rest_z, (lumen.z_mm - reach_z_mm, lumen.z_mm + reach_z_mm))
        return slice(int(rows[0]), int(rows[1])), slice(int(columns[0]), int(columns[1]))


def _drift(field: _Field, pose: Pose, subject: Subject) -> None:
    """Shift nerves and vessels as the plane moves across them, each by its own obliquity."""
    bodies = [(each.border, each.obliquity) for each in subject.nerves]
    bodies += [(each.lumen, each.obliquity) for each in subject.vessels]
    near_x = np.stack([_bell(field.rest_x - np.float32(place.x_mm)) for place, _ in bodies])
    near_z = np.stack([_bell(field.rest_z - np.float32(place.z_mm)) for place, _ in bodies])
    shifts = np.array([shift for _, shift in bodies], np.float32) * np.float32(-pose.across_mm)
    field.x[:] += near_z.T @ (near_x * shifts[:, :1])
    field.z[:] += near_z.T @ (near_x * shifts[:, 1:])


def _bell(distance_mm: Plane) -> Plane:
    bell: Plane = np.exp(-0.5 * (distance_mm / np.float32(_DRIFT_MM)) ** 2)
    return bell


def _pulsate(field: _Field, vessel: Vessel, pose: Pose) -> None:
    """Widen an artery and push the incompressible tissue around it away."""
    lumen = vessel.lumen
    radius = 0.5 * (lumen.half_width_mm + lumen.half_height_mm)
    growth = 1 + vessel.pulsation * pose.pulse
    here = field.around(vessel, 5 * radius + 2, 5 * radius + 2)
    dx, dz = field.x[here] - np.float32(lumen.x_mm), field.z[here] - np.float32(lumen.z_mm)
    squared = dx * dx + dz * dz + np.float32(1e-6)
    fade = np.clip(np.float32(2.0) - np.sqrt(squared) / np.float32(2.5 * radius), 0, 1)
    given_way = np.float32(radius**2 * (growth**2 - 1)) * fade
    scale = np.where(
        squared < np.float32((radius * growth) ** 2),
        np.float32(1 / growth),
        np.sqrt(np.maximum(1 - given_way / squared, 0)),
    )
    field.x[here] += dx * (scale - 1)
    field.z[here] += dz * (scale - 1)


def _collapse(field: _Field, vessel: Vessel, pose: Pose) -> None:
    """Flatten a vein; the tissue above and below closes in."""
    lumen = vessel.lumen
    half, reach = lumen.half_height_mm, 2.2 * lumen.half_height_mm
    opening = vein_opening(pose.pressure, vessel.opening_pressure)
    here = field.around(vessel, 2 * lumen.half_width_mm + 2, half + 4 * reach)
    dx = (field.x[here] - np.float32(lumen.x_mm)) / np.float32(1.15 * lumen.half_width_mm)
    dz = field.z[here] - np.float32(lumen.z_mm)
    squared = dx * dx
    open_here = 1 - np.float32(1 - opening) * np.exp(-squared * squared)
    half_now = np.float32(half) * open_here
    outside = np.abs(dz) - half_now
    closed_in = np.float32(half) - half_now
    moved = closed_in * np.exp(np.minimum(-outside, 0) / np.float32(reach))
    field.z[here] += np.where(outside < 0, dz / open_here - dz, np.copysign(moved, dz))
