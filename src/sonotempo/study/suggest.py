"""What to label next: a run's arms on recordings with few labels or none, and where they doubt."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from sonotempo.arms import arm_named
from sonotempo.config import Experiment
from sonotempo.config_file import load_run
from sonotempo.data.cache import CachedRecording, cache_recordings
from sonotempo.data.folds import Fold, load_folds
from sonotempo.data.references import with_masks_of
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.evaluation.metrics.disagreement import agreement_K, lowest_confidence
from sonotempo.evaluation.metrics.regions import smallest_area_px
from sonotempo.evaluation.scoring.prediction import predict_recording
from sonotempo.folders import make_folder, whole_file, writing
from sonotempo.io import open_dataset
from sonotempo.label_queue import DoubtfulFrame, QueuedFrame, label_queue
from sonotempo.models import as_run
from sonotempo.preprocess import area_from
from sonotempo.recording import Image, Prediction, Recording
from sonotempo.study.other_data import finished_folds, with_data
from sonotempo.training.cohort import open_experiment_data
from sonotempo.training.device import device_of
from sonotempo.training.progress import RunProgress
from sonotempo.training.torch_predictor import TorchPredictor
from sonotempo.training.weights import load_weights, read_weights_metadata

_COLUMNS = (
    "rank", "subject", "recording", "frame", "seconds", "dice_of_arms", "structure", "confidence",
    "distance_frames", "score", "reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Frames to label next.

    Attributes:
        queue: the most doubtful first.
        arms: whose predictions were compared.
        notes: sentences that head the table.
    """

    queue: tuple[QueuedFrame, ...]
    arms: tuple[str, ...]
    notes: tuple[str, ...]

    def csv(self) -> str:
        """Return one row per frame, in the order of the queue."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(_COLUMNS)
        for rank, one in enumerate(self.queue, start=1):
            doubt = one.doubt
            numbers = (doubt.dice, doubt.confidence, one.score)
            dice, confidence, score = ("" if n is None else f"{n:.3f}" for n in numbers)
            distance = "" if doubt.distance is None else doubt.distance
            rows.writerow(
                (
                    *(rank, doubt.subject, doubt.recording, doubt.frame, f"{doubt.seconds:.3f}"),
                    *(dice, doubt.structure, confidence, distance, score, one.reason),
                )
            )
        return text.getvalue()


def suggest_frames(
    run: Path,
    data: Path,
    cache: Path,
    progress: RunProgress,
    *,
    count: int = 20,
    per_recording: int = 3,
    apart: int = 10,
    frames_root: Path | None = None,
    out: Path | None = None,
) -> Suggestions:
    """Predict every frame of a data set with two arms of a run, and rank those without a label.

    Masks that nobody has made or accepted do not count as labels. A recording is predicted by a
    fold that was not trained on its subject, if there is one.

    Args:
        run: a run folder with at least one finished fold.
        data: recordings, labelled or not.
        cache: folder for fitted frames.
        progress: advanced after every recording.
        count: how many frames at most.
        per_recording: how many of one recording at most.
        apart: two frames of one recording are at least so many frames apart.
        frames_root: the original recordings of an Annotation Web export.
        out: a CSV file to write.

    Raises:
        ConfigError: not a run folder, no finished fold, or a number is not positive.
        RecordingError: nothing in the data can be read, or every frame is labelled.
        SonotempoError: the file cannot be written.
    """
    label_queue([], count, per_recording=per_recording, apart=apart)  # refuses wrong numbers first
    if out is not None:
        if out.suffix != ".csv":
            raise ConfigError(f"--out {out} does not end in .csv; give for example {out.stem}.csv")
        make_folder(out.parent, "--out")
    if not (run / "config.yaml").is_file():
        raise ConfigError(f"{run} is not a run folder: it has no config.yaml; give a run folder")
    trained = load_run(run)
    arms = _arms_of(trained)
    folds = finished_folds(run, arms)
    experiment = with_data(trained, data, cache)
    if frames_root is not None:
        settings = experiment.data.model_copy(update={"frames_root": frames_root})
        experiment = experiment.model_copy(update={"data": settings})
    recordings, notes = _opened(experiment)
    on_grid, skipped = _fitted(recordings, experiment, progress)
    labels = {one.name: _labels(one) for one in recordings}
    frames: list[DoubtfulFrame] = []
    split = {fold.number: fold for fold in load_folds(run / "folds.json")}
    for fold, of_fold in _by_fold(run, arms[0], folds, split, on_grid).items():
        predictors = _predictors(run, arms, fold, experiment)
        progress.step(f"{' and '.join(arms)}, {fold}: predicting", len(of_fold))
        for cached in of_fold:
            frames += _doubts(cached, labels[cached.name], predictors, experiment)
            progress.advance()
    if not frames:
        raise RecordingError(
            f"every frame of {data} is labelled, so there is none to suggest; give recordings with "
            "frames that nobody has labelled"
        )
    queue = label_queue(frames, count, per_recording=per_recording, apart=apart)
    if len(arms) == 1:
        notes.append(f"{run.name} has the arm {arms[0]} alone, so no two arms can disagree")
    if skipped:
        notes.append(f"{len(skipped)} skipped; the first: {skipped[0]}")
    if len(queue) < count:
        notes.append(
            f"{len(queue)} of {count}: no more with {per_recording} a recording, {apart} frames "
            "apart (--per-recording, --apart)"
        )
    found = Suggestions(tuple(queue), arms, tuple(notes))
    if out is not None:
        with writing(out, "--out"), whole_file(out) as draft:
            draft.write_text(found.csv(), encoding="utf-8")
    return found


def _arms_of(experiment: Experiment) -> tuple[str, ...]:
    """Return the frame arm and the sequence arm, or the first and the last that a run has."""
    names = [arm for arm in experiment.arms if not arm_named(arm).is_oracle]
    pair = [arm for arm in ("frame", "sequence") if arm in names]
    return tuple(dict.fromkeys(pair if len(pair) == 2 else (names[0], names[-1])))


def _opened(experiment: Experiment) -> tuple[tuple[Recording, ...], list[str]]:
    """Open the data, with recordings that nobody has labelled at all; and say what was skipped."""
    dataset = open_experiment_data(experiment)
    recordings, skipped = list(dataset.recordings), list(dataset.skipped)
    if dataset.layout == "annotation_web" and experiment.data.frames_root is None:
        # An export has labelled sequences alone; unlabelled ones may lie next to them.
        known = {one.source.resolve() for one in recordings}
        known |= {bad.path.resolve() for bad in skipped}
        names = {one.name for one in recordings}
        recordings_in = partial(open_dataset, dataset.root, experiment.structures)
        try:
            others = recordings_in(layout="recordings").recordings
        except RecordingError:
            others = ()  # none of them can be opened; the labelled ones are enough
        recordings += [
            one for one in others if one.source.resolve() not in known and one.name not in names
        ]
    notes = [f"{len(skipped)} skipped; the first: {skipped[0].reason}"] if skipped else []
    return tuple(recordings), notes


def _fitted(
    recordings: Sequence[Recording], experiment: Experiment, progress: RunProgress
) -> tuple[list[CachedRecording], list[str]]:
    progress.step("fitting frames to the network grid", len(recordings))
    found, skipped = [], []
    wanted = [with_masks_of(one, experiment.data.use) for one in recordings]
    area, size = area_from(experiment.data.area), experiment.data.input_size
    for cached in cache_recordings(wanted, experiment.data.cache, size, area):
        if isinstance(cached, RecordingError):
            skipped.append(str(cached))
        else:
            found.append(cached)
        progress.advance()
    if not found:
        raise RecordingError(f"nothing in {experiment.data.root} can be read: {skipped[0]}")
    return found, skipped


def _labels(recording: Recording) -> tuple[int, ...]:
    """Return the indices of the frames that a person has labelled or accepted."""
    return tuple(index for index in recording.labelled if recording.origin(index).is_truth)


def _by_fold(
    run: Path,
    arm: str,
    folds: Sequence[str],
    split: Mapping[int, Fold],
    recordings: Sequence[CachedRecording],
) -> dict[str, list[CachedRecording]]:
    """Sort recordings by the fold that predicts them: one that has not seen their subject."""
    seen: dict[str, set[str]] = {}
    for fold in folds:
        metadata = read_weights_metadata(_weights(run, arm, fold))
        of_content = {one.subject for one in recordings if metadata.has_seen(one)}
        # By name too: a fold knows a subject whose other recordings it was trained on.
        known = split[metadata.fold].train if metadata.fold in split else ()
        seen[fold] = of_content | set(known)
    sorted_by: dict[str, list[CachedRecording]] = {}
    for one in recordings:
        fold = next((name for name in folds if one.subject not in seen[name]), folds[0])
        sorted_by.setdefault(fold, []).append(one)
    return sorted_by


def _weights(run: Path, arm: str, fold: str) -> Path:
    return run / arm_named(arm).weights_of / fold / "weights.safetensors"


def _predictors(
    run: Path, arms: Sequence[str], fold: str, experiment: Experiment
) -> list[TorchPredictor]:
    found = []
    for arm in arms:
        network, metadata = load_weights(_weights(run, arm, fold))
        model = as_run(arm, network, experiment.controls)
        found.append(TorchPredictor(model, metadata.input_size, arm, device=device_of(experiment)))
    return found


def _doubts(
    cached: CachedRecording,
    labels: Sequence[int],
    predictors: Sequence[TorchPredictor],
    experiment: Experiment,
) -> Iterator[DoubtfulFrame]:
    """Yield the frames of a recording that have no label, with the signs of doubt."""
    recording = replace(cached.as_recording(experiment.structures), mask_readers={}, origins={})
    confidence_T = np.ones(len(recording))
    masks: list[dict[int, Image]] = [
        predict_recording(
            predictor,
            recording,
            predictor.name,
            every_frame=True,
            on_prediction=partial(_note_confidence, confidence_T),
        )
        for predictor in predictors
    ]
    names = experiment.structures.names
    smallest_px = smallest_area_px(experiment.evaluate.ignored_radius_px, cached.input_size)
    labelled = frozenset(labels)
    for index in range(len(recording)):
        if index in labelled:
            continue
        dice_K = np.full(len(names), math.nan)
        if len(masks) == 2:
            dice_K = agreement_K(masks[0][index], masks[1][index], len(names), smallest_px)
        known = not np.isnan(dice_K).all()
        yield DoubtfulFrame(
            subject=recording.subject,
            recording=recording.name,
            frame=int(recording.frame_numbers[index]),
            seconds=(recording.timestamps_ns[index] - recording.timestamps_ns[0]) / 1e9,
            dice=float(np.nanmean(dice_K)) if known else None,
            structure=names[int(np.nanargmin(dice_K))] if known else "",
            confidence=float(confidence_T[index]),
            distance=min((abs(index - label) for label in labels), default=None),
        )


def _note_confidence(confidence_T: np.ndarray, index: int, prediction: Prediction) -> None:
    """Keep the lower confidence of the arms."""
    assert prediction.confidence_HW is not None  # our networks give probabilities
    found = lowest_confidence(prediction.confidence_HW)
    confidence_T[index] = min(confidence_T[index], found)
