"""A few scored frames of a run, from the worst to the best, as both arms drew them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sonotempo.arms import arm_named
from sonotempo.config import Experiment
from sonotempo.data.cache import CachedRecording
from sonotempo.evaluation.report.pictures import Example, draw_examples
from sonotempo.models import as_run
from sonotempo.recording import Image, Predictor, Recording
from sonotempo.training.device import device_of
from sonotempo.training.job import Job, shown_recordings
from sonotempo.training.torch_predictor import TorchPredictor
from sonotempo.training.weights import load_weights

# Shares of all frames that score lower: neither the failures nor the best are left out.
_QUANTILES = {"worst": 0.0, "25 % are lower": 0.25, "median": 0.5, "best": 1.0}


def draw_run_examples(
    jobs: Sequence[Job],
    frames: pd.DataFrame,
    experiment: Experiment,
    recordings: Sequence[CachedRecording],
    out_png: Path,
) -> None:
    """Draw the frames at fixed quantiles of Dice, with every arm's outlines.

    Frames are ordered by their Dice, averaged over structures and arms, so the choice favours no
    arm. Each is predicted by the weights that had it in their test fold.

    Args:
        jobs: the finished jobs of the run.
        frames: scores of the run, see :data:`sonotempo.evaluation.scoring.frames.FRAME_COLUMNS`.
        experiment: the run's settings.
        recordings: the run's data.
        out_png: where to write.
    """
    keys = ["fold", "recording", "frame"]
    drawn = frames[~frames["arm"].str.startswith("oracle")]  # nothing to look at: the truth
    dice = drawn.groupby(keys)["dice"].mean().dropna().sort_values(kind="stable")
    if dice.empty:  # nothing is there and nothing was predicted: no picture would show anything
        return
    by_name = {recording.name: recording for recording in recordings}
    examples = []
    for name, share in _QUANTILES.items():
        at = round(share * (len(dice) - 1))
        fold, recording_name, number = dice.index[at]
        shown = next(shown_recordings([by_name[recording_name]], experiment))
        index = int(np.flatnonzero(shown.frame_numbers == number)[0])
        reference_HW = shown.mask(index)
        assert reference_HW is not None  # only labelled frames are scored
        masks = {
            arm: _mask_at(predictor, shown, index)
            for arm, predictor in _predictors(jobs, int(fold), experiment).items()
        }
        title = f"{name}: Dice {dice.iloc[at]:.2f}\n{recording_name}"
        examples.append(Example(title, shown.images[index], reference_HW, masks))
    draw_examples(
        examples,
        experiment.structures,
        out_png,
        f"{experiment.name}: test frames by Dice, mean of structures and arms",
    )


def _predictors(
    jobs: Sequence[Job], fold: int, experiment: Experiment
) -> Mapping[str, TorchPredictor]:
    return {
        job.arm: TorchPredictor(
            as_run(job.arm, load_weights(job.weights)[0], experiment.controls),
            experiment.data.input_size,
            job.arm,
            device=device_of(experiment),
        )
        for job in jobs
        if job.fold.number == fold and not arm_named(job.arm).is_oracle
    }


def _mask_at(predictor: Predictor, recording: Recording, index: int) -> Image:
    """Segment one frame as it was scored: after all frames before it in its segment."""
    segment = next(run for run in recording.segments() if index in run)
    predictor.reset()
    for i in range(segment.start, index):
        if predictor.stateful:
            predictor.step(recording[i])
    return predictor.step(recording[index])[0].mask_HW
