import pytest

from fakes.experiments import tiny_experiment
from sonotempo.errors import ConfigError, SonotempoError
from sonotempo.training.preview_experiment import preview_experiment


def test_the_same_seed_draws_the_same_picture_of_at_most_what_there_is(shapes, tmp_path):
    experiment = tiny_experiment(shapes, tmp_path / "cache")
    one, other = tmp_path / "a" / "one.png", tmp_path / "other.png"
    preview_experiment(experiment, one, examples=1)
    preview_experiment(experiment, other, examples=1)
    assert one.read_bytes().startswith(b"\x89PNG")
    assert one.read_bytes() == other.read_bytes()


def test_a_picture_that_cannot_be_written_is_a_sentence(shapes, tmp_path):
    experiment = tiny_experiment(shapes, tmp_path / "cache")
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(SonotempoError, match=r"cannot be created .*--out"):
        preview_experiment(experiment, tmp_path / "file" / "preview.png", examples=99)


def test_without_data_there_is_no_picture(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.root"):
        preview_experiment(tiny_experiment(), tmp_path / "preview.png", examples=1)
