"""YAML without aliases, in configs and in descriptions of recordings."""

import pytest
import yaml

from fakes.files import noise, write_clarius
from sonotempo.config_file import load_experiment
from sonotempo.errors import ConfigError, RecordingError
from sonotempo.io import open_recording
from sonotempo.plain_yaml import plain_yaml, plain_yaml_texts

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
)


@pytest.mark.parametrize("read", [plain_yaml, plain_yaml_texts])
@pytest.mark.parametrize("text", [BOMB, "a: &x [*x]", "a: &x {k: 1}\nb: {<<: *x}"])
def test_aliases_are_refused(read, text):
    with pytest.raises(yaml.YAMLError, match=r"aliases such as \*name are not supported"):
        read(text)


def test_a_text_of_megabytes_is_refused():
    with pytest.raises(ValueError, match="more than"):
        plain_yaml("a: 1\n" * 1_000_000)


@pytest.mark.parametrize("text", [BOMB, "a: " + "[" * 5000, "name: " + "9" * 5000, "name: \x00"])
def test_a_config_that_would_never_end_is_refused_in_a_short_sentence(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"mine\.yaml is not valid YAML") as caught:
        load_experiment(path)
    assert len(str(caught.value)) < 500


def test_what_was_given_is_shortened(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(f"name: mine\ntrain:\n  epochs: {'x' * 100_000}\n{'k' * 100_000}: 1\n")
    with pytest.raises(ConfigError) as caught:
        load_experiment(path)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("text", [BOMB, "lines: " + "[" * 5000])
def test_a_description_of_a_recording_is_refused(tmp_path, text):
    path = write_clarius(tmp_path / "a.raw", noise(2, 4, 9))
    path.with_suffix(".yml").write_text(text)
    with pytest.raises(RecordingError, match=r"a\.yml is not the description"):
        open_recording(path)
