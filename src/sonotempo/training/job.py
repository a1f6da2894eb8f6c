"""One job of a run: one arm in one fold, trained and scored in its own folder.

A finished job is never repeated; an interrupted one resumes from its last checkpoint.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from sonotempo.arms import arm_named
from sonotempo.config import Experiment
from sonotempo.data.cache import CachedRecording
from sonotempo.data.folds import Fold
from sonotempo.data.stills import evaluation_clip
from sonotempo.errors import SonotempoError
from sonotempo.evaluation.scoring.evaluate import evaluate
from sonotempo.evaluation.scoring.files import Evaluation, write_scores
from sonotempo.evaluation.scoring.frames import per_subject
from sonotempo.evaluation.scoring.mask_files import write_masks
from sonotempo.evaluation.scoring.provenance import FACTS_FILE, ArmFacts, read_facts
from sonotempo.folders import whole_file
from sonotempo.models import as_run
from sonotempo.recording import Recording
from sonotempo.training.arm_facts import facts_as_run
from sonotempo.training.device import device_of
from sonotempo.training.fit import train_job
from sonotempo.training.oracles import score_oracle
from sonotempo.training.progress import RunProgress
from sonotempo.training.torch_predictor import TorchPredictor
from sonotempo.training.weights import load_weights

WEIGHTS_FILE = "weights.safetensors"


@dataclass(frozen=True, slots=True)
class Job:
    """One arm in one fold.

    Attributes:
        arm: which of :data:`sonotempo.arms.ARMS`.
        fold: the training, validation and test subjects.
        run: the run's folder.
    """

    arm: str
    fold: Fold
    run: Path

    @property
    def name(self) -> str:
        """What it is called in what the user reads."""
        return f"{self.arm}, fold {self.fold.number}"

    @property
    def folder(self) -> Path:
        """The folder of all its files."""
        return self.run / self.arm / f"fold-{self.fold.number:02d}"

    @property
    def finished(self) -> bool:
        """Whether its scores are complete."""
        return (self.folder / "finished.json").is_file()

    @property
    def checkpoint(self) -> Path:
        """The last epoch of a training that is not finished."""
        return self.folder / "resume.ckpt"

    @property
    def trained(self) -> bool:
        """Whether other jobs can start from its weights, or run them."""
        own = self.folder / WEIGHTS_FILE
        return own.is_file() and (self.folder / FACTS_FILE).is_file()

    @property
    def weights(self) -> Path:
        """The weights file: its own, or that of the arm whose weights it runs."""
        trained = replace(self, arm=arm_named(self.arm).weights_of)
        return trained.folder / WEIGHTS_FILE


def run_job(
    job: Job,
    experiment: Experiment,
    recordings: Sequence[CachedRecording],
    progress: RunProgress,
) -> None:
    """Train and score one arm in one fold, from where an earlier attempt stopped."""
    if job.finished:
        return
    job.folder.mkdir(parents=True, exist_ok=True)
    facts = job.folder / FACTS_FILE
    arm = arm_named(job.arm)
    if arm.is_oracle:
        ArmFacts(
            arm=job.arm, fold=job.fold.number, inference=arm.inference, seed=experiment.seed
        ).write(facts)
    elif arm.trained_with:
        if not (job.weights.is_file() and facts.is_file()):
            raise SonotempoError(
                f"{job.folder} lacks the weights that the training of {arm.trained_with!r} left "
                f"there; delete {replace(job, arm=arm.trained_with).folder} and run again"
            )
    elif not arm.is_trained:
        trained = read_facts(job.weights.with_name(FACTS_FILE))
        facts_as_run(job.arm, trained, experiment).write(facts)
    elif not (job.weights.is_file() and facts.is_file()):
        train_job(job, experiment, recordings, progress)
    scores = (_score_oracle if arm.is_oracle else _score)(job, experiment, recordings, progress)
    write_scores(job.folder, scores)
    per_subject(scores.frames, experiment.evaluate.overlap).to_csv(
        job.folder / "subjects.csv", index=False, lineterminator="\n"
    )
    # Last: whatever it claims is on the disk.
    with whole_file(job.folder / "finished.json") as draft:
        facts_of_job = {"arm": job.arm, "fold": job.fold.number, "frames": len(scores.frames)}
        draft.write_text(json.dumps(facts_of_job) + "\n", encoding="utf-8")
    job.checkpoint.unlink(missing_ok=True)


def _score(
    job: Job,
    experiment: Experiment,
    recordings: Sequence[CachedRecording],
    progress: RunProgress,
) -> Evaluation:
    """Score the test subjects; masks are written recording by recording."""
    model = as_run(job.arm, load_weights(job.weights)[0], experiment.controls)
    test = [r for r in recordings if r.subject in job.fold.test and r.scored]
    progress.step(f"{job.arm}, fold {job.fold.number}: scoring", len(test))
    predictor = TorchPredictor(
        model, experiment.data.input_size, job.arm, device=device_of(experiment)
    )
    return evaluate(
        predictor,
        shown_recordings(test, experiment),
        experiment.evaluate,
        arm=job.arm,
        fold=job.fold.number,
        # The report plays complete masks; of a still's clip only the still itself matters.
        every_frame=not all(recording.is_still for recording in test),
        seed=experiment.seed,
        on_masks=partial(write_masks, job.folder),
        on_recording=progress.advance,
    )


def _score_oracle(
    job: Job,
    experiment: Experiment,
    recordings: Sequence[CachedRecording],
    progress: RunProgress,
) -> Evaluation:
    test = [r for r in recordings if r.subject in job.fold.test and r.scored]
    progress.step(f"{job.arm}, fold {job.fold.number}: scoring", len(test))
    return score_oracle(
        test,
        [r for r in recordings if r.subject in job.fold.train and r.labelled],
        experiment.structures,
        experiment.evaluate,
        arm=job.arm,
        fold=job.fold.number,
        remembers=arm_named(job.arm).inference == "oracle with memory",
        on_masks=partial(write_masks, job.folder),
        on_recording=progress.advance,
    )


def shown_recordings(
    recordings: Sequence[CachedRecording], experiment: Experiment
) -> Iterator[Recording]:
    """Yield what every arm is shown: recordings unchanged, stills as clips that end in them.

    A still's clip is seeded by its name, so that all arms see the same motion; only its last
    frame, the untouched still, carries the mask.
    """
    for cached in recordings:
        recording = cached.as_recording(experiment.structures)
        frames = experiment.evaluate.still_clip_frames
        if not cached.is_still or frames == 1:
            yield recording
            continue
        seed = np.random.SeedSequence([experiment.seed, *cached.name.encode()])
        clip_THW = evaluation_clip(
            np.array(cached.frames_TSS()[0]),
            frames,
            int(seed.generate_state(1)[0]),
            experiment.motion,
        )
        period_ns = round(1e9 / experiment.motion.frame_rate_hz)
        yield replace(
            recording,
            images=clip_THW,
            timestamps_ns=np.arange(frames, dtype=np.int64) * period_ns,
            frame_numbers=np.arange(frames, dtype=np.int64),
            mask_readers={frames - 1: recording.mask_readers[0]},
        )
