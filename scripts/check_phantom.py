"""Compare simulated frames with real ones, figure by figure, and report what misses its target.

    .venv/bin/python scripts/check_phantom.py [--data ../shared/data] [--markdown]

Real frames: the nerve-block stills of usgra-seg (Mindray TE7, linear; nerves and vessels), the
linear-probe clips of linear-clips, one Clarius envelope of a carotid. A figure whose data are
missing is skipped with the reason. Simulated frames: both procedures on three scanners. Every
figure of displayed frames is measured on both kinds with the same code, at 512 pixels. The
scanners' gain, f-number and the echo of blood were tuned on the same stills, so those figures show
a fit, not a prediction.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import _realism as realism
from _measure import verdict
from _realism import DISPLACEMENTS, Grey, Still
from sonotempo.errors import SonotempoError
from sonotempo.io import open_recording
from sonotempo.phantom.imaging import Imaging, view_of
from sonotempo.phantom.scanners import SCANNERS, Scanner
from sonotempo.phantom.settings import PhantomConfig, Procedure
from sonotempo.phantom.simulate import Scan, cast, simulate
from sonotempo.phantom.speckle import Reader, Speckle
from sonotempo.structures import NERVE_VESSEL

SIZE = 512
PROCEDURES: tuple[Procedure, ...] = ("axillary", "femoral")
SUBJECTS = 9  # of each procedure
CLIP_FRAMES = 24
SKIPPED = "skipped: no real frames"


@dataclass(frozen=True)
class Figure:
    """One line of the table; ``met`` is None without real data to compare with."""

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
    figures = [
        *envelope_figures(arguments.data / "clarius-raw" / "carotid_env.raw"),
        *still_figures(stills, list(simulated_stills())),
        *correlation_figures(arguments.data / "linear-clips"),
    ]
    show(figures, arguments.markdown)


def real_stills(folder: Path) -> Iterator[Still]:
    """Yield every third still, cropped to the ultrasound image."""
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
            rows = np.flatnonzero(frame.image_HW.any(axis=1))
            columns = np.flatnonzero(frame.image_HW.any(axis=0))
            inside = slice(4, rows[-1] - 3), slice(columns[0] + 12, columns[-1] - 11)
            blood = frame.mask_HW == settings.structures.label("blood")
            yield Still(frame.image_HW[inside].astype(np.float64), blood[inside])


def envelope_figures(clarius: Path) -> Iterator[Figure]:
    """Speckle before compression: its signal-to-noise ratio and its distribution."""
    simulated = [homogeneous(scanner) for scanner in SCANNERS]
    snr = [float(patch.mean() / patch.std()) for patch in simulated]
    misfit = [realism.rayleigh_misfit(patch) for patch in simulated]
    real_snr = real_misfit = "skipped: no Clarius envelope"
    try:
        patches = list(clarius_patches(clarius))
        real_snr = _spread([float(patch.mean() / patch.std()) for patch in patches])
        real_misfit = _spread([realism.rayleigh_misfit(patch) for patch in patches])
    except SonotempoError as error:
        print(f"skipped the real envelope: {error}")
    yield Figure(
        "speckle SNR of one look before compression",
        real_snr,
        "; ".join(f"{value:.2f}" for value in snr),
        "1.91 ± 0.10",
        all(abs(value - 1.91) <= 0.10 for value in snr),
        "a Rayleigh envelope's mean over deviation; real: patches of a Clarius frame, homogeneous "
        "or not, median (10 to 90 %), if its 8 bits span 60 dB",
    )
    yield Figure(
        "distance of the envelope to a Rayleigh distribution (Kolmogorov-Smirnov)",
        real_misfit,
        "; ".join(f"{value:.3f}" for value in misfit),
        "at most 0.03",
        max(misfit) <= 0.03,
        "the whole distribution; real tissue is not homogeneous, and its 60 dB are a guess",
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
    """Yield patches of a real envelope, taken as log-compressed over 60 dB."""
    frame = open_recording(path, NERVE_VESSEL)[0].image_HW.astype(np.float64)
    amplitude = 10 ** (frame / 255 * 60 / 20)
    for top in range(60, amplitude.shape[0] - 40, 20):
        for left in range(0, amplitude.shape[1] - 24, 12):
            here = slice(top, top + 40), slice(left, left + 24)
            if 40 < frame[here].mean() < 180:
                yield amplitude[here]


def still_figures(real: list[Still], simulated: list[Still]) -> Iterator[Figure]:
    """Figures of displayed frames."""
    width, height = realism.speckle_size_px(simulated)
    quantiles, thirds = realism.grey_quantiles(simulated), realism.thirds(simulated)
    ratios = realism.vessel_ratios(simulated)
    if not real:
        for name, value in (
            ("speckle width over height, displayed", f"{width / height:.2f}"),
            ("grey levels", f"median {quantiles[100]:.0f}"),
            ("mean grey of thirds", _slashed(thirds)),
            ("grey of vessels over that around", _spread(ratios)),
        ):
            yield Figure(name, SKIPPED, value, "", None, "no real frames")
        return
    real_width, real_height = realism.speckle_size_px(real)
    relative = width / height / (real_width / real_height) - 1
    yield Figure(
        "speckle width over height, displayed",
        f"{real_width / real_height:.2f} ({real_width:.1f} px wide)",
        f"{width / height:.2f} ({width:.1f} px wide)",
        "within 30 % of real",
        abs(relative) <= 0.3,
        "beam and pulse set it; a network sees it as texture",
    )
    real_quantiles = realism.grey_quantiles(real)
    distance = float(np.abs(quantiles - real_quantiles).mean())
    yield Figure(
        "grey levels (earth mover's distance, of 255)",
        f"median {real_quantiles[100]:.0f}, 97 % below {real_quantiles[194]:.0f}",
        f"median {quantiles[100]:.0f}, 97 % below {quantiles[194]:.0f}; distance {distance:.1f}",
        "distance at most 12",
        distance <= 12,
        "5 % of the scale, less than presets of one scanner differ",
    )
    real_thirds = realism.thirds(real)
    yield Figure(
        "mean grey of the upper, middle and lower third",
        _slashed(real_thirds),
        _slashed(thirds),
        "within 15 each",
        bool(np.abs(thirds - real_thirds).max() <= 15),
        "attenuation and its compensation",
    )
    real_ratios = realism.vessel_ratios(real)
    yield Figure(
        "grey of vessels over that of tissue around (10 to 90 % of stills)",
        _spread(real_ratios),
        _spread(ratios),
        "median within 0.10 of real",
        bool(abs(np.median(ratios) - np.median(real_ratios)) <= 0.10),
        "decides how hard vessels are to find",
    )
    rate = realism.classified(real, simulated)
    yield Figure(
        "patches that a linear discriminant classifies correctly",
        "",
        f"{100 * rate:.0f} %",
        "at most 75 %",
        rate <= 0.75,
        "50 % is guessing; a network that sees the difference may not carry over",
    )


def _slashed(values: Grey) -> str:
    return " / ".join(f"{value:.0f}" for value in values)


def _spread(ratios: list[float]) -> str:
    low, middle, high = np.percentile(ratios, (10, 50, 90))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def correlation_figures(folder: Path) -> Iterator[Figure]:
    """Correlation of a block with itself one frame later, by how far it moved."""
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
        shown = range(min(len(recording), 2 * CLIP_FRAMES))
        realism.match_blocks((resized(recording[i].image_HW) for i in shown), real)
    for procedure in PROCEDURES:
        settings = PhantomConfig(procedure=procedure, size=256, seed=7, event_rate=0)
        for number in range(2 * len(SCANNERS)):
            stream = islice(simulate(cast(settings, number), settings), CLIP_FRAMES)
            realism.match_blocks((resized(frame.image_HW) for frame in stream), simulated)
    for bin_ in DISPLACEMENTS:
        counts = len(real[bin_]), len(simulated[bin_])
        difference = (
            abs(float(np.median(real[bin_]) - np.median(simulated[bin_]))) if all(counts) else 0.0
        )
        yield Figure(
            f"correlation one frame later, moved by {bin_[0]:g} to {bin_[1]:g} px of 256",
            _blocks(real[bin_]),
            _blocks(simulated[bin_]),
            "within 0.15 of real",
            difference <= 0.15 if min(counts) >= 20 else None,
            "speckle moves with tissue and decorrelates; the real clips are of lungs",
        )


def _blocks(correlations: list[float]) -> str:
    if not correlations:
        return "no blocks"
    return f"{np.median(correlations):.2f} ({len(correlations)} blocks)"


def resized(frame_HW: NDArray[np.uint8]) -> Grey:
    """Scale a frame to 256 columns."""
    height, width = frame_HW.shape
    size = 256, round(256 * height / width)
    return np.asarray(Image.fromarray(frame_HW).resize(size, Image.Resampling.BILINEAR), np.float64)


def word(met: bool | None) -> str:
    """Return whether a target is met, as a word."""
    return "skipped" if met is None else verdict(met)


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
        print(f"        real {each.real or '-'}; simulated {each.simulated}; target {each.target}")
        print(f"        because: {each.why}")
    missed = [each.name for each in figures if each.met is False]
    print(f"{len(missed)} of {len(figures)} missed" + (": " + "; ".join(missed) if missed else ""))


if __name__ == "__main__":
    main()
