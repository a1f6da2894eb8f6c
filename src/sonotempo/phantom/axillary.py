"""The armpit: axillary artery and veins, three nerves with a class, biceps, humerus.

Sources of the distributions:

- Nerves around the artery, as angle from the line towards the probe (negative: lateral) and
  distance from the artery, in 50 volunteers scanned on both sides
  (doi:10.1016/j.redar.2013.07.009): median -29 ± 40° and 2.1 ± 0.9 mm, ulnar 53 ± 26° and
  4.2 ± 2.1 mm, radial 122 ± 38° and 3.3 ± 1.7 mm, musculocutaneous -103 ± 22° and 9.3 ± 5.6 mm in
  nine of ten and -55 ± 16° and 4.8 ± 2.7 mm in the tenth. The distance is taken from the artery's
  wall to the nerve's centre; nerves are then moved out of vessels and of each other.
- Cross-sections at the axilla in 107 healthy adults (Bae & An, Medicine 2021, 100:e25812): median
  9.9 ± 2.5, ulnar 6.9 ± 2.0, musculocutaneous 3.8 ± 1.3 mm²; the radial nerve above the spiral
  groove 7.0 ± 1.9 mm².
- The artery lies within a centimetre or so of the skin and the plexus at 1 to 3 cm (NYSORA,
  "Ultrasound-guided axillary brachial plexus block"); veins lie mostly medial to it and collapse
  under pressure. Pulsation 3 to 10 % of the radius.
- Chosen by eye after published pictures, not measured: the artery's radius (2.6 ± 0.4 mm), fat,
  muscles, the humerus' radius and place, the veins' sizes.
"""

from itertools import pairwise

import numpy as np

from sonotempo.phantom.anatomy import (
    Dice,
    Ellipse,
    Fascia,
    Muscle,
    Nerve,
    Subject,
    Vessel,
    free_place,
)

_LATERAL_PATTERN = 0.9  # share of people whose musculocutaneous nerve has left the artery


def draw_axillary(random: np.random.Generator, variability: float) -> Subject:
    """Draw one person's armpit."""
    dice = Dice(random, variability)
    skin = dice.normal(1.3, 0.2, 0.9, 1.8)
    fat_bottom = skin + dice.normal(4.0, 1.8, 1.5, 10.0)
    radius = dice.normal(2.6, 0.4, 1.8, 3.6)
    artery = Vessel(
        Ellipse(
            dice.normal(2.0, 3.0, -6, 8),
            fat_bottom + radius + dice.normal(3.0, 1.2, 1.2, 7),
            radius,
            radius * dice.normal(0.96, 0.04, 0.85, 1.0),
        ),
        artery=True,
        wall_mm=dice.normal(0.5, 0.08, 0.35, 0.7),
        pulsation=dice.between(0.03, 0.10),
        opening_pressure=2.0,
        obliquity=dice.obliquity(0.12),
    )
    taken = [(artery.lumen.x_mm, artery.lumen.z_mm, radius + 0.5)]
    nerves = _nerves(dice, artery, fat_bottom + 0.5, taken)
    veins = _veins(dice, artery, fat_bottom + 0.4, taken)
    muscles = _muscles(dice, artery, fat_bottom)
    humerus = dice.normal(11.0, 1.0, 9, 13)
    lowest = max(z + size for _, z, size in taken)
    return Subject(
        procedure="axillary",
        skin_mm=skin,
        fat_bottom=dice.fascia(fat_bottom, (-0.05, 0.05), (0.0, 0.7), (0.0, 0.4), (20, 2, 15, 25)),
        fasciae=_superficial_fasciae(dice, skin, fat_bottom),
        muscles=muscles,
        sheath=Ellipse(
            artery.lumen.x_mm + dice.between(-1, 2),
            artery.lumen.z_mm + dice.between(-0.5, 1.5),
            dice.normal(9.5, 1.2, 7, 12),
            dice.normal(5.8, 0.8, 4.2, 8),
            dice.angle(12),
        ),
        vessels=(artery, *veins),
        nerves=nerves,
        bone=Ellipse(
            artery.lumen.x_mm + dice.normal(-1.0, 4.0, -9, 8),
            max(artery.lumen.z_mm + dice.normal(12.5, 2.5, 8, 20), lowest + 1.5) + humerus,
            humerus * 1.1,
            humerus,
        ),
        fat_echo_db=dice.normal(-5.0, 1.5, -9, -1),
        bulk_attenuation=dice.normal(1.0, 0.15, 0.7, 1.4),
        texture_seed=int(random.integers(2**31)),
    )


def _around(
    artery: Vessel, degrees: float, distance_mm: float, ceiling_mm: float
) -> tuple[float, float]:
    reach = artery.lumen.half_width_mm + distance_mm
    angle = np.deg2rad(degrees)
    x = artery.lumen.x_mm + reach * float(np.sin(angle))
    z = artery.lumen.z_mm - reach * float(np.cos(angle))
    return x, max(z, ceiling_mm)


def _nerves(
    dice: Dice, artery: Vessel, ceiling_mm: float, taken: list[tuple[float, float, float]]
) -> tuple[Nerve, ...]:
    """Place the nerves one after the other, each clear of those placed before."""
    if dice.random.random() < _LATERAL_PATTERN:
        apart = dice.normal(-103, 22, -150, -70), dice.normal(9.3, 5.6, 5.0, 18)
    else:
        apart = dice.normal(-55, 16, -85, -30), dice.normal(4.8, 2.7, 2.5, 10)
    draws = (
        ("median nerve", dice.normal(-29, 40, -95, 40), dice.normal(2.1, 0.9, 1, 5), 9.9, 2.5, 1.3),
        ("ulnar nerve", dice.normal(53, 26, 10, 110), dice.normal(4.2, 2.1, 1, 9), 6.9, 2.0, 1.2),
        ("radial nerve", dice.normal(122, 38, 75, 190), dice.normal(3.3, 1.7, 1, 8), 7.0, 1.9, 1.4),
        ("musculocutaneous nerve", *apart, 3.8, 1.3, 1.7),
    )
    nerves = []
    for name, degrees, distance_mm, mean_mm2, spread_mm2, flatness in draws:
        area = dice.normal(mean_mm2, spread_mm2, 0.5 * mean_mm2, 1.6 * mean_mm2)
        radius = float(np.sqrt(area / np.pi))
        wanted = _around(artery, degrees, distance_mm, ceiling_mm + radius)
        place = free_place(wanted, 1.1 * radius, taken, ceiling_mm + radius)
        taken.append((*place, 1.1 * radius))
        flat = flatness * dice.between(0.85, 1.15)
        labelled = name != "radial nerve"
        nerves.append(dice.nerve(name, place, area, flat, labelled=labelled))
    return tuple(nerves)


def _veins(
    dice: Dice, artery: Vessel, ceiling_mm: float, taken: list[tuple[float, float, float]]
) -> tuple[Vessel, ...]:
    """Place one to three veins, mostly medial to the artery."""
    veins = []
    for degrees in (75.0, 115.0, -160.0)[: int(dice.random.integers(1, 4))]:
        width = dice.normal(2.6, 0.8, 1.2, 4.5)
        height = width * dice.normal(0.72, 0.12, 0.45, 0.95)
        angle = degrees + dice.normal(0, 22, -50, 50)
        wanted = _around(artery, angle, dice.normal(3.0, 1.5, 1, 7), ceiling_mm + height)
        size = 0.5 * (width + height) + 0.2
        place = free_place(wanted, size, taken, ceiling_mm + height)
        taken.append((*place, size))
        veins.append(
            Vessel(
                Ellipse(*place, width, height, dice.angle(15)),
                artery=False,
                wall_mm=0.25,
                pulsation=0.0,
                opening_pressure=dice.between(0.35, 0.75),
                obliquity=dice.obliquity(0.3),
            )
        )
    return tuple(veins)


def _muscles(dice: Dice, artery: Vessel, fat_bottom_mm: float) -> tuple[Muscle, ...]:
    x, z = artery.lumen.x_mm, fat_bottom_mm
    borders = (
        Ellipse(x + dice.between(14, 18), z + dice.between(13, 17), 16, 10, dice.angle(10)),
        Ellipse(x - dice.between(9, 12), z + dice.between(14, 17), 11, 6.5, dice.angle(10)),
        Ellipse(x - dice.between(17, 20), z + dice.between(7, 9), 15, 7.5, dice.angle(8) + 0.1),
    )
    return tuple(
        Muscle(border, dice.angle(12), dice.normal(-9.0, 1.5, -13, -5)) for border in borders
    )


def _superficial_fasciae(dice: Dice, skin_mm: float, fat_bottom_mm: float) -> tuple[Fascia, ...]:
    """Draw two thin septa that run through fat."""
    depths = np.linspace(skin_mm, fat_bottom_mm, 4)
    middles = [0.5 * (a + b) for a, b in pairwise(depths)][1:]
    return tuple(
        dice.fascia(float(depth), (-0.04, 0.04), (-0.2, 0.6), (0.1, 0.5), (13, 2, 8, 17))
        for depth in middles
    )
