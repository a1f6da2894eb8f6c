"""Compare the simulation's speckle with PyMUST's, which models a probe's elements and its pulse.

    pip install --no-deps --target /tmp/pymust pymust    # LGPL, for this check only
    PYTHONPATH=/tmp/pymust .venv/bin/python scripts/check_pymust.py

PyMUST (Garcia, https://github.com/creatis-ULTIM/PyMUST) simulates the echoes of random scatterers
at a 128-element linear probe of 7.6 MHz after one plane wave; delay-and-sum at f-number 2.4 forms
the envelope. Ours is a scanner of the same frequency and f-number at its focus, with a pulse of
1.6 cycles. Both are speckle of homogeneous tissue at 16 to 21 mm.
"""

import sys
from dataclasses import replace
from itertools import starmap

import numpy as np
from numpy.typing import NDArray

import _realism as realism
from sonotempo.phantom.imaging import Imaging, View
from sonotempo.phantom.scanners import SCANNERS
from sonotempo.phantom.speckle import Reader, Speckle

FREQUENCY_MHZ, F_NUMBER, CYCLES = 7.6, 2.4, 1.6
TOP_MM, BOTTOM_MM, HALF_WIDTH_MM = 16.0, 21.0, 4.0
SCATTERERS_MM2 = 140  # about a dozen in a resolution cell, so speckle is fully developed
Grey = NDArray[np.float64]


def main() -> int:
    """Measure both and print them side by side."""
    try:
        import pymust  # noqa: F401, PLC0415
    except ImportError:
        print("skipped: pymust is not installed; see the top of this script")
        return 0
    rows = list(starmap(figures, (from_pymust(), ours())))
    print("                            PyMUST    ours")
    for name, theirs, mine in zip(
        ("speckle SNR", "distance to Rayleigh", "speckle width in mm", "speckle height in mm"),
        *rows,
        strict=True,
    ):
        print(f"{name:<26}{theirs:>8.3f}{mine:>8.3f}")
    return 0


def figures(envelope: Grey, column_mm: float, row_mm: float) -> tuple[float, ...]:
    """Return signal-to-noise ratio, distance to Rayleigh, and speckle's width and height."""
    even = envelope / np.sqrt(np.mean(envelope**2, axis=1, keepdims=True))
    return (
        float(even.mean() / even.std()),
        realism.rayleigh_misfit(even),
        2 * column_mm * realism.half_width(even, axis=1),
        2 * row_mm * realism.half_width(even, axis=0),
    )


def from_pymust() -> tuple[Grey, float, float]:
    """Return PyMUST's envelope and its pixels' width and height in mm."""
    import pymust  # noqa: PLC0415

    probe = pymust.getparam("L11-5v")
    probe.fnumber = F_NUMBER
    random = np.random.default_rng(0)
    width, depth = 2 * HALF_WIDTH_MM + 2, BOTTOM_MM - TOP_MM + 2
    count = round(SCATTERERS_MM2 * width * depth)
    x = random.uniform(-width / 2, width / 2, count) / 1e3
    z = random.uniform(TOP_MM - 1, BOTTOM_MM + 1, count) / 1e3
    delays = np.zeros((1, probe.Nelements))
    echoes, _ = pymust.simus(x, z, random.standard_normal(count), delays, probe)
    probe.fs = 4 * probe.fc
    baseband = pymust.rf2iq(echoes, probe)
    column_mm, row_mm = 0.05, 0.025
    at_x, at_z = np.meshgrid(
        np.arange(-HALF_WIDTH_MM, HALF_WIDTH_MM, column_mm) / 1e3,
        np.arange(TOP_MM, BOTTOM_MM, row_mm) / 1e3,
    )
    summing = pymust.dasmtx(baseband, at_x, at_z, delays, probe)
    formed = (summing @ baseband.flatten(order="F")).reshape(at_x.shape, order="F")
    return np.abs(formed), column_mm, row_mm


def ours() -> tuple[Grey, float, float]:
    """Return this package's envelope and its pixels' width and height in mm."""
    scanner = replace(
        SCANNERS[0],
        frequency_mhz=FREQUENCY_MHZ,
        f_number=F_NUMBER,
        cycles=CYCLES,
        focus_mm=(TOP_MM + BOTTOM_MM) / 2,
        aperture_mm=24.0,
        looks=1,
    )
    random = np.random.default_rng(0)
    view = View(size=512, depth_mm=24.0, aperture_mm=24.0, oversampling=1)
    z_H, x_W = view.axes_mm
    imaging = Imaging(scanner, view, view.spacing_mm, random)
    speckle = Speckle(random, (len(z_H) + 4, len(x_W) + 4), np.empty(0, np.intp))
    z, x = np.broadcast_arrays(z_H[:, None], x_W[None, :])
    shape = speckle.scatterers_HW.shape
    field = Reader(x, z, float(x_W[0]), view.spacing_mm, shape).scatterers(speckle.scatterers_HW)
    loss, touching = np.full(field.shape, 0.62, np.float32), np.ones(len(x_W), np.float32)
    envelope = imaging.envelope(field, loss, np.zeros_like(field), touching)
    rows = slice(*np.searchsorted(z_H, (TOP_MM, BOTTOM_MM)))
    return envelope[rows, 8:-8].astype(np.float64), view.spacing_mm, view.spacing_mm


if __name__ == "__main__":
    sys.exit(main())
