import numpy as np
import pytest
from typer.testing import CliRunner

from fakes.moving import scene, steady
from fakes.onnx_models import write_model
from sonotempo import cli
from sonotempo.io import open_dataset
from sonotempo.io.writers import write_sequence
from sonotempo.structures import AXILLARY, NERVE_VESSEL


@pytest.fixture
def sparse(tmp_path):
    frames, truth = scene(steady(5), labels=(1, 2))
    write_sequence(
        tmp_path / "sparse" / "anna" / "one",
        "f",
        frames,
        [truth[0], None, None, None, None],
        spacing_mm=None,
        timestamps_ns=np.arange(5) * 40_000_000,
    )
    return tmp_path / "sparse"


def call(*arguments):
    return CliRunner().invoke(cli.app, ["data", "propagate", *map(str, arguments)])


def test_it_names_what_it_made_and_that_it_is_no_truth(sparse, tmp_path):
    result = call(sparse, tmp_path / "dense")
    assert result.exit_code == 0, result.output
    assert "anna/one: 1 kept, 4 propagated, 0 without a mask" in result.output
    assert "They are no truth until somebody has accepted them" in result.output
    (made,) = open_dataset(tmp_path / "dense", NERVE_VESSEL).recordings
    assert len(made.labelled) == 5
    again = call(sparse, tmp_path / "dense")
    assert "anna/one: was there, stays as it is" in again.output


def test_frames_direction_and_a_model(sparse, tmp_path):
    write_model(tmp_path / "frame.onnx")
    given = ("--frames", 2, "--direction", "forward", "--model", tmp_path / "frame.onnx")
    result = call(sparse, tmp_path / "dense", *given)
    assert result.exit_code == 0, result.output
    assert "1 kept, 2 propagated, 2 without a mask" in result.output


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("--direction", "foward"), "did you mean 'forward'"),
        (("--layout", "still"), "did you mean 'stills'"),
        (("--model", "no.onnx"), "no model at no.onnx"),
        (("--structures", "nerve"), "one: left out: the mask of frame 0"),
    ],
)
def test_mistakes_are_sentences(sparse, tmp_path, given, sentence):
    result = call(sparse, tmp_path / "dense", *given)
    assert sentence in (str(result.exception) + result.output).replace("\n", " ")


def test_a_model_of_other_structures_is_refused(sparse, tmp_path):
    write_model(tmp_path / "frame.onnx", structures=AXILLARY)
    result = call(sparse, tmp_path / "dense", "--model", tmp_path / "frame.onnx")
    assert "but the labels are nerve, vessel" in str(result.exception)
    assert not (tmp_path / "dense").exists()
