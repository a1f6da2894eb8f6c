"""An experiment's data, opened and fitted to the network grid."""

from dataclasses import dataclass

from sonotempo.config import Experiment
from sonotempo.data.cache import CachedRecording, cache_recordings
from sonotempo.data.folds import share_subjects
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.io import DataSet, open_dataset
from sonotempo.phantom.cohort import COHORT_FILE
from sonotempo.preprocess import area_from
from sonotempo.training.progress import RunProgress

# What a comparison looks for in a run's notes.
_SIMULATED = "simulated subjects"


@dataclass(frozen=True, slots=True)
class CohortOnGrid:
    """A data set fitted to the network grid.

    Attributes:
        recordings: those that can be used, with at least one labelled frame.
        skipped: what cannot be used and why, one sentence each.
        notes: sentences that belong above every table of this data.
    """

    recordings: tuple[CachedRecording, ...]
    skipped: tuple[str, ...]
    notes: tuple[str, ...]


def open_cohort(experiment: Experiment, progress: RunProgress) -> CohortOnGrid:
    """Open the experiment's data, give near-identical stills one subject, and fit every frame.

    Raises:
        ConfigError: no data folder is set.
        RecordingError: nothing in it can be used.
    """
    dataset = open_experiment_data(experiment)
    recordings = dataset.recordings
    notes = []
    if not dataset.subjects_known:
        recordings = share_subjects(recordings, experiment.data.near_duplicate_correlation)
        unit = "image" if dataset.layout == "stills" else "recording"
        notes.append(f"{unit}-level folds, subjects unknown")
    skipped = [f"{bad.path}: {bad.reason}" for bad in dataset.skipped]
    progress.step("fitting frames to the network grid", len(recordings))
    usable = []
    area = area_from(experiment.data.area)
    for recording, cached in zip(
        recordings,
        cache_recordings(recordings, experiment.data.cache, experiment.data.input_size, area),
        strict=True,
    ):
        progress.advance()
        if isinstance(cached, RecordingError):
            skipped.append(str(cached))
            continue
        skipped += cached.dropped_masks
        if not cached.labelled:
            skipped.append(f"{recording.source}: no frame has a mask")
            continue
        usable.append(cached)
    if not usable:
        raise RecordingError(
            f"nothing in {experiment.data.root} can be used: {'; '.join(skipped[:3])}"
        )
    if any(recording.is_still for recording in usable):
        notes.append("stills moved into clips: the motion is simulated, the images are as given")
    if _is_simulated(experiment) and _SIMULATED not in experiment.note:
        notes.append(f"{_SIMULATED}: these numbers say nothing about patients")
    return CohortOnGrid(tuple(usable), tuple(skipped), tuple(notes))


def _is_simulated(experiment: Experiment) -> bool:
    """Return whether the data are a phantom cohort."""
    root = experiment.data.root
    return root is not None and (root / COHORT_FILE).is_file()


def open_experiment_data(experiment: Experiment) -> DataSet:
    """Open the recordings that an experiment names.

    Raises:
        ConfigError: no data folder is set.
        RecordingError: the folder is missing, empty or unusable.
    """
    data = experiment.data
    if data.root is None:
        raise ConfigError("data.root is not set; add data.root=FOLDER with your recordings")
    return open_dataset(
        data.root,
        experiment.structures,
        layout=data.layout,
        frames_root=data.frames_root,
    )
