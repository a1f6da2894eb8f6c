"""Start the frame arm from weights that were trained on other data, for example on phantoms."""

from collections.abc import Sequence
from pathlib import Path

from sonotempo.config import ModelConfig
from sonotempo.data.cache import CachedRecording
from sonotempo.errors import ConfigError
from sonotempo.models import Segmenter
from sonotempo.structures import StructureSet
from sonotempo.training.weights import load_weights

# What the frame network does not have.
_OF_THE_MEMORY = ("memory", "memory_strides", "memory_channels", "share_encoder", "pretrained")


def start_from_file(
    model: Segmenter,
    path: Path,
    config: ModelConfig,
    structures: StructureSet,
    unseen: Sequence[CachedRecording],
) -> None:
    """Copy the encoder and the decoder; the head too if it knows the same structures.

    Args:
        model: the network to start; it changes in place.
        path: a ``weights.safetensors`` of any arm whose frame network is the same.
        config: the settings of ``model``.
        structures: what ``model`` segments.
        unseen: the validation and test recordings.

    Raises:
        ConfigError: not a weights file, another network, or weights that were trained on one of the
            ``unseen`` recordings.
    """
    start, metadata = load_weights(path)
    leaked = [recording for recording in unseen if metadata.has_seen(recording)]
    if leaked:
        raise ConfigError(
            f"{path} was trained on {len(leaked)} of this fold's validation or test recordings; "
            "set train.initial_weights to weights of other data"
        )
    ours, theirs = (one.model_dump(exclude=set(_OF_THE_MEMORY)) for one in (config, metadata.model))
    different = [f"model.{key}={theirs[key]}" for key in ours if ours[key] != theirs[key]]
    if different:
        raise ConfigError(
            f"{path} holds another network ({', '.join(different)}); set these, or give other "
            "train.initial_weights"
        )
    same_head = metadata.structure_set.names == structures.names
    kept = {
        name: weight
        for name, weight in start.state_dict().items()
        if not name.startswith("memories.") and (same_head or not name.startswith("head."))
    }
    model.load_state_dict(kept, strict=False)
