from shutil import copytree

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from fakes.experiments import Told
from sonotempo.calibration import Reliability
from sonotempo.errors import ConfigError, ModelError, RecordingError
from sonotempo.evaluation.scoring.provenance import FACTS_FILE
from sonotempo.export import checks, job, parity
from sonotempo.export.graph import export_graph
from sonotempo.export.job import export_model
from sonotempo.export.parity import require_same_logits, streamed_scores
from sonotempo.live.models.card import read_card
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.training.weights import load_weights


@pytest.fixture
def out(tmp_path):
    return tmp_path / "there" / "model.onnx"


_GRAPHS = {}


def graph_once(models, structures, input_size, path):
    """Export a network as the exporter does, which takes seconds, but the same network once."""
    key = tuple(
        (arm, sum(float(w.detach().sum()) for w in m.parameters())) for arm, m in models.items()
    )
    if key not in _GRAPHS:
        card = export_graph(models, structures, input_size, path)
        _GRAPHS[key] = card, path.read_bytes()
    card, content = _GRAPHS[key]
    path.write_bytes(content)
    return card


@pytest.fixture(autouse=True)
def few_frames(monkeypatch):
    monkeypatch.setattr(job, "export_graph", graph_once)
    monkeypatch.setattr(job, "CALIBRATION_FRAMES", 8)
    monkeypatch.setattr(job, "CALIBRATION_CLIP", 4)
    monkeypatch.setattr(checks, "DRIFT_FRAMES", 130)
    monkeypatch.setattr(parity, "DRIFT_FRAMES", 130)


def exported(run, out, **how):
    with Told() as progress:
        card = export_model(run, out, progress, **how)
    return card, progress.text


def test_an_arm_of_a_run_becomes_a_file_that_says_where_it_comes_from(finished_run, out):
    card, said = exported(finished_run.folder, out, arms=["sequence"])
    assert read_card(out) == card
    assert (card.run, card.fold, card.arms, card.precision) == ("tiny", 0, ("sequence",), "fp32")
    assert card.structures == finished_run.experiment.structures
    assert "recordings of run tiny" in card.trained_on
    assert len(card.states) == 2
    assert "equal torch's on the clip" in card.checks[0]
    assert card.checks[0] in said
    assert [path.name for path in out.parent.iterdir()] == ["model.onnx"]


def test_a_weights_file_by_itself_is_exported_too(finished_run, out, tmp_path):
    alone = tmp_path / "weights.safetensors"
    alone.write_bytes(finished_run.weights("frame").read_bytes())
    card, _ = exported(alone, out)
    assert (card.arms, card.fold, card.run, card.stateful) == (("frame",), 0, "", False)
    with pytest.raises(ConfigError, match="give the run folder"):
        exported(alone, out, precision="int8")


def test_8_bits_are_calibrated_checked_and_run(finished_run, out):
    card, said = exported(finished_run.folder, out, pair=True, precision="int8", accept_loss=True)
    assert card.arms == ("frame", "sequence")
    assert card.precision == "int8"
    assert "Dice on" in card.checks[1]
    assert "expected calibration error" in card.checks[2]
    assert "after 130 frames" in card.checks[3]
    assert "validation frames, int8" in said
    with OnnxPredictor(out, threads=1) as predictor:
        assert predictor.engine.endswith("int8")


def test_half_precision_runs_on_the_same_inputs(finished_run, out):
    card, _ = exported(finished_run.folder, out, arms=["sequence"], precision="fp16")
    assert card.precision == "fp16"
    full, _ = exported(finished_run.folder, out.with_name("full.onnx"), arms=["sequence"])
    assert out.stat().st_size < out.with_name("full.onnx").stat().st_size
    assert card.states == full.states


def test_a_model_that_loses_dice_is_refused_unless_told(finished_run, out, monkeypatch):
    given = iter([(np.full((1, 2), dice), [Reliability(2)]) for dice in (0.88, 0.9)] * 2)
    monkeypatch.setattr(checks, "streamed_scores", lambda *_: next(given))
    with pytest.raises(ModelError, match=r"costs \+0.0200 Dice .*--accept-loss"):
        exported(finished_run.folder, out, precision="int8")
    assert not out.exists()
    assert list(out.parent.iterdir()) == []
    card, _ = exported(finished_run.folder, out, precision="int8", accept_loss=True)
    assert "+0.0200" in card.checks[1]


def test_a_model_that_drifts_is_refused(finished_run, out, monkeypatch):
    monkeypatch.setattr(checks, "drift", lambda *_: (0.001, 0.2))
    with pytest.raises(ModelError, match="int8 drifts"):
        exported(finished_run.folder, out, precision="int8", accept_loss=True)
    assert not out.exists()


def test_a_graph_with_other_weights_than_torchs_is_refused(finished_run, out):
    exported(finished_run.folder, out)
    model, _ = load_weights(finished_run.weights("frame"))
    with torch.no_grad():
        model.head.bias[1] += 1e-3
    clip = np.random.default_rng(0).random((3, 1, 1, 32, 32), np.float32)
    with pytest.raises(ModelError, match=r"differs from torch's by up to 1\.0e-03"):
        require_same_logits(out, read_card(out), [model], clip)


def test_a_pair_that_does_not_share_its_encoder_is_refused(finished_run, out, tmp_path):
    run = copytree(finished_run.folder, tmp_path / "run")
    weights = run / "sequence" / "fold-00" / "weights.safetensors"
    with safe_open(str(weights), "pt") as file:
        about = file.metadata()
    tensors = load_file(weights)
    name = next(k for k in tensors if k.startswith("encoder.") and k.endswith("weight"))
    tensors[name] += 0.1
    save_file(tensors, weights, metadata=about)
    (weights.parent / FACTS_FILE).unlink()  # it holds the sum of the weights as they were trained
    with pytest.raises(ModelError, match="do not share their encoder: 1 of"):
        exported(run, out, pair=True)


def test_what_cannot_be_asked_for_is_named(finished_run, out):
    for how, said in (
        ({"precision": "int4"}, "unknown precision 'int4'"),
        ({"arms": ["sequnce"]}, "did you mean 'sequence'"),
        ({"fold": 7}, "no weights of arm 'frame' in fold 7; it has fold-00, fold-01"),
        ({"arms": ["frame", "sequence"]}, "add --pair"),
        ({"arms": ["frame"], "pair": True}, "give --arm twice"),
    ):
        with pytest.raises(ConfigError, match=said):
            exported(finished_run.folder, out, **how)
    with pytest.raises(ConfigError, match=r"does not end in \.onnx"):
        exported(finished_run.folder, out.with_suffix(".bin"))
    with pytest.raises(ConfigError, match="holds the arm 'frame', not 'sequence'"):
        exported(finished_run.weights("frame"), out, arms=["sequence"])
    with pytest.raises(ConfigError, match="give the run folder instead"):
        exported(finished_run.weights("frame"), out, pair=True)
    with pytest.raises(ConfigError, match="not a run folder"):
        exported(out.parent.parent, out)


def test_without_the_recordings_single_precision_is_checked_on_noise(
    finished_run, out, monkeypatch
):
    def gone(*_):
        raise RecordingError("nothing there")

    monkeypatch.setattr(job, "open_cohort", gone)
    _, said = exported(finished_run.folder, out)
    assert "checked on noise instead" in said
    with pytest.raises(RecordingError, match="fp16 and int8 need the run's recordings"):
        exported(finished_run.folder, out, precision="fp16")


def test_dice_of_a_file_is_that_of_its_masks(finished_run, out):
    exported(finished_run.folder, out)
    experiment = finished_run.experiment
    with Told() as progress:
        cohort = job.open_cohort(experiment, progress)
    recordings = [r.as_recording(experiment.structures) for r in cohort.recordings[:1]]
    counted = []
    dice, (reliability,) = streamed_scores(out, recordings, lambda: counted.append(1))
    assert dice.shape == (1, 2)
    assert counted == [1]
    with OnnxPredictor(out) as predictor:
        masks = np.stack([predictor.step(frame)[0].mask_HW for frame in recordings[0]])
    references = np.stack([recordings[0].mask(i) for i in recordings[0].labelled])
    for label in (1, 2):
        both = ((masks == label) & (references == label)).sum()
        either = (masks == label).sum() + (references == label).sum()
        np.testing.assert_allclose(dice[0, label - 1], 2 * both / either)
        predicted = int((masks == label).sum())
        assert reliability.predicted_KB[label - 1].sum() == predicted
        assert reliability.right_KB[label - 1].sum() == both


def test_a_file_holds_the_temperatures_of_its_validation_frames(finished_run, out):
    card, said = exported(finished_run.folder, out, pair=True)
    assert all(len(member.temperatures) == 2 for member in card.members)
    assert "expected calibration error on" in said
    assert any("expected calibration error" in check for check in read_card(out).checks)
    assert read_card(out).members == card.members
