"""An exported model whose confidence is fitted to other recordings."""

import numpy as np
import pytest

from fakes.experiments import Told
from fakes.shapes import write_shapes
from sonotempo.errors import ConfigError, ModelError
from sonotempo.export.job import export_model
from sonotempo.export.recalibrate import recalibrate
from sonotempo.live.models.card import read_card
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.recording import Frame


@pytest.fixture(scope="module")
def model(finished_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.onnx"
    with Told() as progress:
        export_model(finished_run.folder, path, progress)
    return path


@pytest.fixture
def data(tmp_path):
    write_shapes(tmp_path / "data", 3, 6, 32, seed=9)
    return tmp_path / "data"


def test_only_temperatures_and_what_is_said_of_them_change(model, data, tmp_path):
    out = tmp_path / "there" / "calibrated.onnx"
    with Told() as progress:
        card = recalibrate(model, data, out, tmp_path / "cache", progress)
    before, after = read_card(model), read_card(out)
    assert after == card
    assert len(after.members[0].temperatures) == len(after.structures)
    said = [check for check in after.checks if "calibration error" in check]
    assert len(said) == 1
    assert said[0].endswith("of data")
    assert "18 frames" in said[0]
    assert [c for c in after.checks if c not in said] == [
        c for c in before.checks if "calibration error" not in c
    ]
    frame = Frame(np.random.default_rng(0).integers(256, size=(40, 40), dtype=np.uint8), 0, 0, None)
    with OnnxPredictor(model) as ours, OnnxPredictor(out) as theirs:
        (mine,), (same,) = ours.step(frame), theirs.step(frame)
    assert np.array_equal(mine.mask_HW, same.mask_HW)
    assert np.array_equal(mine.confidence_HW, same.confidence_HW)


def test_a_model_is_calibrated_in_place(model, data, tmp_path):
    own = tmp_path / "own.onnx"
    own.write_bytes(model.read_bytes())
    with Told() as progress:
        card = recalibrate(own, data, own, tmp_path / "cache", progress)
    assert read_card(own) == card
    assert sorted(path.name for path in tmp_path.glob("*.onnx")) == ["own.onnx"]


def test_bad_input_is_a_sentence(model, data, tmp_path):
    with Told() as progress:
        with pytest.raises(ConfigError, match=r"does not end in \.onnx"):
            recalibrate(model, data, tmp_path / "model.txt", tmp_path / "cache", progress)
        with pytest.raises(ModelError, match="no model at"):
            recalibrate(tmp_path / "no.onnx", data, tmp_path / "o.onnx", tmp_path, progress)
