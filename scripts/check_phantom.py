"""Compare simulated frames with real ones, figure by figure, and say what misses its target.

    .venv/bin/python scripts/check_phantom.py [--data ../shared/data] [--markdown]

Real frames: the nerve-block stills of usgra-seg (Mindray TE7, linear; nerves and vessels), the
linear-probe clips of linear-clips, one Clarius envelope of a carotid. A figure whose data are not
there is skipped with the reason. Simulated frames: both procedures on three scanners. Every figure
of displayed frames is measured on both kinds with the same code, at the real stills' pixel count
across the picture.
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from sonotempo.errors import SonotempoError
from sonotempo.io import open_recording
from sonotempo.phantom.imaging import Imaging, view_of
from sonotempo.phantom.scanners import SCANNERS, Scanner
from sonotempo.phantom.settings import PhantomConfig, Procedure
from sonotempo.phantom.simulate import Scan, cast, simulate
from sonotempo.phantom.speckle import Reader, Speckle
from sonotempo.structures import NERVE_VESSEL

Grey = NDArray[np.float64]
SIZE = 512
PROCEDURES: tuple[Procedure, ...] = ("axillary", "femoral")
SUBJECTS = 9  # of each procedure
CLIP_STEPS = 24
BLOCK, REACH = 40, 8  # of block matching, in pixels
DISPLACEMENTS = ((0.0, 1.0), (1.0, 2.5), (2.5, 6.0))


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    real: str
    simulated: str
    target: str
    met: bool | None
    why: str


def main() -> None:
    """Measure and print everything."""
    parser = argparse.ArgumentParser(description="Compare simulated with real frames.")
    default = Path(__file__).parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default, help="the folder of real frames")
    parser.add_argument("--markdown", action="store_true", help="print the table as markdown")
    arguments = parser.parse_args()
    stills = list(real_stills(arguments.data / "usgra-seg"))
    if not stills:
        print(f"skipped all that needs real stills: no images in {arguments.data / 'usgra-seg'}")
    simulated = list(simulated_stills())
    figures = [
        *envelope_figures(arguments.data / "clarius-raw" / "carotid_env.raw"),
        speckle_size(stills, simulated),
        histogram(stills, simulated),
        depth_profile(stills, simulated),
        vessel_contrast(stills, simulated),
        *correlation(arguments.data / "linear-clips"),
    ]
    show(figures, arguments.markdown)


@dataclass(frozen=True)
class Still:
    """A picture without its black frame, and where its vessels are."""

    grey_HW: Grey
    vessel_HW: NDArray[np.bool_]


def real_stills(folder: Path) -> Iterator[Still]:
    """Yield every third still, cropped to what shows ultrasound."""
    for path in sorted((folder / "images").glob("*.png"))[::3]:
        grey = np.asarray(Image.open(path).convert("L"), np.float64)
        vessel = np.asarray(Image.open(folder / "masks" / path.name)) == 2
        rows = np.flatnonzero((grey > 8).mean(axis=1) > 0.3)
        if len(rows) > 100:
            inside = slice(rows[0] + 4, rows[-1] - 3), slice(12, -12)
            yield Still(grey[inside], vessel[inside])


def simulated_stills() -> Iterator[Still]:
    """Yield one frame of every subject."""
    for procedure in PROCEDURES:
        settings = PhantomConfig(procedure=procedure, size=SIZE, seed=7, event_rate=0)
        for number in range(SUBJECTS):
            frame = Scan(cast(settings, number), settings).at(1.0, 0)
            shown = np.flatnonzero(frame.image_HW.any(axis=1))
            lines = np.flatnonzero(frame.image_HW.any(axis=0))
            inside = slice(4, shown[-1] - 3), slice(lines[0] + 12, lines[-1] - 11)
            blood = frame.mask_HW == settings.structures.label("blood")
            yield Still(frame.image_HW[inside].astype(np.float64), blood[inside])


def envelope_figures(clarius: Path) -> Iterator[Figure]:
    """Speckle before compression: its signal-to-noise ratio and its distribution."""
    simulated = [homogeneous(scanner) for scanner in SCANNERS]
    snr = [float(patch.mean() / patch.std()) for patch in simulated]
    misfit = [rayleigh_misfit(patch) for patch in simulated]
    real_snr = real_misfit = "skipped: no Clarius envelope"
    try:
        patches = list(clarius_patches(clarius))
        ratios = [float(patch.mean() / patch.std()) for patch in patches]
        best = np.argsort(np.abs(np.array(ratios) - np.percentile(ratios, 80)))[:12]
        real_snr = f"{np.mean([ratios[i] for i in best]):.2f} (most even patches)"
        real_misfit = f"{np.mean([rayleigh_misfit(patches[i]) for i in best]):.3f}"
    except SonotempoError as error:
        print(f"skipped the real envelope: {error}")
    yield Figure(
        "speckle SNR of one look before compression",
        real_snr,
        "; ".join(f"{value:.2f}" for value in snr),
        "1.91 ± 0.10",
        all(abs(value - 1.91) <= 0.10 for value in snr),
        "fully developed speckle has a Rayleigh envelope, mean over deviation 1.91",
    )
    yield Figure(
        "distance to a Rayleigh distribution (Kolmogorov-Smirnov)",
        real_misfit,
        "; ".join(f"{value:.3f}" for value in misfit),
        "at most 0.03",
        max(misfit) <= 0.03,
        "the same, for the whole distribution",
    )


def homogeneous(scanner: Scanner) -> Grey:
    """Return the envelope of average tissue in one look, even in depth."""
    scanner = replace(scanner, looks=1)
    random = np.random.default_rng(3)
    view = view_of(256, 40.0, scanner.aperture_mm)
    z_H, x_W = view.axes_mm
    imaging = Imaging(scanner, view, view.spacing_mm, random)
    shape = len(z_H) + 4, len(x_W) + 4
    speckle = Speckle(random, shape, np.empty(0, np.intp))
    z, x = np.broadcast_arrays(z_H[:, None], x_W[None, :])
    reader = Reader(x, z, float(x_W[0]) - 0.1, view.spacing_mm, shape)
    field = reader.scatterers(speckle.scatterers_HW)
    loss = np.full(field.shape, 0.62, np.float32)
    touching = np.ones(len(x_W), np.float32)
    envelope = imaging.envelope(field, loss, np.zeros_like(field), touching)
    middle = envelope[np.searchsorted(z_H, 6) : np.searchsorted(z_H, 38)].astype(np.float64)
    even: Grey = middle / np.sqrt(np.mean(middle**2, axis=1, keepdims=True))
    return even


def clarius_patches(path: Path) -> Iterator[Grey]:
    """Yield patches of a real envelope, which is stored log-compressed over about 60 dB."""
    frame = open_recording(path, NERVE_VESSEL)[0].image_HW.astype(np.float64)
    amplitude = 10 ** (frame / 255 * 60 / 20)
    for top in range(60, amplitude.shape[0] - 40, 20):
        for left in range(0, amplitude.shape[1] - 24, 12):
            yield amplitude[top : top + 40, left : left + 24]


def rayleigh_misfit(envelope: Grey) -> float:
    """Return the largest difference between its distribution and the best Rayleigh one."""
    power = np.sort(envelope.ravel() ** 2) / np.mean(envelope**2)
    measured = (np.arange(power.size) + 0.5) / power.size
    return float(np.abs(measured - (1 - np.exp(-power))).max())


def speckle_size(real: list[Still], simulated: list[Still]) -> Figure:
    """Width over height of speckle: half-width of the autocorrelation in even patches."""
    ratios = []
    for stills in (real, simulated):
        patches = [patch for still in stills for patch in even_patches(still)]
        widths = [half_width(patch, axis=1) for patch in patches]
        heights = [half_width(patch, axis=0) for patch in patches]
        ratios.append(
            (np.median(widths) / np.median(heights), np.median(widths)) if patches else ()
        )
    values = [
        f"{each[0]:.2f} (width {2 * each[1]:.1f} px)" if each else "skipped" for each in ratios
    ]
    met = bool(abs(ratios[1][0] / ratios[0][0] - 1) <= 0.3) if all(ratios) else None
    return Figure(
        "speckle width over height, displayed",
        *values,
        "within 30 % of real",
        met,
        "beam and pulse set it; a network sees it as texture",
    )


def even_patches(still: Still, side: int = 40, most: int = 6) -> list[Grey]:
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


def histogram(real: list[Still], simulated: list[Still]) -> Figure:
    """Distance between the distributions of grey levels."""
    if not real:
        return skipped("grey-level distance")
    levels = np.linspace(0, 100, 201)
    quantiles = [
        np.percentile(np.concatenate([still.grey_HW.ravel()[::7] for still in stills]), levels)
        for stills in (real, simulated)
    ]
    distance = float(np.abs(quantiles[0] - quantiles[1]).mean())
    medians = [f"median {q[100]:.0f}, 97 % below {q[194]:.0f}" for q in quantiles]
    return Figure(
        "grey levels (earth mover's distance in levels of 255)",
        medians[0],
        f"{medians[1]}; distance {distance:.1f}",
        "distance at most 12",
        distance <= 12,
        "5 % of the scale: less than two scanners' presets differ",
    )


def depth_profile(real: list[Still], simulated: list[Still]) -> Figure:
    """Mean grey of the upper, middle and lower third."""
    thirds = [
        np.mean([[part.mean() for part in np.array_split(s.grey_HW, 3)] for s in stills], axis=0)
        if stills
        else None
        for stills in (real, simulated)
    ]
    values = [
        " / ".join(f"{v:.0f}" for v in each) if each is not None else "skipped" for each in thirds
    ]
    met = None
    if thirds[0] is not None:
        met = bool(np.abs(thirds[0] - thirds[1]).max() <= 15)
    return Figure(
        "mean grey of the upper, middle and lower third",
        *values,
        "within 15 levels each",
        met,
        "attenuation and its compensation",
    )


def vessel_contrast(real: list[Still], simulated: list[Still]) -> Figure:
    """Grey of vessels over that of a ring of tissue around them."""
    medians = []
    for stills in (real, simulated):
        ratios = []
        for still in stills:
            outside = ndimage.binary_dilation(still.vessel_HW, iterations=16)
            ring = outside & ~ndimage.binary_dilation(still.vessel_HW, iterations=4)
            if still.vessel_HW.sum() > 300 and ring.any():
                ratios.append(still.grey_HW[still.vessel_HW].mean() / still.grey_HW[ring].mean())
        medians.append(ratios)
    values = [
        f"{np.median(r):.2f} ({np.percentile(r, 10):.2f} to {np.percentile(r, 90):.2f})"
        if r
        else "skipped"
        for r in medians
    ]
    met = bool(abs(np.median(medians[1]) - np.median(medians[0])) <= 0.15) if medians[0] else None
    return Figure(
        "grey of vessels over that of tissue around (10 to 90 % of stills)",
        *values,
        "median within 0.15 of real",
        met,
        "contrast decides how hard vessels are to find",
    )


def correlation(folder: Path) -> Iterator[Figure]:
    """How alike a block is one frame later, where it has moved to, by how far it moved."""
    real: dict[tuple[float, float], list[float]] = {bin_: [] for bin_ in DISPLACEMENTS}
    simulated: dict[tuple[float, float], list[float]] = {bin_: [] for bin_ in DISPLACEMENTS}
    clips = sorted(folder.glob("*.mp4")) if folder.is_dir() else []
    if not clips:
        print(f"skipped the real clips: none in {folder}")
    for clip in clips:
        try:
            recording = open_recording(clip, NERVE_VESSEL)
        except (SonotempoError, ImportError) as error:
            print(f"skipped {clip.name}: {error}")
            continue
        frames = (recording[i].image_HW for i in range(min(len(recording), 2 * CLIP_STEPS)))
        match_blocks((resized(frame) for frame in frames), real)
    for procedure in PROCEDURES:
        settings = PhantomConfig(procedure=procedure, size=256, seed=7, event_rate=0)
        for number in range(len(SCANNERS)):
            stream = simulate(cast(settings, number), settings)
            frames_ = (frame.image_HW for frame in islice(stream, CLIP_STEPS))
            match_blocks((resized(frame) for frame in frames_), simulated)
    for bin_ in DISPLACEMENTS:
        values = [
            f"{np.median(each[bin_]):.2f} ({len(each[bin_])} blocks)"
            if len(each[bin_]) >= 20
            else "skipped: too few blocks"
            for each in (real, simulated)
        ]
        enough = min(len(real[bin_]), len(simulated[bin_])) >= 20
        yield Figure(
            f"correlation one frame later, moved by {bin_[0]:g} to {bin_[1]:g} px of 256",
            *values,
            "within 0.15 of real",
            abs(float(np.median(real[bin_]) - np.median(simulated[bin_]))) <= 0.15
            if enough
            else None,
            "speckle moves with tissue and decorrelates; the clips are of lungs, another motion",
        )


def resized(frame_HW: NDArray[np.uint8]) -> Grey:
    """Scale a frame to 256 columns."""
    height, width = frame_HW.shape
    scaled = Image.fromarray(frame_HW).resize((256, round(256 * height / width)), Image.BILINEAR)
    return np.asarray(scaled, np.float64)


def match_blocks(frames: Iterable[Grey], into: dict[tuple[float, float], list[float]]) -> None:
    """Find each block of a frame in the next one and note its correlation by its displacement."""
    before: Grey | None = None
    for frame in frames:
        if before is not None:
            for top in range(24, frame.shape[0] - BLOCK - REACH, 2 * BLOCK):
                for left in range(REACH + 8, frame.shape[1] - BLOCK - REACH - 8, 2 * BLOCK):
                    block = before[top : top + BLOCK, left : left + BLOCK]
                    if block.mean() > 15 and block.std() > 4:
                        moved, alike = best_match(block, frame, top, left)
                        for bin_ in DISPLACEMENTS:
                            if bin_[0] <= moved < bin_[1]:
                                into[bin_].append(alike)
        before = frame


def best_match(block: Grey, frame: Grey, top: int, left: int) -> tuple[float, float]:
    """Return how far a block moved and how well it fits there."""
    best = (0.0, -1.0)
    flat = (block - block.mean()).ravel()
    flat = flat / np.linalg.norm(flat)
    for down in range(-REACH, REACH + 1):
        for right in range(-REACH, REACH + 1):
            row, column = top + down, left + right
            other = frame[row : row + BLOCK, column : column + BLOCK]
            other = (other - other.mean()).ravel()
            alike = float(flat @ other / (np.linalg.norm(other) + 1e-9))
            if alike > best[1]:
                best = (float(np.hypot(down, right)), alike)
    return best


def skipped(name: str) -> Figure:
    """Return a line for a figure whose data are not there."""
    return Figure(name, "skipped", "skipped", "", None, "no real frames")


def word(met: bool | None) -> str:
    """Say whether a target is met."""
    return "skipped" if met is None else "met" if met else "MISSED"


def show(figures: list[Figure], markdown: bool) -> None:
    """Print the table."""
    if markdown:
        print("| figure | real | simulated | target | | reason |\n|---|---|---|---|---|---|")
        for each in figures:
            cells = (each.name, each.real, each.simulated, each.target, word(each.met), each.why)
            print("| " + " | ".join(cells) + " |")
        return
    for each in figures:
        print(f"{word(each.met):<8}{each.name}")
        print(f"        real {each.real}; simulated {each.simulated}; target {each.target}")
        print(f"        because {each.why}")
    missed = [each.name for each in figures if each.met is False]
    print(f"{len(missed)} of {len(figures)} missed" + (": " + "; ".join(missed) if missed else ""))


if __name__ == "__main__":
    main()
