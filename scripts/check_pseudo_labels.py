"""Measure how good masks are that are carried along the motion from one labelled frame.

    .venv/bin/python scripts/check_pseudo_labels.py CONFIG [data.root=FOLDER …]

CONFIG is an experiment whose recordings have a mask in every frame, for example a simulated cohort.
From each recording's middle label the mask is carried to the frames around it, as
`train.pseudo_label_frames` does, and compared with the mask that is really there. Prints Markdown:
by distance, the share of frames that get a mask, and the mean Dice of every structure.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from sonotempo.config_file import load_experiment
from sonotempo.data.cache import CachedRecording
from sonotempo.data.pseudo_labels import carried_masks
from sonotempo.errors import SonotempoError
from sonotempo.evaluation.metrics.overlap import pixel_overlaps
from sonotempo.training.cohort import open_cohort
from sonotempo.training.progress import RunProgress

DISTANCES = (1, 2, 4, 6, 8, 12)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How good are masks carried along the motion?")
    parser.add_argument("config", type=Path)
    parser.add_argument("overrides", nargs="*", help="key=value")
    parser.add_argument("--recordings", type=int, default=40, help="at most so many")
    options = parser.parse_args()
    try:
        experiment = load_experiment(options.config, options.overrides)
        with RunProgress(Console(stderr=True)) as progress:
            recordings = open_cohort(experiment, progress).recordings
            step = max(1, len(recordings) // options.recordings)
            some = recordings[::step]
            progress.step("carrying masks", len(some))
            names = experiment.structures.names
            rows: dict[int, list[list[float]]] = {distance: [] for distance in DISTANCES}
            for recording in some:
                for distance, dice in dice_by_distance(recording, len(names)):
                    rows[distance].append(dice)
                progress.advance()
    except SonotempoError as error:
        raise SystemExit(f"{error}") from error
    print(table(rows, names))


def dice_by_distance(
    recording: CachedRecording, structures: int
) -> Iterator[tuple[int, list[float]]]:
    """Yield the distance of each frame and its Dice by structure; none where none was carried."""
    row_of = {frame: row for row, frame in enumerate(recording.labelled)}
    masks_MSS = recording.masks_MSS()
    middle = recording.labelled[len(recording.labelled) // 2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "masks.npy"
        np.save(path, np.array(masks_MSS[row_of[middle]])[None])
        alone = replace(recording, labelled=(middle,), masks_file=str(path))
        found = carried_masks(alone, max(DISTANCES))
    for frame in recording.labelled:
        distance = abs(frame - middle)
        if distance not in DISTANCES:
            continue
        if frame not in found:
            yield distance, []
            continue
        overlaps = pixel_overlaps(found[frame], np.array(masks_MSS[row_of[frame]]), structures)
        yield (
            distance,
            [
                2 * one.intersection_px / (one.predicted_px + one.reference_px)
                if one.reference_px
                else float("nan")
                for one in overlaps
            ],
        )


def table(rows: dict[int, list[list[float]]], names: tuple[str, ...]) -> str:
    """Return the table as Markdown."""
    lines = [
        f"| frames away | get a mask | {' | '.join(names)} |",
        f"| ---: | ---: |{' ---: |' * len(names)}",
    ]
    for distance, of_distance in rows.items():
        carried = np.array([dice for dice in of_distance if dice])
        share = f"{len(carried) / len(of_distance):.0%}" if of_distance else "–"
        means = np.nanmean(carried, axis=0) if len(carried) else [float("nan")] * len(names)
        cells = ("–" if np.isnan(mean) else f"{mean:.2f}" for mean in means)
        lines.append(f"| {distance} | {share} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
