"""Trained weights as safetensors files that contain everything to rebuild their network."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_model, save_model

from sonotempo.config import ModelConfig
from sonotempo.data.cache import CachedRecording
from sonotempo.errors import ConfigError, SonotempoError
from sonotempo.evaluation.scoring.provenance import FACTS_FILE, read_facts
from sonotempo.folders import whole_file
from sonotempo.guard import guarded
from sonotempo.models import Segmenter, build_model
from sonotempo.structures import StructureSet, structure_set


@dataclass(frozen=True, slots=True)
class WeightsMetadata:
    """What a weights file records.

    Attributes:
        arm: which model it is, ``frame`` or ``sequence``.
        fold: the fold that it was trained in.
        structures: names of the structures in label order, or the name of a known set.
        input_size: side of the network grid in pixels.
        area: top, left, bottom, right of the image area that was set by hand, or None.
        model: the network's settings.
        trained_on: content of the training recordings; never score the weights on these.
        version: the sonotempo version that trained it.
        trained_frames: sums of the fitted frames of the training recordings; empty in files of
            earlier versions.
    """

    arm: str
    fold: int
    structures: str | tuple[str, ...]
    input_size: int
    area: tuple[int, int, int, int] | None
    model: ModelConfig
    trained_on: tuple[str, ...]
    version: str
    trained_frames: tuple[str, ...] = ()

    def has_seen(self, recording: CachedRecording) -> bool:
        """Whether a recording was trained on, with these masks or with others."""
        return recording.content in self.trained_on or recording.frames_sum in self.trained_frames

    @property
    def structure_set(self) -> StructureSet:
        """The structures with their colours."""
        names = self.structures
        return structure_set(names if isinstance(names, str) else list(names))


def save_weights(model: Segmenter, metadata: WeightsMetadata, path: Path) -> None:
    """Write the weights; the file appears only when it is complete.

    Raises:
        SonotempoError: the disk is full or refuses.
    """
    facts = asdict(metadata) | {"model": metadata.model.model_dump(mode="json")}
    try:
        with whole_file(path) as draft:
            save_model(model, str(draft), metadata={"sonotempo": json.dumps(facts)})
    except (SafetensorError, OSError) as error:  # safetensors wraps errors of the disk
        raise SonotempoError(
            f"{path} cannot be written ({error}); solve that and repeat the command: the "
            "training is kept"
        ) from error


def read_weights_metadata(path: Path) -> WeightsMetadata:
    """Read what a weights file records.

    Raises:
        ConfigError: the file is missing, not a safetensors file, or was not written by sonotempo.
    """
    remedy = "give a weights.safetensors from a run folder"
    with guarded(f"{path} is not a weights file of sonotempo", remedy, ConfigError):
        with safe_open(str(path), "pt") as file:
            facts = json.loads((file.metadata() or {})["sonotempo"])
        structures, area = facts.pop("structures"), facts.pop("area")
        return WeightsMetadata(
            structures=structures if isinstance(structures, str) else tuple(structures),
            area=tuple(area) if area else None,
            model=ModelConfig.model_validate(facts.pop("model")),
            trained_on=tuple(facts.pop("trained_on")),
            trained_frames=tuple(facts.pop("trained_frames", ())),
            **facts,
        )


def load_weights(path: Path) -> tuple[Segmenter, WeightsMetadata]:
    """Rebuild the network of a weights file, in evaluation mode on the CPU.

    Raises:
        ConfigError: as :func:`read_weights_metadata`, the weights do not fit their own description,
            or have changed since they were trained.
    """
    metadata = read_weights_metadata(path)
    _check_sum(path)
    # The file contains all weights: no pretrained ones are downloaded.
    config = metadata.model.model_copy(update={"pretrained": False})
    what = f"the weights in {path} do not fit the network that they describe"
    with guarded(what, "copy the file again, or train that fold again", ConfigError):
        _check_size(path, metadata, config)
        model = build_model(metadata.arm, config, metadata.structure_set.channels)
        load_model(model, str(path))
    return model.eval(), metadata


def _check_size(path: Path, metadata: WeightsMetadata, config: ModelConfig) -> None:
    """Refuse a description of a network that the file cannot fill, before memory is allocated."""
    with safe_open(str(path), "pt") as file:
        held = sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    with torch.device("meta"):
        network = build_model(metadata.arm, config, metadata.structure_set.channels)
    needed = sum(part.numel() for part in network.parameters())
    if needed > held:
        raise ValueError(f"it has {needed} parameters, and the file holds {held} numbers")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_sum(path: Path) -> None:
    """Compare a file with the sum that its training left next to it, if there is one."""
    facts = path.with_name(FACTS_FILE)
    if not facts.is_file():
        return
    expected = read_facts(facts).weights_sha256
    if expected and expected != file_sha256(path):
        raise ConfigError(
            f"{path} has changed since it was trained (its SHA-256 is not the one in "
            f"{FACTS_FILE}): it is damaged, or was replaced; copy it again, or delete its folder "
            "and run the training again"
        )
