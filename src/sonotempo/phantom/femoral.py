"""The groin: femoral artery and vein, the femoral nerve under the fascia iliaca, iliopsoas, bone.

Sources of the distributions:

- The femoral nerve is 3.1 ± 0.8 mm high and 9.8 ± 2.1 mm wide, its cross-section 21.7 ± 5.2 mm²,
  an oval in 95 % below the inguinal ligament (Gruber et al., J Ultrasound Med 2003, 22:163-172;
  40 scans of volunteers). It lies lateral to the artery, at a variable distance, deep to the
  fascia iliaca, and usually at a depth of 2 to 4 cm.
- The vein lies medial to the artery, is wider than it and collapses under the probe. Pulsation
  3 to 10 % of the radius.
- Chosen by eye after published pictures, not measured: the artery's radius (4.4 ± 0.5 mm), its
  distance to the nerve, fat, muscle, and the bone (femoral head or superior pubic ramus), whose
  surface is taken as part of a circle.
"""

import numpy as np

from sonotempo.phantom.anatomy import Dice, Ellipse, Fascia, Muscle, Subject, Vessel, free_place


def draw_femoral(random: np.random.Generator, variability: float) -> Subject:
    """Draw one person's groin."""
    dice = Dice(random, variability)
    skin = dice.normal(1.6, 0.2, 1.1, 2.2)
    fat_bottom = skin + dice.normal(8.0, 3.0, 3.0, 17.0)
    radius = dice.normal(4.4, 0.5, 3.2, 5.8)
    x = dice.normal(3.0, 2.0, -1, 7)
    z = fat_bottom + radius + dice.normal(2.0, 0.8, 0.8, 4.5)
    artery = Vessel(
        Ellipse(x, z, radius, radius * dice.normal(0.96, 0.03, 0.85, 1.0)),
        artery=True,
        wall_mm=dice.normal(0.7, 0.1, 0.5, 1.0),
        pulsation=dice.between(0.03, 0.10),
        opening_pressure=2.0,
        obliquity=dice.obliquity(0.12),
    )
    width = dice.normal(5.6, 0.9, 4.0, 7.5)
    height = width * dice.normal(0.75, 0.1, 0.5, 0.95)
    vein_place = free_place(
        (x + radius + width * 0.85, z + dice.between(0.5, 3.0)),
        0.5 * (width + height),
        [(x, z, radius + 0.8)],
    )
    vein = Vessel(
        Ellipse(*vein_place, width, height, dice.angle(12)),
        artery=False,
        wall_mm=0.35,
        pulsation=0.0,
        opening_pressure=dice.between(0.5, 0.85),
        obliquity=dice.obliquity(0.2),
    )
    nerve_height = dice.normal(3.1, 0.8, 1.8, 4.8) / 2
    nerve_width = dice.normal(9.8, 2.1, 6.0, 14.0) / 2
    nerve_x = x - radius - nerve_width - dice.normal(2.5, 2.0, 0.6, 8)
    iliaca_slope = dice.normal(0.30, 0.06, 0.18, 0.42)
    nerve_z = z + dice.normal(0.5, 1.2, -1.5, 3.0)
    nerve = dice.nerve(
        "femoral nerve",
        (nerve_x, nerve_z),
        float(np.pi * nerve_width * nerve_height),
        nerve_width / nerve_height,
    )
    # The fascia iliaca runs just over the nerve and under the artery.
    over_nerve = nerve_z - nerve_height - 0.4
    iliaca_at_0 = max(over_nerve - iliaca_slope * nerve_x, z + radius + 0.8 - iliaca_slope * x)
    slope = (iliaca_at_0 - over_nerve) / -nerve_x if nerve_x < -1 else iliaca_slope
    psoas = Ellipse(
        nerve_x + dice.between(-3, 1),
        nerve_z + nerve_height + dice.normal(8.0, 1.0, 6, 10),
        dice.normal(16, 1.5, 13, 19),
        dice.normal(8.0, 0.8, 6.5, 9.5),
        dice.angle(8) + 0.12,
    )
    sartorius = Ellipse(x - 24, fat_bottom + 5.0, 10, 4.5, 0.1)
    pectineus = Ellipse(x + 15, z + 13, 13, 7, dice.angle(10))
    bone = dice.normal(23.0, 2.0, 18, 28)
    return Subject(
        procedure="femoral",
        skin_mm=skin,
        fat_bottom=dice.fascia(fat_bottom, (-0.03, 0.06), (-0.2, 0.4), (0.0, 0.3), (21, 2, 16, 26)),
        fasciae=(
            _septum(dice, skin + (fat_bottom - skin) * dice.between(0.3, 0.45)),
            _septum(dice, skin + (fat_bottom - skin) * dice.between(0.6, 0.8)),
            Fascia(iliaca_at_0, slope, 0.0, 0.0, 0.0, dice.normal(21.0, 2.0, 16, 26)),
        ),
        muscles=tuple(
            Muscle(border, dice.angle(12), dice.normal(-8.5, 1.5, -13, -5))
            for border in (pectineus, psoas, sartorius)
        ),
        sheath=Ellipse(
            0.5 * (x + vein_place[0]), z + 0.5, radius + width + 2.0, radius + 2.2, 0.05
        ),
        vessels=(artery, vein),
        nerves=(nerve,),
        bone=Ellipse(
            x + dice.normal(0.0, 4.0, -8, 8),
            z + radius + dice.normal(11.0, 2.0, 7, 17) + bone,
            bone * 1.2,
            bone,
        ),
        fat_echo_db=dice.normal(-5.5, 1.5, -10, -2),
        bulk_attenuation=dice.normal(1.0, 0.15, 0.7, 1.4),
        texture_seed=int(random.integers(2**31)),
    )


def _septum(dice: Dice, depth_mm: float) -> Fascia:
    return dice.fascia(depth_mm, (-0.05, 0.05), (-0.2, 0.4), (0.1, 0.6), (13, 2, 8, 17))
