"""What a worker does: one job of a run, on however many threads it has been given."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import torch

from sonotempo.config import Experiment
from sonotempo.data.cache import CachedRecording
from sonotempo.errors import SonotempoError
from sonotempo.study.engine.reports import Reporter
from sonotempo.training.job import Job, run_job


@dataclass(frozen=True, slots=True)
class JobCall:
    """One job, as it is sent to a worker: settings and paths, no frames.

    Attributes:
        job: what to train and score.
        experiment: every setting.
        recordings: of the cohort, mapped from the cache when they are read.
        report: the report of this attempt.
        threads: of torch and OpenCV.
    """

    job: Job
    experiment: Experiment
    recordings: Sequence[CachedRecording]
    report: Path
    threads: int

    def __call__(self) -> str:
        """Run the job.

        Raises:
            SonotempoError: this machine does not see the run or the cache, or the job's own error.
        """
        require_shared(self.job.run / "config.yaml")
        require_shared(self.recordings[0].folder)
        use_threads(self.threads)
        run_job(self.job, self.experiment, self.recordings, Reporter(self.report))
        return ""


def use_threads(threads: int) -> None:
    """Compute on this many threads; the sums of floats depend on it in their last bits."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def require_shared(path: Path) -> None:
    """Refuse to work where the driver's files are not seen.

    Raises:
        SonotempoError: the path does not exist here.
    """
    if not path.exists():
        raise SonotempoError(
            f"a worker does not see {path}: the run folder (--out) and data.cache must be in "
            "folders that all machines share under the same path"
        )


def absolute(
    experiment: Experiment, recordings: Sequence[CachedRecording]
) -> tuple[Experiment, tuple[CachedRecording, ...]]:
    """Return settings and recordings whose paths hold in another working folder."""
    train = experiment.train
    if train.initial_weights is not None:
        train = train.model_copy(update={"initial_weights": train.initial_weights.absolute()})
    return experiment.model_copy(update={"train": train}), tuple(
        replace(recording, folder=recording.folder.absolute()) for recording in recordings
    )
