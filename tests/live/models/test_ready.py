import pytest

from fakes.onnx_models import write_model
from sonotempo.errors import ModelError
from sonotempo.live.models import ready as ready_models
from sonotempo.live.models.ready import defaults_for, model_path, models_for_source
from sonotempo.structures import AXILLARY, FEMORAL, NERVE_VESSEL


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """A folder of ready-made models in place of the package's."""

    def make(**files):
        for name, (arms, structures) in files.items():
            path = tmp_path / f"{name.replace('_', '-')}.onnx"
            write_model(path, arms=arms, structures=structures, origin="simulation")
        return found()

    listed = ready_models.ready_models.__wrapped__

    def found():
        return listed(tmp_path)

    monkeypatch.setattr(ready_models, "ready_models", found)
    return make


def test_they_are_listed_by_name_and_say_what_they_were_trained_on(packaged):
    models = packaged(axillary_frame=(("frame",), AXILLARY), femoral_frame=(("frame",), FEMORAL))
    assert [model.name for model in models] == ["axillary-frame", "femoral-frame"]
    assert models[0].title == "axillary-frame (trained on simulation)"
    assert models[1].title == "femoral-frame (trained on simulation)"
    assert models[0].card.structures == AXILLARY


def test_a_pair_is_chosen_before_two_models_because_its_encoder_runs_once(packaged):
    models = packaged(
        frame=(("frame",), AXILLARY),
        pair=(("frame", "sequence"), AXILLARY),
        sequence=(("sequence",), AXILLARY),
    )
    assert [model.name for model in defaults_for("axillary", models)] == ["pair"]


def test_without_a_pair_a_frame_and_a_sequence_model_are_compared(packaged):
    models = packaged(a_sequence=(("sequence",), AXILLARY), b_frame=(("frame",), AXILLARY))
    assert [model.name for model in defaults_for("axillary", models)] == ["b-frame", "a-sequence"]


def test_a_simulated_source_gets_models_of_its_own_structures(packaged):
    packaged(axillary=(("frame",), AXILLARY), femoral=(("frame",), FEMORAL))
    assert [path.stem for path in models_for_source("phantom://femoral?seed=3")] == ["femoral"]
    assert [path.stem for path in models_for_source("phantom://axillary")] == ["axillary"]


@pytest.mark.parametrize("source", ["clarius://10.0.0.1", "scan.mp4", "axillary"])
def test_a_real_source_gets_models_that_have_seen_real_tissue(packaged, source):
    packaged(axillary=(("frame",), AXILLARY), real=(("frame",), NERVE_VESSEL))
    assert [path.stem for path in models_for_source(source)] == ["real"]


def test_without_any_the_remedy_is_told(packaged):
    packaged()
    with pytest.raises(ModelError, match="export your own"):
        models_for_source("phantom://axillary")


def test_a_name_or_a_path_is_a_model(packaged, tmp_path):
    packaged(pair=(("frame", "sequence"), AXILLARY))
    assert model_path("pair") == tmp_path / "pair.onnx"
    assert model_path(str(tmp_path / "pair.onnx")) == tmp_path / "pair.onnx"
    with pytest.raises(ModelError, match="did you mean 'pair'"):
        model_path("pare")
    with pytest.raises(ModelError, match=r"no model at gone\.onnx"):
        model_path("gone.onnx")
