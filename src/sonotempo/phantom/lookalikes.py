"""A muscle with one nerve among bodies that look like it: what only earlier frames can tell apart.

This is a control for a comparison, not an anatomy. Seven bodies of the same size, texture and
border lie at random places in a plain muscle; one of them is the nerve. While the nerve is visible
it is the brightest; while it fades (:mod:`sonotempo.phantom.fades`) it is as bright as the others.
Tendons, lymph nodes and fascicles of muscles are such look-alikes in patients. Nothing in the
picture depends on which body is the nerve: neither its place, nor the artery, nor the layers.
"""

from dataclasses import replace

import numpy as np

from sonotempo.phantom.anatomy import Dice, Ellipse, Muscle, Nerve, Subject, Vessel

#: The gain of every look-alike, and of the nerve while it is faded.
LOOK_ALIKE_GAIN = 0.3

_BODIES = 7
_REACH_MM = 12.0
_DEPTH_MM = (9.0, 24.0)
_GAP_MM = 1.6
_TRIES = 2000


def draw_lookalikes(random: np.random.Generator, variability: float) -> Subject:
    """Draw one subject; only places ignore ``variability``: they are always random."""
    dice = Dice(random, variability)
    skin = dice.normal(1.6, 0.2, 1.1, 2.2)
    fat_bottom = skin + dice.normal(4.0, 0.8, 2.5, 6.0)
    radius = dice.normal(2.6, 0.3, 2.0, 3.4)
    sizes = [(dice.between(12.0, 20.0), dice.between(1.1, 1.5)) for _ in range(_BODIES)]
    radii = [radius + 0.6, *(float(np.sqrt(area / np.pi * flat)) for area, flat in sizes)]
    (artery_x, artery_z), *places = _apart(random, radii)
    bodies = [
        replace(
            dice.nerve("nerve", place, area, flatness, labelled=number == 0),
            echo_db=dice.normal(12.0, 1.0, 10.5, 13.5),
        )
        for number, (place, (area, flatness)) in enumerate(zip(places, sizes, strict=True))
    ]
    # Painted in an order that does not tell which one is the nerve.
    order = random.permutation(_BODIES)
    artery = Vessel(
        Ellipse(artery_x, artery_z, radius, 0.96 * radius),
        artery=True,
        wall_mm=0.6,
        pulsation=dice.between(0.03, 0.10),
        opening_pressure=2.0,
        obliquity=dice.obliquity(0.12),
    )
    nerves: tuple[Nerve, ...] = tuple(bodies[number] for number in order)
    return Subject(
        procedure="lookalikes",
        skin_mm=skin,
        fat_bottom=dice.fascia(fat_bottom, (-0.03, 0.03), (-0.2, 0.2), (0.0, 0.3), (18, 2, 14, 22)),
        fasciae=(),
        muscles=(
            Muscle(Ellipse(0.0, 19.0, 60.0, 60.0), dice.angle(12), dice.normal(-10, 1, -12, -8)),
        ),
        sheath=Ellipse(0.0, -90.0, 1.0, 1.0),
        vessels=(artery,),
        nerves=nerves,
        bone=Ellipse(0.0, 150.0, 40.0, 40.0),
        fat_echo_db=dice.normal(-5.5, 1.5, -10, -2),
        bulk_attenuation=dice.normal(1.0, 0.1, 0.8, 1.2),
        texture_seed=int(random.integers(2**31)),
    )


def _apart(random: np.random.Generator, radii_mm: list[float]) -> list[tuple[float, float]]:
    """Draw places, uniform over the plane, at which circles of these radii do not touch."""
    while True:
        places: list[tuple[float, float]] = []
        for radius in radii_mm:
            for _ in range(_TRIES):
                x = float(random.uniform(-_REACH_MM, _REACH_MM))
                z = float(random.uniform(*_DEPTH_MM))
                distances = (
                    np.hypot(x - other_x, z - other_z) - other - radius
                    for (other_x, other_z), other in zip(places, radii_mm, strict=False)
                )
                if all(distance >= _GAP_MM for distance in distances):
                    places.append((x, z))
                    break
        if len(places) == len(radii_mm):
            return places
