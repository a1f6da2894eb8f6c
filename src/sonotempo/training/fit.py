"""The training of one job: its recordings, its start, the loop, and what it leaves behind."""

import logging
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.nn.utils.memory_format import convert_conv2d_weight_memory_format

from sonotempo.arms import ARMS, arm_named
from sonotempo.config import Experiment
from sonotempo.data.cache import CachedRecording
from sonotempo.data.pseudo_labels import with_pseudo_labels
from sonotempo.errors import SonotempoError
from sonotempo.evaluation.scoring.provenance import FACTS_FILE, ArmFacts
from sonotempo.guard import guarded, in_few_words
from sonotempo.models import Segmenter, build_model
from sonotempo.training.arm_facts import facts_of_companion, facts_of_training
from sonotempo.training.device import device_of
from sonotempo.training.initial_weights import start_from_file
from sonotempo.training.progress import EpochProgress, RunProgress
from sonotempo.training.stage import stage_of
from sonotempo.training.task import NEVER_FOUND, UNUSED_MEMORY, SegmentationTask
from sonotempo.training.tensorboard import NamelessTensorBoard
from sonotempo.training.weights import WeightsMetadata, load_weights, save_weights

if TYPE_CHECKING:
    from sonotempo.training.job import Job

_CHECKPOINT_PARTS = ("epoch", "state_dict", "optimizer_states", "loops")


def train_job(
    job: "Job",
    experiment: Experiment,
    recordings: Sequence[CachedRecording],
    progress: RunProgress,
) -> None:
    """Train one arm in one fold, from its last checkpoint, and write its weights and facts.

    Raises:
        SonotempoError: the training diverged, or its start is not that of this run and fold.
    """
    fold = job.fold
    seed = int(np.random.SeedSequence([experiment.seed, fold.number]).generate_state(1)[0])
    torch.manual_seed(seed)
    train = _training_recordings(job, experiment, recordings, progress)
    validation = tuple(r for r in recordings if r.subject in fold.validation and r.labelled)
    model = build_model(job.arm, experiment.model, experiment.structures.channels)
    companion: Segmenter | None = None
    start, starts_from = None, arm_named(job.arm).starts_from
    if starts_from is not None:
        start_job = replace(job, arm=starts_from)
        start = start_job.weights
        start_model = _start(start_job, experiment, train)
        model.start_from(start_model)
        model.freeze(encoder=experiment.model.share_encoder == "frozen", normalization=True)
        if experiment.model.share_encoder == "joint":
            companion = start_model.train()
            companion.freeze(encoder=False, normalization=True)
    elif experiment.train.initial_weights is not None:
        start = experiment.train.initial_weights
        held_out = [r for r in recordings if r.subject in {*fold.validation, *fold.test}]
        start_from_file(model, start, experiment.model, experiment.structures, held_out)
    # Convolutions are faster this way: by a third on a CPU, more in 16 bits.
    convert_conv2d_weight_memory_format(model, torch.channels_last)
    stage = stage_of(job.arm, experiment)
    task = SegmentationTask(
        model,
        stage,
        experiment,
        train=train,
        validation=validation,
        seed=seed,
        companion=companion,
    )
    checkpoint = job.checkpoint
    resumes = _is_sound(checkpoint, job, progress)
    progress.step(
        f"{job.arm}, fold {fold.number}: training", stage.epochs, _epochs_done(checkpoint)
    )
    with _quiet_lightning():
        trainer = lightning.Trainer(
            max_epochs=stage.epochs,
            accelerator=experiment.train.accelerator,
            devices=1,
            precision=_precision(experiment),
            logger=[
                CSVLogger(job.folder, name="log"),
                NamelessTensorBoard(job.folder, name="tensorboard"),
            ],
            callbacks=[
                ModelCheckpoint(
                    dirpath=job.folder,
                    filename=checkpoint.stem,
                    enable_version_counter=False,
                    save_on_train_epoch_end=True,
                ),
                EpochProgress(progress),
            ],
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
            log_every_n_steps=1,
        )
        trainer.fit(task, ckpt_path=checkpoint if resumes else None, weights_only=True)
    if not all(bool(weight.isfinite().all()) for weight in task.model.parameters()):
        raise SonotempoError(
            f"the training of {job.arm}, fold {fold.number} diverged: weights are no longer "
            f"finite; lower {'sequence' if stage.clip_frames > 1 else 'train'}.learning_rate and "
            "choose another --out"
        )
    _warn_of_structures_never_found(job, experiment, train, trainer.callback_metrics, progress)
    use = trainer.callback_metrics.get("memory_use")
    if use is not None and float(use) < UNUSED_MEMORY:
        progress.say(
            f"warning: {job.arm}, fold {fold.number}: the memory changes probabilities by "
            f"{float(use):.1e} on average, so it is practically unused; raise "
            "sequence.memory_learning_rate, sequence.epochs or the probabilities in faults"
        )
    save_weights(task.model, _metadata(job, experiment, train), job.weights)
    facts = facts_of_training(
        job.arm,
        fold,
        experiment,
        task,
        train,
        optimiser_steps=trainer.global_step,
        start=start,
        weights=job.weights,
    )
    if companion is not None:
        _save_companion(job, experiment, train, companion, facts)
    facts.write(job.folder / FACTS_FILE)


def _training_recordings(
    job: "Job",
    experiment: Experiment,
    recordings: Sequence[CachedRecording],
    progress: RunProgress,
) -> tuple[CachedRecording, ...]:
    """Return what a job is trained on, with pseudo-labels if they are wanted."""
    own = [r for r in recordings if r.subject in job.fold.train and r.labelled]
    reach = experiment.train.pseudo_label_frames
    if not reach:
        return tuple(own)
    progress.step(f"{job.arm}, fold {job.fold.number}: carrying labels", len(own))
    found = []
    for recording in own:
        found.append(with_pseudo_labels(recording, reach))
        progress.advance()
    before, after = (sum(len(r.labelled) for r in some) for some in (own, found))
    progress.say(
        f"{job.arm}, fold {job.fold.number}: {before} labelled frames and {after - before} "
        "pseudo-labels"
    )
    return tuple(found)


def _save_companion(
    job: "Job",
    experiment: Experiment,
    train: Sequence[CachedRecording],
    companion: Segmenter,
    facts: ArmFacts,
) -> None:
    """Keep the frame network that was trained along, if it is an arm of the experiment."""
    for arm in ARMS:
        if arm.trained_with == job.arm and arm.name in experiment.arms:
            own = replace(job, arm=arm.name)
            own.folder.mkdir(parents=True, exist_ok=True)
            save_weights(companion, _metadata(own, experiment, train), own.weights)
            facts_of_companion(arm.name, facts, companion, own.weights).write(
                own.folder / FACTS_FILE
            )


def _start(job: "Job", experiment: Experiment, train: Sequence[CachedRecording]) -> Segmenter:
    """Load the weights to start from, which must be of the same fold: others saw its test data."""
    start, metadata = load_weights(job.weights)
    wanted = _metadata(job, experiment, train)
    frames = metadata.trained_frames and wanted.trained_frames  # none in those of earlier versions
    if replace(metadata, version="") != replace(wanted, version="", trained_frames=frames):
        raise SonotempoError(
            f"{job.weights} were not trained by this run's {job.arm} arm in fold "
            f"{job.fold.number} (their metadata: {metadata.arm}, fold {metadata.fold}); delete "
            f"{job.folder} and run again"
        )
    return start


def _warn_of_structures_never_found(
    job: "Job",
    experiment: Experiment,
    train: Sequence[CachedRecording],
    metrics: Mapping[str, torch.Tensor],
    progress: RunProgress,
) -> None:
    """Warn of structures that the network has learned never to predict."""
    for number, name in enumerate(experiment.structures.names):
        if not any(recording.reference_px[number] for recording in train):
            progress.say(
                f"warning: {job.arm}, fold {job.fold.number}: no training subject shows {name!r}, "
                "so it cannot be learned; label it in more subjects, or use fewer folds"
            )
            continue
        dice = metrics.get(f"validation_dice/{name}")
        if dice is not None and float(dice) < NEVER_FOUND:
            progress.say(
                f"warning: {job.arm}, fold {job.fold.number}: '{name}' is (almost) never found on "
                f"the validation subjects (Dice {float(dice):.2f}); train longer, with a smaller "
                "batch_size or with train.loss=dice_ce"
            )


def _metadata(
    job: "Job", experiment: Experiment, train: Sequence[CachedRecording]
) -> WeightsMetadata:
    """Return the metadata of the weights of a job."""
    return WeightsMetadata(
        arm=job.arm,
        fold=job.fold.number,
        structures=_spelled(experiment),
        input_size=experiment.data.input_size,
        area=experiment.data.area,
        model=experiment.model,
        trained_on=tuple(sorted(recording.content for recording in train)),
        version=version("sonotempo"),
        trained_frames=tuple(sorted(recording.frames_sum for recording in train)),
    )


def _precision(experiment: Experiment) -> str:
    if experiment.train.precision != "auto":
        return experiment.train.precision
    fast = device_of(experiment).type == "cuda" and torch.cuda.is_bf16_supported()
    return "bf16-mixed" if fast else "32-true"


def _spelled(experiment: Experiment) -> str | tuple[str, ...]:
    names = experiment.data.structures
    return names if isinstance(names, str) else tuple(names)


def _is_sound(checkpoint: Path, job: "Job", progress: RunProgress) -> bool:
    """Whether there is a checkpoint to continue from; a damaged one is said and removed."""
    if not checkpoint.is_file():
        return False
    try:
        with guarded(f"{checkpoint} is damaged", "it is not used"):
            with zipfile.ZipFile(checkpoint) as archive:  # torch stores a sum of every part
                damaged = archive.testzip()
            if damaged is None:
                _check_parts(checkpoint)
                return True
    except SonotempoError as error:
        damaged = in_few_words(error.__cause__ or error)
    progress.say(
        f"warning: {checkpoint} is damaged ({damaged}); {job.arm}, fold {job.fold.number} is "
        "trained from its beginning"
    )
    checkpoint.unlink()
    return False


def _check_parts(checkpoint: Path) -> None:
    """Refuse a checkpoint that lacks something to continue from."""
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    missing = [part for part in _CHECKPOINT_PARTS if part not in saved]
    if missing or not isinstance(saved["epoch"], int):
        raise ValueError(f"it lacks {', '.join(missing) or 'the number of epochs'}")


def _epochs_done(checkpoint: Path) -> int:
    if not checkpoint.is_file():
        return 0
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["epoch"]) + 1


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Suppress Lightning's advice on devices and workers, but not its errors."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", module="torch.optim.lr_scheduler")
        try:
            yield
        finally:
            logger.setLevel(level)
