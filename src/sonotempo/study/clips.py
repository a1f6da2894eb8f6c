"""The recordings that a report shows: frames from the run's data, masks as the arms predicted."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from sonotempo.config import Experiment
from sonotempo.data.cache import CachedRecording
from sonotempo.errors import SonotempoError
from sonotempo.evaluation.comparison.lineup import LineUp, OneSeed, line_up
from sonotempo.evaluation.comparison.runs import read_run
from sonotempo.evaluation.report.page.viewer import (
    ArmClip,
    Clip,
    ClipLimits,
    Clips,
    choose_recordings,
    worst_part,
)
from sonotempo.evaluation.scoring.mask_files import mask_path, read_masks
from sonotempo.recording import Recording
from sonotempo.training.cohort import open_cohort
from sonotempo.training.job import shown_recordings
from sonotempo.training.progress import RunProgress


def report_clips(
    runs: Sequence[Path], progress: RunProgress, limits: ClipLimits | None = None
) -> Clips | str:
    """Choose recordings for the report of a comparison, and read them as the page is written.

    Args:
        runs: the folders that are compared.
        progress: advanced after every recording.
        limits: how much the page may hold.

    Returns:
        The recordings; or a sentence that explains why they are missing: a report is useful without
        them.
    """
    limits = limits or ClipLimits()
    read = [read_run(folder) for folder in runs]
    lined = line_up(read)
    experiment = next((run.experiment for run in read if run.experiment is not None), None)
    if experiment is None:
        return "none of the folders is a run, so the recordings cannot be located."
    try:
        cohort = open_cohort(experiment, progress)
    except SonotempoError as error:
        return f"the recordings cannot be opened ({error})."
    on_grid = {recording.name: recording for recording in cohort.recordings}
    arms = {arm.name: arm.seeds[0] for arm in lined.arms}
    frames = pd.concat(
        [one.scores.frames.assign(arm=name) for name, one in arms.items()], ignore_index=True
    )
    dice = {
        str(name): float(mean) for name, mean in frames.groupby("recording")["dice"].mean().items()
    }
    chosen = choose_recordings(dice, limits.clips)
    gone = [name for name in chosen if name not in on_grid]
    if gone:
        return f"{len(gone)} scored recordings are no longer in the data, such as {gone[0]}."
    folders = {(arm, name): _folder_of(one, name) for arm, one in arms.items() for name in chosen}
    for (arm, name), folder in folders.items():
        if folder is None:
            return (
                f"the masks of {arm} on {name} are missing. Delete finished.json in the arm's "
                "folders and run `sonotempo crossval` again: it keeps the weights and writes the "
                "masks."
            )
    progress.step("packing clips into the report", len(chosen))
    return Clips(
        structures=experiment.structures,
        shown=_read(
            [on_grid[name] for name in chosen],
            {key: folder for key, folder in folders.items() if folder is not None},
            frames,
            experiment,
            limits,
        ),
        of=len(dice),
        note=_seeds_shown(lined),
        limits=limits,
        on_clip=partial(progress.advance),
    )


def _folder_of(one: OneSeed, recording: str) -> Path | None:
    """Return the fold's folder that holds the masks of a recording."""
    return next(
        (folder for folder in one.scores.folders if mask_path(folder, recording).is_file()), None
    )


def _seeds_shown(lined: LineUp) -> str:
    """Say which seed's masks are shown where there are several."""
    several = [arm for arm in lined.arms if len(arm.seeds) > 1]
    if not several:
        return ""
    return (
        f"Of arms with several seeds, masks and Dice are those of seed {several[0].seeds[0].seed}."
    )


def _read(
    chosen: Sequence[CachedRecording],
    folders: dict[tuple[str, str], Path],
    frames: pd.DataFrame,
    experiment: Experiment,
    limits: ClipLimits,
) -> Iterator[Clip]:
    by_recording = dict(tuple(frames.groupby("recording")))
    arms = dict.fromkeys(arm for arm, _ in folders)
    for cached in chosen:
        recording = next(shown_recordings([cached], experiment))
        yield _clip(
            recording,
            {arm: folders[arm, cached.name] for arm in arms},
            by_recording[cached.name],
            experiment,
            limits,
        )


def _clip(
    recording: Recording,
    folders: dict[str, Path],
    scores: pd.DataFrame,
    experiment: Experiment,
    limits: ClipLimits,
) -> Clip:
    """Put frames, reference, masks and Dice of one recording together."""
    numbers = recording.frame_numbers
    of_frames = scores.groupby("frame")["dice"].mean().reindex(numbers)
    part = worst_part(of_frames.to_numpy(float), limits.frames)
    indices = range(len(recording))[part]
    images_TSS = np.stack([recording.images[i] for i in indices])
    reference_TSS = np.zeros_like(images_TSS)
    labelled_T = np.zeros(len(indices), bool)
    for t, index in enumerate(indices):
        mask_SS = recording.mask(index)
        if mask_SS is not None:
            reference_TSS[t], labelled_T[t] = mask_SS, True
    drawn = {}
    for arm, folder in folders.items():
        by_number = read_masks(folder, recording.name).by_number()
        masks_TSS = np.zeros_like(images_TSS)
        for t, number in enumerate(numbers[part].tolist()):
            if number in by_number:
                masks_TSS[t] = by_number[number]
        of_arm = scores[scores["arm"] == arm].pivot(
            index="frame", columns="structure", values="dice"
        )
        dice_TK = of_arm.reindex(index=numbers[part], columns=experiment.structures.names)
        predicted_T = np.isin(numbers[part], list(by_number))
        drawn[arm] = ArmClip(masks_TSS, predicted_T, dice_TK.to_numpy(float))
    times_ns = recording.timestamps_ns
    return Clip(
        name=recording.name,
        subject=recording.subject,
        of_frames=len(recording),
        frames_TSS=images_TSS,
        frame_numbers=numbers[part],
        timestamps_ns=times_ns[part] - times_ns[0],
        reference_TSS=reference_TSS,
        labelled_T=labelled_T,
        arms=drawn,
    )
