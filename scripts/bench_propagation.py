"""Measure how good propagated masks are, on simulated scans with the truth in every frame.

    .venv/bin/python scripts/bench_propagation.py --picture docs/images/propagation.png

For subjects of both procedures with the simulation's default motion and disturbances, masks are
carried forwards from the first frame, and both ways from every 20th: as they are, refined by the
ready-made frame model, and left in place for comparison. Prints Markdown: Dice by distance from the
label and over all frames between labels, with 95 % intervals over subjects; how often a pixel's
label is right, by its confidence; and the time per frame on one core. Exits with 1 if a target is
missed. `--quick` checks in seconds that the script works, and has no targets.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track

from sonotempo.labels.propagate import propagate
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.live.models.ready import model_path
from sonotempo.phantom.cohort import recorded
from sonotempo.phantom.settings import PhantomConfig, Procedure
from sonotempo.phantom.simulate import cast
from sonotempo.recording import Image, Recording

EVERY = 20
PROCEDURES: tuple[Procedure, ...] = ("axillary", "femoral")
DISTANCES = (1, 5, 10, 20, 40, 60)
TARGETS = {"vessels": 0.85, "nerves": 0.75}
LONGEST_MS = 10.0
IN_PLACE, CARRIED, REFINED = "left in place", "propagated", "propagated, refined by a model"
WAYS = {IN_PLACE: "#999999", CARRIED: "#0072b2", REFINED: "#d55e00"}
BINS = (0.0, 0.6, 0.7, 0.8, 0.9, 0.99, 1.01)


@dataclass(frozen=True, slots=True)
class Scan:
    """One simulated recording and its true masks."""

    procedure: Procedure
    recording: Recording
    truth_THW: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]


def main() -> None:
    """Measure, print the tables and draw the picture."""
    parser = argparse.ArgumentParser(description="How good are propagated masks?")
    parser.add_argument("--subjects", type=int, default=15, help="of each procedure")
    parser.add_argument("--seed", type=int, default=2030)
    parser.add_argument("--picture", type=Path, help="a PNG of Dice by distance")
    parser.add_argument("--quick", action="store_true", help="only check that the script works")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    subjects, seconds, size = (1, 1.2, 64) if options.quick else (options.subjects, 4.0, 256)
    rows: list[dict[str, object]] = []
    pixels: list[pd.DataFrame] = []
    ms: list[float] = []
    for procedure in PROCEDURES:
        settings = PhantomConfig(
            procedure=procedure, subjects=subjects, seconds=seconds, size=size, seed=options.seed
        )
        with OnnxPredictor(model_path(f"{procedure}-frame"), threads=1) as model:
            for number in track(range(subjects), procedure, console=Console(stderr=True)):
                scan = simulated(settings, number)
                rows += measured(scan, model, pixels)
                ms.append(milliseconds(scan))
    frames = pd.DataFrame(rows)
    print(by_distance(frames))
    print(between_labels(frames))
    print(by_confidence(pd.concat(pixels)))
    print(f"{min(ms):.1f} to {max(ms):.1f} ms a frame in one direction at {size}x{size} pixels.")
    if options.picture is not None:
        draw(frames, options.picture)
    if not options.quick:
        check(frames, float(np.median(ms)))


def simulated(settings: PhantomConfig, number: int) -> Scan:
    """Simulate one subject, in memory."""
    frames = list(recorded(cast(settings, number), settings))
    recording = Recording(
        source=Path(f"subject-{number:03d}"),
        subject=f"{settings.procedure}-{number:03d}",
        name=f"{settings.procedure}-{number:03d}",
        images=[frame.image_HW for frame in frames],
        timestamps_ns=np.array([frame.timestamp_ns for frame in frames]),
        structures=settings.structures,
        frame_numbers=np.array([frame.index for frame in frames]),
        spacings_mm=tuple(frame.spacing_mm for frame in frames),
    )
    return Scan(settings.procedure, recording, np.stack([frame.mask_HW for frame in frames]))


def measured(
    scan: Scan, model: OnnxPredictor, pixels: list[pd.DataFrame]
) -> Iterator[dict[str, object]]:
    """Yield the Dice of every structure group in every frame, by experiment and way."""
    count = len(scan.recording)
    for experiment, keys in (("first", (0,)), ("every", tuple(range(0, count, EVERY)))):
        masks = {key: scan.truth_THW[key] for key in keys}
        for index in set(range(count)) - set(keys):
            nearest = min(keys, key=lambda key: abs(key - index))
            yield from _rows(scan, experiment, IN_PLACE, index, nearest, masks[nearest])
        for way, refiner in ((CARRIED, None), (REFINED, model)):
            for one in propagate(scan.recording, masks, range(count), model=refiner):
                if one.is_key or one.mask_HW is None or one.confidence_HW is None:
                    continue
                nearest = min(keys, key=lambda key: abs(key - one.index))
                yield from _rows(scan, experiment, way, one.index, nearest, one.mask_HW)
                if experiment == "every":
                    is_right_HW = one.mask_HW == scan.truth_THW[one.index]
                    pixels.append(_binned(way, one.confidence_HW, is_right_HW))


def _rows(  # noqa: PLR0917
    scan: Scan, experiment: str, way: str, index: int, key: int, mask_HW: Image
) -> Iterator[dict[str, object]]:
    truth_HW = scan.truth_THW[index]
    for label, name in enumerate(scan.recording.structures.names, start=1):
        group = "nerves" if "nerve" in name else "vessels" if name == "blood" else name
        true_HW, found_HW = truth_HW == label, mask_HW == label
        if not true_HW.any() and not found_HW.any():
            continue
        dice = 2 * float((true_HW & found_HW).sum()) / float(true_HW.sum() + found_HW.sum())
        yield {
            "subject": scan.recording.subject,
            "experiment": experiment,
            "way": way,
            "index": index,
            "distance": abs(index - key),
            "group": group,
            "dice": dice,
        }


def _binned(way: str, confidence_HW: np.ndarray, is_right_HW: np.ndarray) -> pd.DataFrame:
    place = np.digitize(confidence_HW.ravel(), BINS) - 1
    sums = [
        np.bincount(place, weights=one, minlength=len(BINS) - 1)
        for one in (np.ones(place.size), confidence_HW.ravel(), is_right_HW.ravel())
    ]
    return pd.DataFrame(
        {"way": way, "bin": range(len(BINS) - 1), "n": sums[0], "said": sums[1], "right": sums[2]}
    )


def milliseconds(scan: Scan) -> float:
    """Return the time per frame, forwards, of this thread alone; the least of three rounds."""
    rounds = []
    for _ in range(3):
        began = time.thread_time()
        made = sum(1 for _ in propagate(scan.recording, {0: scan.truth_THW[0]}, range(1, 21)))
        rounds.append(1000 * (time.thread_time() - began) / max(1, made))
    return min(rounds)


def interval(frames: pd.DataFrame) -> tuple[float, float, float]:
    """Return the mean over subjects of their mean over frames, and its 95 % interval."""
    values = frames.groupby(["subject", "group"])["dice"].mean().groupby("subject").mean()
    drawn = np.random.default_rng(0).choice(values.to_numpy(), (10_000, len(values))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(values.mean()), float(low), float(high)


def by_distance(frames: pd.DataFrame) -> str:
    """Return Dice by distance from the first frame, the only one that is labelled."""
    first = frames[frames["experiment"] == "first"]
    lines = [
        f"| frames from the label | {' | '.join(map(str, DISTANCES))} |",
        f"| --- |{' ---: |' * len(DISTANCES)}",
    ]
    for group in ("vessels", "nerves", "bone"):
        for way in WAYS:
            rows = first[(first["group"] == group) & (first["way"] == way)]
            cells = (mean_at(rows, distance) for distance in DISTANCES)
            lines.append(f"| {group}, {way} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def mean_at(rows: pd.DataFrame, distance: int) -> str:
    """Write the mean at a distance; a dash where no mask arrives."""
    there = rows[rows["distance"] == distance]
    return f"{interval(there)[0]:.2f}" if len(there) else "–"


def between_labels(frames: pd.DataFrame) -> str:
    """Return Dice over all frames between labels in every 20th frame, with intervals."""
    every = frames[frames["experiment"] == "every"]
    lines = [
        f"| every {EVERY}th frame labelled | {' | '.join(WAYS)} |",
        "| --- | --- | --- | --- |",
    ]
    for group in ("vessels", "nerves", "bone"):
        rows = every[every["group"] == group]
        cells = (
            "{:.3f} [{:.3f}, {:.3f}]".format(*interval(rows[rows["way"] == way])) for way in WAYS
        )
        lines.append(f"| {group} | {' | '.join(cells)} |")
    unlabelled = every[every["way"] == IN_PLACE].groupby("subject")["index"].nunique().sum()
    reached = every[every["way"] == CARRIED].groupby("subject")["index"].nunique().sum()
    return "\n".join([*lines, "", f"{reached} of {unlabelled} frames get a mask.", ""])


def by_confidence(pixels: pd.DataFrame) -> str:
    """Return how often a pixel's label is right, by its confidence."""
    lines = [
        "| confidence | said | right | said, refined | right, refined |",
        "| --- |" + " ---: |" * 4,
    ]
    for place, (low, high) in enumerate(pairwise(BINS)):
        cells = []
        for way in (CARRIED, REFINED):
            rows = pixels[(pixels["bin"] == place) & (pixels["way"] == way)]
            n, said, right = (float(rows[name].sum()) for name in ("n", "said", "right"))
            cells += [f"{said / n:.3f}", f"{right / n:.3f}"] if n else ["–", "–"]
        lines.append(f"| {low:g} to {min(high, 1):g} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def draw(frames: pd.DataFrame, path: Path) -> None:
    """Draw Dice by distance from the first frame, with intervals over subjects."""
    import matplotlib  # noqa: PLC0415 (not needed for the tables)

    matplotlib.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    first = frames[frames["experiment"] == "first"]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for axis, group in zip(axes, ("vessels", "nerves"), strict=True):
        for way, color in WAYS.items():
            rows = first[(first["group"] == group) & (first["way"] == way)]
            distances = sorted(set(rows["distance"]))
            means, low, high = np.array(
                [interval(rows[rows["distance"] == distance]) for distance in distances]
            ).T
            axis.plot(distances, means, color=color, label=way)
            axis.fill_between(distances, low, high, color=color, alpha=0.15, linewidth=0)
        axis.axhline(TARGETS[group], color="black", linewidth=0.8, linestyle=":")
        axis.set(title=group.capitalize(), xlabel="frames from the label", ylim=(0, 1))
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("Dice with the truth")
    axes[0].legend(frameon=False, loc="lower left")
    figure.savefig(path, dpi=150)


def check(frames: pd.DataFrame, ms: float) -> None:
    """End with an error if a target is missed."""
    every = frames[(frames["experiment"] == "every") & (frames["way"] == CARRIED)]
    found = {group: interval(every[every["group"] == group])[0] for group in TARGETS}
    missed = [f"{group} {found[group]:.3f}" for group in TARGETS if found[group] < TARGETS[group]]
    missed += [f"{ms:.1f} ms a frame"] if ms > LONGEST_MS else []
    if missed:
        raise SystemExit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
