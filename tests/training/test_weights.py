import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fakes.experiments import TINY
from sonotempo.errors import ConfigError, SonotempoError
from sonotempo.models import build_model, in_channels_last
from sonotempo.training.weights import (
    WeightsMetadata,
    load_weights,
    read_weights_metadata,
    save_weights,
)

SOURCES = Path(__file__).parents[2] / "src"
PASSPORT = WeightsMetadata(
    arm="sequence",
    fold=3,
    structures="nerve+vessel",
    input_size=32,
    area=(0, 1, 20, 30),
    model=TINY,
    trained_on=("aa", "bb"),
    version="0.1.0",
)


def built(arm="sequence", config=TINY):
    torch.manual_seed(0)
    return build_model(arm, config, 3)


@pytest.mark.parametrize("arm", ["frame", "sequence"])
@pytest.mark.parametrize("area", [None, (0, 1, 20, 30)])
@pytest.mark.parametrize("structures", ["nerve+vessel", ("artery", "vein")])
def test_weights_and_metadata_survive_their_file(tmp_path, arm, area, structures):
    model = in_channels_last(built(arm))
    metadata = replace(PASSPORT, arm=arm, area=area, structures=structures)
    path = tmp_path / "weights.safetensors"
    save_weights(model, metadata, path)
    loaded, read = load_weights(path)
    assert read == read_weights_metadata(path) == metadata
    assert read.structure_set.channels == 3
    assert not loaded.training
    assert type(loaded) is type(model)
    mine, given = loaded.state_dict(), model.state_dict()
    assert mine.keys() == given.keys()
    assert all(torch.equal(mine[name], given[name]) for name in given)
    assert [file.name for file in tmp_path.iterdir()] == ["weights.safetensors"]


def test_nothing_pretrained_is_fetched_to_load(tmp_path):
    config = TINY.model_copy(update={"encoder": "mobilenetv3_small_100"})
    path = tmp_path / "weights.safetensors"
    said = config.model_copy(update={"pretrained": True})
    save_weights(built("frame", config), replace(PASSPORT, arm="frame", model=said), path)
    _, metadata = load_weights(path)
    assert metadata.model.pretrained


def external(path):
    save_file({"weight": torch.zeros(2)}, str(path))


def other_tool(path):
    save_file({"weight": torch.zeros(2)}, str(path), metadata={"format": "pt"})


def no_metadata(path):
    save_file({"w": torch.zeros(2)}, str(path), metadata={"sonotempo": "{"})


def short_metadata(path):
    save_file({"w": torch.zeros(2)}, str(path), metadata={"sonotempo": '{"arm": "frame"}'})


def newer_metadata(path):
    facts = {"structures": "femoral", "area": None, "model": {"depth": 9}, "trained_on": []}
    save_file({"w": torch.zeros(2)}, str(path), metadata={"sonotempo": json.dumps(facts)})


def pickled(path):
    torch.save(built().state_dict(), path)


def cut_off(path):
    save_weights(built(), PASSPORT, path)
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b"")


def folder(path):
    path.mkdir()


def missing(path):
    pass


KINDS = [
    *(external, other_tool, no_metadata, short_metadata, newer_metadata),
    *(pickled, cut_off, empty, folder, missing),
]


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("read", [read_weights_metadata, load_weights])
def test_what_is_no_weights_file_is_refused_in_one_sentence(tmp_path, make, read):
    path = tmp_path / "weights.safetensors"
    make(path)
    with pytest.raises(ConfigError, match="is not a weights file of sonotempo") as error:
        read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_weights_that_do_not_fit_their_metadata_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    wider = TINY.model_copy(update={"channels": (8, 8, 8, 8, 8, 8)})
    save_weights(built(), replace(PASSPORT, model=wider), path)
    with pytest.raises(ConfigError, match="do not fit the network that they describe"):
        load_weights(path)


def test_weights_of_an_arm_that_does_not_exist_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(built(), replace(PASSPORT, arm="transformer"), path)
    with pytest.raises(ConfigError, match="unknown arm 'transformer'"):
        load_weights(path)


def test_a_write_that_is_cut_off_leaves_the_earlier_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "weights.safetensors"
    save_weights(built(), PASSPORT, path)
    before = path.read_bytes()

    def dies(model, filename, metadata):
        Path(filename).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("sonotempo.training.weights.save_model", dies)
    with pytest.raises(SonotempoError, match="disk full"):
        save_weights(built(), replace(PASSPORT, fold=4), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_refuses_the_weights_is_a_sentence(tmp_path):
    path = tmp_path / "a file" / "weights.safetensors"
    path.parent.write_text("no folder")
    with pytest.raises(SonotempoError, match=r"cannot be written \(.+\); solve that and repeat"):
        save_weights(built(), PASSPORT, path)
    assert not path.exists()


def test_no_pickle_is_ever_loaded():
    calls = re.compile(r"torch\.load\((?:[^()]|\([^()]*\))*\)")
    found = 0
    for path in SOURCES.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for call in calls.findall(text):
            found += 1
            assert "weights_only=True" in call, f"{path}: {call}"
        assert "weights_only=False" not in text, path
        assert "allow_pickle=True" not in text, path
        assert not re.search(r"^\s*(import|from) (pickle|joblib|dill)\b", text, re.M), path
        assert not re.search(r"yaml\.(load|unsafe_load|full_load)\(", text), path
    assert found


def test_a_description_of_a_huge_network_is_refused_before_it_is_built(tmp_path):
    path = tmp_path / "weights.safetensors"
    huge = TINY.model_copy(update={"channels": tuple(100_000 for _ in TINY.channels)})
    save_weights(built("frame"), replace(PASSPORT, arm="frame", model=huge), path)
    with pytest.raises(ConfigError, match=r"do not fit the network .* the file holds"):
        load_weights(path)
