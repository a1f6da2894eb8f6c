from types import SimpleNamespace

import pytest
import torch

from fakes.experiments import TINY, tiny_experiment
from sonotempo.errors import ConfigError
from sonotempo.models import build_model
from sonotempo.structures import structure_set
from sonotempo.training.initial_weights import start_from_file
from sonotempo.training.weights import WeightsMetadata, read_weights_metadata, save_weights

STRUCTURES = structure_set(["nerve", "vessel"])


def written(path, arm="sequence", names=("nerve", "vessel"), trained_on=("a", "b"), config=TINY):
    """Random weights of other data."""
    torch.manual_seed(1)
    model = build_model(arm, config, len(names) + 1)
    metadata = WeightsMetadata(arm, 0, names, 32, None, config, trained_on, "0")
    save_weights(model, metadata, path)
    return model


def held_out(content, frames_sum="none"):
    """All that is asked of a recording."""
    return SimpleNamespace(content=content, frames_sum=frames_sum)


def fresh(config=TINY):
    torch.manual_seed(2)
    return build_model("frame", config, len(STRUCTURES) + 1)


def test_everything_that_a_frame_network_has_is_taken_over(tmp_path):
    source = written(tmp_path / "weights.safetensors").state_dict()
    model = fresh()
    start_from_file(model, tmp_path / "weights.safetensors", TINY, STRUCTURES, [held_out("c")])
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, source[name]), name


def test_the_head_of_other_structures_is_left_out(tmp_path):
    written(tmp_path / "weights.safetensors", names=("blood", "bone", "nerve"))
    model = fresh()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    start_from_file(model, tmp_path / "weights.safetensors", TINY, STRUCTURES, ())
    after = model.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"encoder", "decoder"}


def test_weights_that_saw_the_test_data_are_refused(tmp_path):
    written(tmp_path / "weights.safetensors")
    with pytest.raises(ConfigError, match="trained on 1 of this fold's validation or test"):
        start_from_file(
            fresh(),
            tmp_path / "weights.safetensors",
            TINY,
            STRUCTURES,
            [held_out("b"), held_out("c")],
        )


def test_other_masks_of_the_same_frames_are_no_other_data(tmp_path):
    path = tmp_path / "weights.safetensors"
    model = written(path)
    metadata = WeightsMetadata("sequence", 0, STRUCTURES.names, 32, None, TINY, ("a",), "0", ("f",))
    save_weights(model, metadata, path)
    assert read_weights_metadata(path) == metadata
    with pytest.raises(ConfigError, match="trained on 1 of this fold's validation or test"):
        start_from_file(fresh(), path, TINY, STRUCTURES, [held_out("new", "f"), held_out("b")])


def test_another_network_is_refused_with_the_settings_that_differ(tmp_path):
    written(tmp_path / "weights.safetensors")
    config = TINY.model_copy(update={"channels": (4, 8), "memory_channels": 4})
    with pytest.raises(ConfigError, match=r"another network \(model.channels=\(4, 8, 8, 8, 8, 8\)"):
        start_from_file(fresh(), tmp_path / "weights.safetensors", config, STRUCTURES, ())


def test_a_setting_names_the_file():
    changed = {"train": {"initial_weights": "a/weights.safetensors"}}
    experiment = tiny_experiment(**changed)
    assert experiment.train.initial_weights.name == "weights.safetensors"
