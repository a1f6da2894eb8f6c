"""What an experiment is refused for before hours of training."""

from collections.abc import Sequence

from torch import nn

from sonotempo.config import Experiment
from sonotempo.data.cache import CachedRecording
from sonotempo.data.folds import Fold
from sonotempo.errors import ConfigError
from sonotempo.models import build_model
from sonotempo.models.summary import cost_of


def require_networks(experiment: Experiment) -> None:
    """Build and run every arm once: refuse what cannot work before hours of training."""
    for arm in experiment.arms:
        classes, size = experiment.structures.channels, experiment.data.input_size
        cost_of(arm, experiment.model, classes, size)


def require_batches(
    experiment: Experiment, recordings: Sequence[CachedRecording], folds: Sequence[Fold]
) -> None:
    """Refuse a batch of one frame at a single pixel: batch normalisation has no spread there."""
    model = experiment.model.model_copy(update={"pretrained": False})
    network = build_model("frame", model, experiment.structures.channels)
    coarsest, size = network.encoder.strides[-1], experiment.data.input_size
    if size > coarsest or not any(isinstance(part, nn.BatchNorm2d) for part in network.modules()):
        return
    batch_size = experiment.train.batch_size
    for fold in folds:
        frames = sum(len(r.labelled) for r in recordings if r.subject in fold.train)
        if batch_size == 1 or frames % batch_size == 1:
            raise ConfigError(
                f"{frames} training frames of fold {fold.number} in batches of {batch_size} "
                f"leave a batch of one frame, and data.input_size={size} leaves a single pixel at "
                "the deepest level: too little for batch normalisation; set "
                f"data.input_size={2 * size}, or another train.batch_size"
            )


def require_references(recordings: Sequence[CachedRecording], folds: Sequence[Fold]) -> None:
    """Refuse a fold that nothing can be scored by: its masks are for training alone."""
    with_references = {recording.subject for recording in recordings if recording.scored}
    for fold in folds:
        if not with_references & set(fold.test):
            raise ConfigError(
                f"fold {fold.number} has no reference: nobody has made or accepted a mask of its "
                f"test subjects ({', '.join(fold.test)}); review some of their masks, or set "
                "folds.count lower"
            )


def require_consecutive(recordings: Sequence[CachedRecording]) -> None:
    """Refuse to train on clips where labelled frames have no neighbours in their recordings."""
    videos = [recording for recording in recordings if not recording.is_still]
    pairs = sum(len(recording) - 1 for recording in videos)
    if not pairs:
        return
    consecutive = sum(len(segment) - 1 for r in videos for segment in r.segments())
    if consecutive / pairs < 0.5:
        raise ConfigError(
            "the sequence arm and its controls need consecutive frames, but only "
            f"{consecutive / pairs:.0%} of neighbouring frames follow each other (an annotation "
            "export holds key frames only); "
            "set data.frames_root to the recordings that it was made from, or arms=[frame]"
        )
