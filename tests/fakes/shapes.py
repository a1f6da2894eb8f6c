"""A few simple moving shapes with masks: recordings that take no time to make.

A dark disc that pulsates stands for a vessel, a bright ellipse that fades now and then for a
nerve, both on speckle that moves with them. This is not a simulation of ultrasound: only the
data format is right, and nothing measured on it applies to patients.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from sonotempo.io.writers import write_sequence
from sonotempo.structures import NERVE_VESSEL

_FRAME_RATE_HZ = 20.0
_SPACING_MM = 0.3


def write_shapes(
    root: Path,
    subjects: int,
    frames: int,
    size: int,
    *,
    seed: int,
    on_subject: Callable[[], None] = lambda: None,
) -> None:
    """Write one annotated sequence per subject in the layout of Annotation Web.

    Args:
        root: folder for ``<subject>/<sequence>/``; made if missing.
        subjects: how many.
        frames: frames per sequence, all of them labelled.
        size: height and width in pixels.
        seed: the same seed writes the same files.
        on_subject: called after each subject, for progress.
    """
    for number in range(subjects):
        random = np.random.default_rng([seed, number])
        images_THW, masks_THW = moving_shapes(frames, size, random)
        write_sequence(
            root / f"subject-{number:02d}" / "sequence-0",
            "frame",
            images_THW,
            masks_THW,
            spacing_mm=(_SPACING_MM, _SPACING_MM),
            timestamps_ns=np.arange(frames, dtype=np.int64) * round(1e9 / _FRAME_RATE_HZ),
        )
        on_subject()


def moving_shapes(
    frames: int, size: int, random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw one sequence: uint8 images THW and uint8 masks THW with the labels nerve 1, vessel 2."""
    texture = gaussian_filter(random.rayleigh(1.0, (2 * size, 2 * size)), (0.7, 1.2))
    y, x = np.mgrid[:size, :size].astype(np.float64)
    vessel_at = random.uniform((0.3, 0.2), (0.65, 0.45)) * size
    nerve_at = random.uniform((0.3, 0.55), (0.65, 0.8)) * size
    vessel_radius = random.uniform(0.1, 0.16) * size
    nerve_axes = random.uniform((0.07, 0.1), (0.1, 0.16)) * size
    pulse_hz, fade_hz = random.uniform(0.9, 1.6), random.uniform(0.3, 0.6)
    phases = random.uniform(0, 2 * np.pi, 4)
    images, masks = [], []
    for t in range(frames):
        seconds = t / _FRAME_RATE_HZ
        drift = 0.06 * size * np.sin(2 * np.pi * 0.3 * seconds + phases[:2])
        pulse = 1 + 0.08 * np.sin(2 * np.pi * pulse_hz * seconds + phases[2])
        shown = 0.6 + 0.4 * np.sin(2 * np.pi * fade_hz * seconds + phases[3])
        rows, columns = y - drift[0], x - drift[1]
        vessel = np.hypot(rows - vessel_at[0], columns - vessel_at[1]) < vessel_radius * pulse
        nerve = (
            ((rows - nerve_at[0]) / nerve_axes[0]) ** 2
            + ((columns - nerve_at[1]) / nerve_axes[1]) ** 2
        ) < 1
        brightness = 70 * map_coordinates(
            texture, (rows + size / 2, columns + size / 2), order=1, mode="wrap"
        )
        brightness *= np.where(vessel, 0.15, np.where(nerve, 1 + 1.4 * shown, 1.0))
        brightness *= np.exp(-0.6 * y / size)
        images.append(np.clip(brightness, 0, 255).astype(np.uint8))
        mask = np.zeros((size, size), np.uint8)
        mask[nerve] = NERVE_VESSEL.label("nerve")
        mask[vessel] = NERVE_VESSEL.label("vessel")
        masks.append(mask)
    return np.stack(images), np.stack(masks)
