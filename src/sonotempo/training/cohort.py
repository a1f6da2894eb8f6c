"""An experiment's data, opened and fitted to the network grid."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sonotempo.config import Experiment
from sonotempo.data.cache import CachedRecording, cache_recordings
from sonotempo.data.folds import share_subjects
from sonotempo.data.references import references_sentence, with_masks_of
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.evaluation.scoring.scored_data import DataFacts, FoldUnit
from sonotempo.io import DataSet, open_dataset
from sonotempo.io.timing import NOMINAL_FRAME_RATE_HZ
from sonotempo.label_origin import counted_origins
from sonotempo.phantom.cohort import COHORT_FILE, SUBJECT_FILE
from sonotempo.preprocess import area_from
from sonotempo.recording import Recording
from sonotempo.training.progress import RunProgress


@dataclass(frozen=True, slots=True)
class CohortOnGrid:
    """A data set fitted to the network grid.

    Attributes:
        recordings: those that can be used, with at least one labelled frame.
        skipped: what cannot be used and why, one sentence each.
        facts: what readers must know of this data.
        references: which masks are references, for training alone or not used, by their origin;
            empty if people made all masks.
    """

    recordings: tuple[CachedRecording, ...]
    skipped: tuple[str, ...]
    facts: DataFacts
    references: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What heads the tables of these recordings, beyond the facts."""
        return (self.references,) if self.references else ()


def open_cohort(experiment: Experiment, progress: RunProgress) -> CohortOnGrid:
    """Open the experiment's data, give near-identical stills one subject, and fit every frame.

    Raises:
        ConfigError: no data folder is set.
        RecordingError: nothing in it can be used.
    """
    dataset = open_experiment_data(experiment)
    recordings = tuple(with_masks_of(one, experiment.data.use) for one in dataset.recordings)
    fold_unit: FoldUnit = "subject"
    if not dataset.subjects_known:
        recordings = share_subjects(recordings, experiment.data.near_duplicate_correlation)
        fold_unit = "image" if dataset.layout == "stills" else "recording"
    skipped = [f"{bad.path}: {bad.reason}" for bad in dataset.skipped]
    for sentence in _remarks(recordings):
        progress.say(f"note: {sentence}")
    progress.step("fitting frames to the network grid", len(recordings))
    usable, fitted = [], []
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
        fitted.append(cached)
        if not cached.labelled:
            skipped.append(f"{recording.source}: {_without_masks(recording, experiment)}")
            continue
        usable.append(cached)
    if not usable:
        raise RecordingError(
            f"nothing in {experiment.data.root} can be used: {'; '.join(skipped[:3])}"
        )
    if not any(sum(cached.reference_px) for cached in usable):
        raise RecordingError(
            f"every mask in {experiment.data.root} is empty, so nothing can be learned or scored; "
            "check that masks hold label values from 1 and were exported completely"
        )
    if not any(cached.scored for cached in usable):
        raise RecordingError(
            f"nothing in {experiment.data.root} can be scored by: no mask that data.use names was "
            f"made or accepted by a person ({references_sentence(fitted)}); review some masks and "
            "accept them"
        )
    facts = DataFacts(
        simulated=_holds_simulated(experiment, usable),
        fold_unit=fold_unit,
        stills_in_motion=any(recording.is_still for recording in usable),
    )
    return CohortOnGrid(tuple(usable), tuple(skipped), facts, references_sentence(fitted))


def _without_masks(recording: Recording, experiment: Experiment) -> str:
    """Say why no mask of a recording is used."""
    unused = Counter(origin.text for origin in recording.origins.values())
    if not unused:
        return "no frame has a mask"
    return (
        f"no frame has a mask that data.use={','.join(experiment.data.use)} names; it has "
        f"{counted_origins(unused)}"
    )


def _remarks(recordings: Sequence[Recording]) -> Iterator[str]:
    """Yield what the files left open, so that it is said once."""
    assumed = sum(recording.rate_is_assumed for recording in recordings)
    if assumed:
        yield (
            f"{assumed} of {len(recordings)} recordings hold no times; "
            f"{NOMINAL_FRAME_RATE_HZ:g} frames per second are assumed"
        )
    stored = sorted({recording.stored_as for recording in recordings})
    if len(stored) > 1:
        yield (
            f"the recordings are stored in {len(stored)} orientations ({', '.join(stored)}); all "
            "were turned as they are shown"
        )


def _holds_simulated(experiment: Experiment, recordings: Sequence[CachedRecording]) -> bool:
    """Whether the data are a simulated cohort, or hold a recording that was copied from one."""
    root = experiment.data.root
    return (root is not None and (root / COHORT_FILE).is_file()) or any(
        (recording.source / SUBJECT_FILE).is_file() for recording in recordings
    )


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
        follow_links=data.follow_links,
    )
