"""A picture of what training sees: frames of an experiment, augmented."""

from pathlib import Path

import numpy as np

from sonotempo.config import Experiment
from sonotempo.data.training_sheet import draw_preview
from sonotempo.folders import make_folder, writing
from sonotempo.training.cohort import open_cohort
from sonotempo.training.progress import RunProgress


def preview_experiment(experiment: Experiment, out: Path, examples: int) -> None:
    """Draw a few labelled frames of an experiment next to augmented clips, as a PNG.

    Raises:
        SonotempoError: the data cannot be used, or the PNG cannot be written.
    """
    with RunProgress() as progress:
        cohort = open_cohort(experiment, progress)
    random = np.random.default_rng(experiment.seed)
    count = min(examples, len(cohort.recordings))
    frames, masks = [], []
    for number in sorted(random.choice(len(cohort.recordings), size=count, replace=False)):
        recording = cohort.recordings[number]
        row = len(recording.labelled) // 2
        frames.append(np.array(recording.frames_TSS()[recording.labelled[row]]))
        masks.append(np.array(recording.masks_MSS()[row]))
    make_folder(out.parent, "--out")
    with writing(out, "--out"):
        draw_preview(
            frames,
            masks,
            experiment.structures,
            augment=experiment.augment,
            faults=experiment.faults,
            motion=experiment.motion,
            out=out,
            seed=experiment.seed,
        )
