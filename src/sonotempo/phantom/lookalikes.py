"""A muscle with one nerve among bodies that look like it: what only earlier frames can tell apart.

This is a control for a comparison, not an anatomy. Seven bodies of the same size, texture and
border lie at random places in a plain muscle; one of them is the nerve. While the nerve is visible
it is the brightest; while it fades (:mod:`sonotempo.phantom.fades`) it is as bright as the others.
Tendons, lymph nodes and fascicles of muscles are such look-alikes in patients. Nothing in the
picture depends on which body is the nerve: neither its place, nor the artery, nor the layers.
"""

from dataclasses import replace

import numpy as np

from sonotempo.phantom.anatomy import Dice, Ellipse, Muscle, Subject, Vessel

#: The gain of every look-alike, and of the nerve while it is faded.
LOOK_ALIKE_GAIN = 0.2

_BODIES = 7
_REACH_MM = 12.0
_DEPTH_MM = (9.0, 24.0)
_GAP_MM = 1.6
_TRIES = 200


def draw_lookalikes(random: np.random.Generator, variability: float) -> Subject:
    """Draw one subject; only places ignore ``variability``: they are always random."""
    dice = Dice(random, variability)
    skin = dice.normal(1.6, 0.2, 1.1, 2.2)
    fat_bottom = skin + dice.normal(4.0, 0.8, 2.5, 6.0)
    radius = dice.normal(2.6, 0.3, 2.0, 3.4)
    sizes = [(dice.between(12.0, 20.0), dice.between(1.1, 1.5)) for _ in range(_BODIES)]
    radii = [radius + 0.6, *(float(np.sqrt(area / np.pi * flat)) for area, flat in sizes)]
    (artery_x, artery_z), *places = _apart(random, radii)
    # Later bodies are pushed to the sides, so any of them may be the nerve.
    chosen = int(random.integers(_BODIES))
    bodies = [
        replace(
            dice.nerve("nerve", place, area, flatness, labelled=number == chosen),
            fascicles=7,
            echo_db=dice.normal(15.0, 1.0, 13.0, 17.0),
        )
        for number, (place, (area, flatness)) in enumerate(zip(places, sizes, strict=True))
    ]
    artery = Vessel(
        Ellipse(artery_x, artery_z, radius, 0.96 * radius),
        artery=True,
        wall_mm=0.6,
        pulsation=dice.between(0.03, 0.10),
        opening_pressure=2.0,
        obliquity=dice.obliquity(0.12),
    )
    return Subject(
        procedure="lookalikes",
        skin_mm=skin,
        fat_bottom=dice.fascia(fat_bottom, (-0.03, 0.03), (-0.2, 0.2), (0.0, 0.3), (18, 2, 14, 22)),
        fasciae=(),
        muscles=(
            Muscle(Ellipse(0.0, 19.0, 60.0, 60.0), dice.angle(12), dice.normal(-9, 1, -11, -7)),
        ),
        sheath=Ellipse(0.0, -90.0, 1.0, 1.0),
        vessels=(artery,),
        nerves=tuple(bodies),
        bone=Ellipse(0.0, 150.0, 40.0, 40.0),
        fat_echo_db=dice.normal(-5.5, 1.5, -10, -2),
        bulk_attenuation=dice.normal(1.0, 0.1, 0.8, 1.2),
        texture_seed=int(random.integers(2**31)),
    )


def _apart(random: np.random.Generator, radii_mm: list[float]) -> list[tuple[float, float]]:
    """Draw places, uniform over the plane, at which circles of these radii do not touch."""
    lowest, highest = (-_REACH_MM, _DEPTH_MM[0]), (_REACH_MM, _DEPTH_MM[1])
    while True:
        placed = np.empty((0, 2))
        for radius, before in zip(radii_mm, range(len(radii_mm)), strict=True):
            tries = random.uniform(lowest, highest, (_TRIES, 2))
            away = np.linalg.norm(tries[:, None] - placed[None], axis=2)
            free = (away >= np.array(radii_mm[:before]) + radius + _GAP_MM).all(axis=1)
            if not free.any():
                break  # no room is left: start over, so that no place is favoured
            placed = np.vstack((placed, tries[int(free.argmax())]))
        if len(placed) == len(radii_mm):
            return [(float(x), float(z)) for x, z in placed]
