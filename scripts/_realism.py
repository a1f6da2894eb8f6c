"""Measures of the appearance of ultrasound frames, for real and simulated ones alike."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Grey = NDArray[np.float64]
DISPLACEMENTS = ((0.0, 1.0), (1.0, 2.5), (2.5, 6.0))  # of block matching, in pixels
_BLOCK, _REACH = 40, 8


@dataclass(frozen=True)
class Still:
    """A picture without its black margin, and the pixels of its vessels."""

    grey_HW: Grey
    vessel_HW: NDArray[np.bool_]


def rayleigh_misfit(envelope: Grey) -> float:
    """Return the largest difference between its distribution and the best Rayleigh one."""
    power = np.sort(envelope.ravel() ** 2) / np.mean(envelope**2)
    measured = (np.arange(power.size) + 0.5) / power.size
    return float(np.abs(measured - (1 - np.exp(-power))).max())


def speckle_size_px(stills: list[Still]) -> tuple[float, float]:
    """Return the median width and height of speckle in the most even patches of stills."""
    patches = [patch for still in stills for patch in _even_patches(still)]
    width = np.median([half_width(patch, axis=1) for patch in patches])
    height = np.median([half_width(patch, axis=0) for patch in patches])
    return 2 * float(width), 2 * float(height)


def _even_patches(still: Still, side: int = 40, most: int = 6) -> list[Grey]:
    """Return the most even patches of a still, neither black nor white."""
    found = []
    height, width = still.grey_HW.shape
    coarse = ndimage.gaussian_filter(still.grey_HW, 8)
    for top in range(30, height - side, side // 2):
        for left in range(0, width - side, side // 2):
            here = slice(top, top + side), slice(left, left + side)
            patch = still.grey_HW[here]
            if 20 < patch.mean() < 120 and not still.vessel_HW[here].any():
                found.append((float(np.ptp(coarse[here]) / patch.mean()), patch - coarse[here]))
    return [patch for _, patch in sorted(found, key=lambda each: each[0])[:most]]


def half_width(patch: Grey, axis: int) -> float:
    """Return the lag in pixels at which the autocorrelation along an axis falls to a half."""
    lines = np.moveaxis(patch, axis, -1)
    lines = lines - lines.mean(axis=-1, keepdims=True)
    power = np.abs(np.fft.rfft(lines, 2 * lines.shape[-1], axis=-1)) ** 2
    correlation = np.fft.irfft(power.mean(axis=0))[: lines.shape[-1] // 2]
    correlation = correlation / correlation[0]
    after = int(np.argmax(correlation < 0.5))
    before, now = correlation[after - 1], correlation[after]
    return float(after - 1 + (before - 0.5) / (before - now))


def grey_quantiles(stills: list[Still]) -> Grey:
    """Return 201 quantiles of the grey levels of all stills together."""
    pixels = np.concatenate([still.grey_HW.ravel()[::7] for still in stills])
    quantiles: Grey = np.percentile(pixels, np.linspace(0, 100, 201))
    return quantiles


def thirds(stills: list[Still]) -> Grey:
    """Return the mean grey of the upper, middle and lower third."""
    parts = [[part.mean() for part in np.array_split(s.grey_HW, 3)] for s in stills]
    means: Grey = np.mean(parts, axis=0)
    return means


def vessel_ratios(stills: list[Still]) -> list[float]:
    """Return each still's mean grey in vessels over that of a ring of tissue around them."""
    ratios = []
    for still in stills:
        outside = ndimage.binary_dilation(still.vessel_HW, iterations=16)
        ring = outside & ~ndimage.binary_dilation(still.vessel_HW, iterations=4)
        if still.vessel_HW.sum() > 300 and ring.any():
            ratios.append(float(still.grey_HW[still.vessel_HW].mean() / still.grey_HW[ring].mean()))
    return ratios


def classified(real: list[Still], simulated: list[Still], side: int = 96) -> float:
    """Return the accuracy of a linear discriminant of real and simulated patches.

    Its features are a patch's grey quantiles and its power in rings and in two directions. It is
    fitted to half of the stills and evaluated on the others. 0.5 is guessing.
    """
    halves = []
    for start in (0, 1):
        features, truths = [], []
        for truth, stills in ((1.0, real[start::2]), (-1.0, simulated[start::2])):
            found = [_features(p) for still in stills for p in _patches(still.grey_HW, side)]
            features.append(np.stack(found))
            truths.append(np.full(len(found), truth))
        halves.append((features, truths))
    fitted, evaluated = halves
    centres = [each.mean(axis=0) for each in fitted[0]]
    spread = np.sum([np.cov(each.T) for each in fitted[0]], axis=0)
    spread = spread + 1e-3 * np.trace(spread) / len(spread) * np.eye(len(spread))
    direction = np.linalg.solve(spread, centres[0] - centres[1])
    middle = direction @ (centres[0] + centres[1]) / 2
    rates = [
        np.mean(np.sign(each @ direction - middle) == truth[0])
        for each, truth in zip(*evaluated, strict=True)
    ]
    return float(np.mean(rates))


def _patches(grey_HW: Grey, side: int) -> Iterable[Grey]:
    height, width = grey_HW.shape
    for top in range(0, height - side + 1, side):
        for left in range(0, width - side + 1, side):
            yield grey_HW[top : top + side, left : left + side]


def _features(patch: Grey) -> Grey:
    power = np.abs(np.fft.fft2(patch - patch.mean())) ** 2
    row, column = np.meshgrid(
        *[np.abs(np.fft.fftfreq(side)) for side in patch.shape], indexing="ij"
    )
    ring = np.digitize(np.hypot(row, column), np.linspace(0.02, 0.5, 9))
    flat = row > column
    rings = [power[(ring == r) & f].mean() for r in range(9) for f in (flat, ~flat)]
    quantiles = np.percentile(patch, (2, 10, 25, 50, 75, 90, 98))
    return np.concatenate([np.log(np.array(rings) + 1), quantiles / 40])


def match_blocks(frames: Iterable[Grey], into: dict[tuple[float, float], list[float]]) -> None:
    """Find each block of a frame in the next one; file its correlation under its displacement."""
    before: Grey | None = None
    for frame in frames:
        if before is not None:
            for top in range(24, frame.shape[0] - _BLOCK - _REACH, 2 * _BLOCK):
                for left in range(_REACH + 8, frame.shape[1] - _BLOCK - _REACH - 8, 2 * _BLOCK):
                    block = before[top : top + _BLOCK, left : left + _BLOCK]
                    if block.mean() > 15 and block.std() > 4:
                        moved, correlation = _best_match(block, frame, top, left)
                        for bin_ in DISPLACEMENTS:
                            if bin_[0] <= moved < bin_[1]:
                                into[bin_].append(correlation)
        before = frame


def _best_match(block: Grey, frame: Grey, top: int, left: int) -> tuple[float, float]:
    """Return how far a block moved, in pixels, and its correlation there."""
    best = (0.0, -1.0)
    flat = (block - block.mean()).ravel()
    flat = flat / np.linalg.norm(flat)
    for down in range(-_REACH, _REACH + 1):
        for right in range(-_REACH, _REACH + 1):
            row, column = top + down, left + right
            other = frame[row : row + _BLOCK, column : column + _BLOCK]
            other = (other - other.mean()).ravel()
            correlation = float(flat @ other / (np.linalg.norm(other) + 1e-9))
            if correlation > best[1]:
                best = (float(np.hypot(down, right)), correlation)
    return best
