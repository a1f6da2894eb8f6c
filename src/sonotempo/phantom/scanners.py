"""Three virtual scanners that differ in point spread, depth, gain curve and dynamic range.

None copies a real machine. Resolution follows from the physics: axial from the pulse's length,
lateral from wavelength times f-number at the focus and wider away from it (Marion & Vray 2009).
"""

from dataclasses import dataclass

#: Speed of sound in soft tissue, as scanners assume it.
SOUND_M_S = 1540.0


@dataclass(frozen=True, slots=True)
class Scanner:
    """How one machine forms its picture.

    Attributes:
        name: of the machine.
        frequency_mhz: centre frequency.
        cycles: of the pulse; more cycles make it longer and brighter.
        f_number: of the receive aperture.
        focus_mm: depth of the transmit focus.
        focus_length_mm: distance from the focus at which the beam is half as wide again.
        aperture_mm: width of the picture, a linear probe's length.
        depths_cm: the presets that an operator can choose from.
        dynamic_range_db: range of the grey scale.
        gamma: of the grey map; values below 1 lift the dark tones.
        gain_db: level of a unit echo above the lower end of the grey scale.
        tgc_error_db: largest error of the time-gain compensation.
        noise_db: electronic noise before time-gain compensation, relative to a unit echo.
        smoothing: share of speckle reduction in the displayed picture.
        persistence: weight of the previous frame in the displayed one.
        looks: number of sub-apertures whose envelopes are averaged, which smooths speckle.
        compounding_deg: range of angles from which a specular reflector is visible.
    """

    name: str
    frequency_mhz: float
    cycles: float
    f_number: float
    focus_mm: float
    focus_length_mm: float
    aperture_mm: float
    depths_cm: tuple[float, ...]
    dynamic_range_db: float
    gamma: float
    gain_db: float
    tgc_error_db: float
    noise_db: float
    smoothing: float
    persistence: float
    looks: int
    compounding_deg: float

    @property
    def wavelength_mm(self) -> float:
        """Wavelength at the centre frequency."""
        return SOUND_M_S / self.frequency_mhz / 1000


_PRESETS_CM = (2.5, 3.0, 3.5, 4.0, 4.5, 5.0)

# One line each: pulse and beam, picture, grey scale, gain and noise, speckle and reflectors.
# fmt: off
SCANNERS = (
    Scanner(
        "cart",
        frequency_mhz=12.0,
        cycles=1.6,
        f_number=2.4,
        focus_mm=16.0,
        focus_length_mm=14.0,
        aperture_mm=38.0,
        depths_cm=_PRESETS_CM,
        dynamic_range_db=60.0,
        gamma=1.0,
        gain_db=15.0,
        tgc_error_db=2.5,
        noise_db=-34.0,
        smoothing=0.7,
        persistence=0.15,
        looks=3,
        compounding_deg=20.0,
    ),
    Scanner(
        "portable",
        frequency_mhz=9.0,
        cycles=2.0,
        f_number=3.0,
        focus_mm=20.0,
        focus_length_mm=12.0,
        aperture_mm=38.0,
        depths_cm=_PRESETS_CM[1:],
        dynamic_range_db=68.0,
        gamma=0.95,
        gain_db=20.0,
        tgc_error_db=4.0,
        noise_db=-28.0,
        smoothing=0.3,
        persistence=0.25,
        looks=1,
        compounding_deg=13.0,
    ),
    Scanner(
        "handheld",
        frequency_mhz=10.0,
        cycles=1.8,
        f_number=2.7,
        focus_mm=14.0,
        focus_length_mm=11.0,
        aperture_mm=50.0,
        depths_cm=_PRESETS_CM,
        dynamic_range_db=52.0,
        gamma=1.1,
        gain_db=14.0,
        tgc_error_db=3.0,
        noise_db=-30.0,
        smoothing=0.45,
        persistence=0.0,
        looks=2,
        compounding_deg=16.0,
    ),
)
# fmt: on


def lateral_sigma_mm(scanner: Scanner, depth_mm: float) -> float:
    """Return the standard deviation of the beam's amplitude at a depth.

    At the focus the full width at half maximum is wavelength times f-number; it grows like a
    Gaussian beam away from it.
    """
    at_focus = scanner.wavelength_mm * scanner.f_number / 2.355
    away = (depth_mm - scanner.focus_mm) / scanner.focus_length_mm
    return float(at_focus * (1.0 + 1.25 * away**2) ** 0.5)


def axial_sigma_mm(scanner: Scanner, depth_mm: float) -> float:
    """Return the standard deviation of the pulse's amplitude envelope at a depth.

    The pulse of ``cycles`` has a full width at half maximum of half its length in tissue (there
    and back), and is longer with depth as attenuation takes the high frequencies.
    """
    full_width = scanner.cycles * scanner.wavelength_mm / 2
    return full_width / 2.355 * (1.0 + 0.006 * depth_mm)
