"""Measures one job of every arm on a few frames: time of an epoch and of scoring, and memory."""

import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from sonotempo.arms import in_training_order
from sonotempo.config import Experiment
from sonotempo.data.cache import CachedRecording
from sonotempo.data.clips import cut_windows
from sonotempo.data.folds import Fold
from sonotempo.study.engine.calls import require_shared, use_threads
from sonotempo.study.engine.reports import Silent
from sonotempo.training.device import device_of
from sonotempo.training.job import Job, run_job
from sonotempo.training.stage import stage_of

# Batches of the arm that needs most of them in an epoch.
_BATCHES = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """What one job of an arm took on a few frames.

    Attributes:
        start_s: before the first epoch can be counted: building, loading, the first step.
        window_s: of an epoch, for each window of training frames; 0 for arms without a training.
        frame_s: of scoring, for each test frame.
        memory_bytes: the largest resident memory of the process; 0 where it is not known.
        gpu_bytes: the largest memory on the GPU; 0 without one.
    """

    start_s: float
    window_s: float
    frame_s: float
    memory_bytes: float
    gpu_bytes: float


@dataclass(frozen=True, slots=True)
class ProbeCall:
    """A few steps of every arm, as they are sent to a worker.

    Attributes:
        experiment: every setting.
        recordings: training, validation and test recordings, cut short.
        fold: their subjects.
        threads: of torch and OpenCV.
    """

    experiment: Experiment
    recordings: tuple[CachedRecording, ...]
    fold: Fold
    threads: int

    def __call__(self) -> str:
        """Return what each arm took, as JSON."""
        require_shared(self.recordings[0].folder)
        use_threads(self.threads)
        with tempfile.TemporaryDirectory(prefix="sonotempo-plan-") as folder:
            found = {
                arm: asdict(self._measured(arm, Path(folder)))
                for arm in in_training_order(self.experiment.arms)
            }
        return json.dumps(found)

    def _measured(self, arm: str, folder: Path) -> Measured:
        gpu = device_of(self.experiment).type == "cuda"
        if gpu:
            torch.cuda.reset_peak_memory_stats()
        _reset_peak()
        watch, began_s = _Watch(), time.monotonic()
        run_job(Job(arm, self.fold, folder), self.experiment, self.recordings, watch)
        training = next(
            (own for name, own in watch.times.items() if name.endswith("training")), None
        )
        scoring = next(own for name, own in watch.times.items() if name.endswith("scoring"))
        test = [r for r in self.recordings if r.subject in self.fold.test]
        epoch_s = training[-1] - training[-2] if training else 0.0
        train = [r for r in self.recordings if r.subject in self.fold.train]
        clip_frames = stage_of(arm, self.experiment).clip_frames
        return Measured(
            start_s=scoring[0] - began_s - 2 * epoch_s,
            window_s=epoch_s / len(cut_windows(train, clip_frames, None)),
            frame_s=(scoring[-1] - scoring[0]) / sum(len(recording) for recording in test),
            memory_bytes=_peak_bytes(),
            gpu_bytes=torch.cuda.max_memory_reserved() if gpu else 0,
        )


class _Watch(Silent):
    """Notes when steps begin and their parts end."""

    def __init__(self) -> None:
        super().__init__()
        self.times: dict[str, list[float]] = {}

    def step(self, name: str, total: int, done: int = 0) -> None:
        self._name = name
        self.times[name] = [time.monotonic()]

    def advance(self, note: str = "") -> None:
        self.times[self._name].append(time.monotonic())


def probe_of(
    experiment: Experiment, recordings: Sequence[CachedRecording], fold: Fold, threads: int
) -> ProbeCall:
    """Return the probe of an experiment: two epochs on a few frames, and one recording to score.

    Args:
        experiment: every setting; paths are absolute.
        recordings: all of the cohort, with pseudo-labels if they are wanted.
        fold: the split to take frames from.
        threads: of the worker.
    """
    clip, clips = experiment.sequence.clip_frames, experiment.sequence.batch_size
    wanted = _BATCHES * max(experiment.train.batch_size, clip * clips)
    train = _cut_short([r for r in recordings if r.subject in fold.train], wanted)
    validation = _cut_short([r for r in recordings if r.subject in fold.validation], clip)
    test = min((r for r in recordings if r.subject in fold.test), key=len)
    few = Fold(fold.number, _subjects(train), _subjects(validation), (test.subject,))
    short = experiment.model_copy(
        update={
            "train": experiment.train.model_copy(update={"epochs": 2, "pseudo_label_frames": 0}),
            "sequence": experiment.sequence.model_copy(update={"epochs": 2}),
        }
    )
    return ProbeCall(short, (*train, *validation, test), few, threads)


def measured_from(words: str) -> Mapping[str, Measured]:
    """Read the result of a :class:`ProbeCall`."""
    return {arm: Measured(**facts) for arm, facts in json.loads(words).items()}


def _cut_short(
    recordings: Sequence[CachedRecording], labelled_frames: int
) -> tuple[CachedRecording, ...]:
    found: list[CachedRecording] = []
    for recording in recordings:
        if labelled_frames <= 0:
            break
        kept = recording.labelled[:labelled_frames]
        found.append(replace(recording, labelled=kept))
        labelled_frames -= len(kept)
    return tuple(found)


def _subjects(recordings: Sequence[CachedRecording]) -> tuple[str, ...]:
    return tuple(sorted({recording.subject for recording in recordings}))


def _reset_peak() -> None:
    """Let the peak of resident memory begin from now, where the system can."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_bytes() -> float:
    if sys.platform != "linux":
        return 0
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return float(peak) * 1024
