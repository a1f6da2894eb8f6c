"""Records how a job was trained, so that a comparison can name the cause of a difference."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sonotempo.arms import arm_named
from sonotempo.config import Experiment
from sonotempo.data.cache import CachedRecording
from sonotempo.data.folds import Fold
from sonotempo.evaluation.scoring.provenance import ArmFacts
from sonotempo.models import Segmenter
from sonotempo.models.at_test_time import WRAPPERS
from sonotempo.training.task import SegmentationTask
from sonotempo.training.weights import file_sha256


def facts_of_training(
    arm: str,
    fold: Fold,
    experiment: Experiment,
    task: SegmentationTask,
    train: Sequence[CachedRecording],
    *,
    optimiser_steps: int,
    start: Path | None,
    weights: Path,
) -> ArmFacts:
    """Return the facts of a finished training.

    Args:
        arm: the trained arm.
        fold: the split.
        experiment: the run's settings.
        task: the training, with its network and stage.
        train: the training recordings.
        optimiser_steps: their number.
        start: the weights file that it started from, or None.
        weights: the weights file that it wrote.
    """
    kind, stage = arm_named(arm), task.stage
    frozen = ["normalization"] if kind.starts_from else []
    if kind.starts_from and experiment.model.share_encoder == "frozen":
        frozen.insert(0, "encoder")
    return ArmFacts(
        arm=arm,
        fold=fold.number,
        added=kind.added,
        cell="" if kind.added == "none" else experiment.model.memory,
        inference="carried",
        start_sha256=file_sha256(start) if start else "",
        weights_sha256=file_sha256(weights),
        seed=experiment.seed,
        epochs=stage.epochs,
        optimiser_steps=optimiser_steps,
        batch_size=stage.batch_size,
        clip_frames=stage.clip_frames,
        backpropagation_frames=stage.chunk_frames,
        learning_rate=stage.learning_rate,
        added_learning_rate=None if kind.added == "none" else stage.memory_learning_rate,
        schedule=experiment.train.schedule,
        loss=experiment.train.loss,
        faults=experiment.faults.model_dump() if stage.faults else {},
        shuffled_frames=stage.shuffled_frames,
        state_faults=_state_faults(experiment) if kind.added in ("memory", "aligned") else {},
        frozen=tuple(frozen),
        trained_with="" if task.companion is None else "a frame decoder",
        labelled_frames=sum(len(recording.labelled) for recording in train),
        pseudo_label_frames=experiment.train.pseudo_label_frames,
        trained_origins=_origins(train),
        trained_subjects=tuple(sorted({recording.subject for recording in train})),
        parameters=sum(weight.numel() for weight in task.model.parameters()),
    )


def facts_of_companion(arm: str, trained: ArmFacts, model: Segmenter, weights: Path) -> ArmFacts:
    """Return the facts of the frame decoder that was trained over the encoder of another arm.

    Args:
        arm: its own arm.
        trained: the facts of the other arm.
        model: the frame network.
        weights: the weights file of the frame network.
    """
    return replace(
        trained,
        arm=arm,
        added="none",
        cell="",
        added_learning_rate=None,
        state_faults={},
        trained_with=f"the decoder of {trained.arm}",
        weights_sha256=file_sha256(weights),
        parameters=sum(weight.numel() for weight in model.parameters()),
    )


def facts_as_run(arm: str, trained: ArmFacts, experiment: Experiment) -> ArmFacts:
    """Return the facts of an arm that runs the weights of a trained one differently."""
    wrapper = WRAPPERS[arm_named(arm).inference]
    return replace(trained, arm=arm, inference=wrapper.described(experiment.controls))


def _origins(train: Sequence[CachedRecording]) -> dict[str, float]:
    """Count the training frames whose mask no person made, by its origin."""
    found = [recording.origin(index) for recording in train for index in recording.labelled]
    counts = Counter(one.text for one in found if one.use != "human")
    return {text: float(counts[text]) for text in sorted(counts)}


def _state_faults(experiment: Experiment) -> dict[str, float]:
    recipe = experiment.sequence
    faults = {
        "foreign": recipe.foreign_state_probability,
        "corrupt": recipe.corrupt_state_probability,
    }
    return {name: chance for name, chance in faults.items() if chance}
