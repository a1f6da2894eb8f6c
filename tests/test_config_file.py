from pathlib import Path

import pytest
import yaml

from sonotempo.arms import ARMS
from sonotempo.config import Experiment
from sonotempo.config_file import experiment_from, load_experiment
from sonotempo.errors import ConfigError

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ntrain:\n  epochs: 7\n", encoding="utf-8")
    return path


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as error:
        load_experiment(path, overrides)
    return str(error.value)


def test_a_file_overrides_the_defaults_and_key_value_pairs_override_the_file(config):
    experiment = load_experiment(
        config, ["train.batch_size=3", "arms=[frame]", "data.structures=[artery, vein]", "note="]
    )
    assert experiment.name == "mine"
    assert experiment.train.epochs == 7
    assert experiment.train.batch_size == 3
    assert experiment.arms == ("frame",)
    assert experiment.structures.names == ("artery", "vein")
    assert experiment.note == ""
    assert experiment.sequence == Experiment(name="x").sequence


def test_an_override_reaches_a_section_that_the_file_leaves_out(config):
    assert load_experiment(config, ["sequence.epochs=2"]).sequence.epochs == 2


@pytest.mark.parametrize("override", ["train.epoch=3", "train.epochz=3"])
def test_an_unknown_key_is_answered_with_the_nearest_one(config, override):
    key = override.partition("=")[0]
    assert refusal(config, override) == f"unknown key {key}; did you mean train.epochs?"


def test_an_unknown_key_in_the_file_is_answered_like_one_on_the_command_line(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("name: x\ntrain:\n  epoch: 3\n", encoding="utf-8")
    assert refusal(path) == f"{path}: unknown key train.epoch; did you mean train.epochs?"


@pytest.mark.parametrize("key", ["train", "data", "zzz", "train.epochs.more", ""])
def test_what_is_no_setting_cannot_be_set(config, key):
    assert refusal(config, f"{key}=3").startswith(f"unknown key {key}")


def test_every_wrong_value_is_named_with_its_key_and_what_was_given(config):
    said = refusal(config, "train.epochs=none", "folds.count=1")
    assert "train.epochs" in said
    assert "given: none" in said
    assert "folds.count" in said
    assert "given: 1" in said


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.epochs", "expected key=value"),
        ("train.epochs=[1", "not valid YAML"),
        ("arms=[sequence]", "uses the weights of arm 'frame'"),
        ("arms=[]", "at least one"),
        ("arms=[frame, frame]", "each arm once"),
        ("arms=[frame, transformer]", "unknown arm 'transformer'"),
        ("arms=[frame, sequence_reset]", "uses the weights of arm 'sequence'"),
        ("sequence.clip_frames=9", "not a multiple of backpropagation_frames 8"),
        ("augment.gamma=[2, 1]", "swap the two"),
        ("augment.gamma=[0, 1]", "greater than 0"),
        ("motion.pulse_hz=[3, 1]", "swap the two"),
        ("data.input_size=100", "multiple of 32"),
        ("data.input_size=0", "data.input_size"),
        ("name=a/b", "name"),
        ("name=..", "name"),
        ("seed=-1", "seed"),
        ("train.learning_rate=.nan", "train.learning_rate"),
        ("train.learning_rate=.inf", "train.learning_rate"),
        ("model.channels=[]", "model.channels"),
        ("model.channels=[8]", "model.channels"),
        ("model.channels=[8, 0]", "model.channels"),
        ("data.structures=axilary", "axillary"),
        ("data.structures=[]", "at least one structure"),
        ("data.structures=[vein, vein]", "twice"),
        ("data.structures=[vein, '']", "without a name"),
        ("engine=dask", "engine.kind"),
        ("engine.jobs=2", "engine.jobs is read by engine=local only"),
        ("engine.address=auto", "engine.address is read by engine=ray only"),
        ("engine.threads=2", "read by engine=local and engine=ray only"),
    ],
)
def test_settings_that_make_no_sense_are_refused_when_the_file_is_read(config, override, words):
    assert words in refusal(config, override)


def test_an_empty_path_means_no_path(config):
    experiment = load_experiment(config, ["data.root=", "data.frames_root="])
    assert experiment.data.root is None
    assert experiment.data.frames_root is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no settings"),
        ("- a\n- b\n", "has no settings"),
        ("train: [unclosed", "not valid YAML"),
        ("name: x\ntrain: 3\n", "train"),
        ("name: x\ntrain:\n", "train"),
        ("train:\n  epochs: 3\n", "name"),
        ("name: x\n1: 2\n", "1"),
    ],
)
def test_a_file_that_is_no_experiment_is_refused_by_name(tmp_path, text, words):
    path = tmp_path / "odd.yaml"
    path.write_text(text, encoding="utf-8")
    said = refusal(path)
    assert str(path) in said
    assert words in said


def test_an_override_into_a_section_that_is_none_says_so(tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text("name: x\ntrain: 3\n", encoding="utf-8")
    assert "expected 'key: value' lines" in refusal(path, "train.epochs=2")


def test_bytes_that_are_no_text_are_no_config(tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_bytes(b"\xff\xfe\x00\x80name")
    assert "not valid YAML" in refusal(path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    assert str(tmp_path / "no.yaml") in refusal(tmp_path / "no.yaml")


def test_what_is_written_is_read_back_the_same(config):
    experiment = load_experiment(config, ["data.area=[1, 2, 30, 40]", "data.root=somewhere"])
    plain = yaml.safe_load(yaml.safe_dump(experiment.model_dump(mode="json")))
    assert experiment_from(plain, "again") == experiment


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_is_an_experiment_with_a_shared_encoder(path):
    experiment = load_experiment(path)
    assert experiment.model.share_encoder == "frozen"
    assert set(experiment.arms) <= {arm.name for arm in ARMS}


@pytest.mark.parametrize(
    ("override", "read", "expected"),
    [
        ("data.root=/x/study #2", lambda e: e.data.root, Path("/x/study #2")),
        ("data.root=2024-01-31", lambda e: e.data.root, Path("2024-01-31")),
        ("data.root=[a] b", lambda e: e.data.root, Path("[a] b")),
        ("data.root=a: b", lambda e: e.data.root, Path("a: b")),
        ("data.root=~/study", lambda e: e.data.root, Path.home() / "study"),
        ("data.cache=~/cache", lambda e: e.data.cache, Path.home() / "cache"),
        ("name=2024", lambda e: e.name, "2024"),
        ("name=010", lambda e: e.name, "010"),
        ("note=yes", lambda e: e.note, "yes"),
        ("train.epochs=010", lambda e: e.train.epochs, 10),
        ("train.learning_rate=1e-3", lambda e: e.train.learning_rate, 1e-3),
        ("model.pretrained=yes", lambda e: e.model.pretrained, True),
        ("model.memory_channels=16", lambda e: e.model.memory_channels, 16),
        ("model.memory_channels=half", lambda e: e.model.memory_channels, "half"),
        ("evaluate.stress={}", lambda e: e.evaluate.stress is None, False),
        ("evaluate.stress=null", lambda e: e.evaluate.stress, None),
        ("evaluate.streaming_latency_ms=[40, 50]",
         lambda e: e.evaluate.streaming_latency_ms, (40.0, 50.0)),
        ("evaluate.streaming_latency_ms={frame: 40}",
         lambda e: e.evaluate.streaming_latency_ms, {"frame": 40.0}),
        ("data.structures=artery", lambda e: e.structures.names, ("artery",)),
        ("data.structures=[2024, 010]", lambda e: e.structures.names, ("2024", "010")),
        ("engine=local", lambda e: e.engine.kind, "local"),
        ("engine.kind=local", lambda e: e.engine.kind, "local"),
        ("train.initial_weights=~/w", lambda e: e.train.initial_weights, Path.home() / "w"),
    ],
)  # fmt: skip
def test_the_text_after_the_equals_sign_is_the_value(config, override, read, expected):
    assert read(load_experiment(config, [override])) == expected


def test_a_file_may_name_a_date_or_a_number(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: 2024\ndata: {root: 2024-01-31, input_size: 0256}\n", encoding="utf-8")
    experiment = load_experiment(path)
    assert (experiment.name, experiment.data.root) == ("2024", Path("2024-01-31"))
    assert experiment.data.input_size == 256


@pytest.mark.parametrize(
    "text", ["engine: ray", "engine: {kind: ray}", "engine: local", "engine: {address: auto}"]
)
@pytest.mark.parametrize("reverse", [False, True])
def test_the_short_form_of_an_engine_and_its_settings_go_together(tmp_path, text, reverse):
    path = tmp_path / "mine.yaml"
    path.write_text(f"name: mine\n{text}\n", encoding="utf-8")
    words = ["engine=ray", "engine.address=10.0.0.1:6379", "engine.jobs_per_gpu=3"]
    engine = load_experiment(path, words[::-1] if reverse else words).engine
    assert (engine.kind, engine.address, engine.jobs_per_gpu) == ("ray", "10.0.0.1:6379", 3)


def test_only_a_section_of_kinds_has_a_short_form(config):
    assert refusal(config, "train=3").startswith("unknown key train")
    assert refusal(config, "engine.kind.more=3").startswith("unknown key engine.kind.more")
