import subprocess
import sys

import numpy as np
import pytest

from fakes.onnx_models import KEEP, write_model
from sonotempo.errors import ConfigError, ModelError
from sonotempo.live.models import engines
from sonotempo.live.models.card import read_card
from sonotempo.live.models.cuda_engine import CudaEngine
from sonotempo.live.models.engines import open_engine
from sonotempo.live.models.labels import label_map
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.live.models.openvino_engine import has_openvino
from sonotempo.recording import Box, Frame
from sonotempo.structures import NERVE_VESSEL

ENGINES = ["onnxruntime", *(["openvino"] if has_openvino() else [])]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


def grey(value, shape_HW=(40, 48), **more):
    return Frame(np.full(shape_HW, value, np.uint8), 0, 0, more.pop("spacing", None), **more)


def band(value):
    """What the fake calls a pixel of this brightness: background, structure 1 or 2."""
    return min(2, int(value / 255 * 3))


def test_a_mask_has_the_frames_own_shape(path, engine):
    write_model(path)
    with OnnxPredictor(path, engine, threads=1) as predictor:
        for value in (10, 128, 250):
            (prediction,) = predictor.step(grey(value))
            assert prediction.mask_HW.shape == prediction.confidence_HW.shape == (40, 48)
            assert prediction.mask_HW.dtype == np.uint8
            assert prediction.confidence_HW.dtype == np.float32
            seen = np.arange(40) < 40  # wider than high: nothing is cropped
            assert (prediction.mask_HW[seen] == band(value)).all()
            assert prediction.model == "frame"
        assert not predictor.stateful


def test_rows_that_are_cropped_come_back_as_background(path, engine):
    write_model(path)
    with OnnxPredictor(path, engine, threads=1) as predictor:
        (prediction,) = predictor.step(grey(250, (80, 40)))
    assert (prediction.mask_HW[:38] == 2).all()
    assert (prediction.mask_HW[42:] == 0).all()


def test_the_state_is_carried_and_forgotten_by_reset(path, engine):
    write_model(path, arms=("sequence",))
    values = [250, 250, 0, 128, 128, 255, 0]
    with OnnxPredictor(path, engine, threads=1) as predictor:
        assert predictor.stateful
        for _ in range(2):
            mean = 0.0
            for age, value in enumerate(values, 1):
                mean = KEEP * mean + (1 - KEEP) * value
                (prediction,) = predictor.step(grey(value))
                assert prediction.state_age == age
                assert prediction.mask_HW[0, 0] == band(mean), (age, mean)
            predictor.reset()


def test_a_pair_returns_both_arms_for_the_same_frame(path, engine):
    write_model(path, arms=("frame", "sequence"))
    with OnnxPredictor(path, engine, threads=1) as predictor:
        frame = grey(250)
        ours, theirs = predictor.step(frame)
        assert (ours.model, theirs.model) == ("frame", "sequence")
        assert ours.frame is theirs.frame is frame
        assert (ours.mask_HW[0, 0], theirs.mask_HW[0, 0]) == (2, 1)


def test_the_prediction_on_the_grid_leads_to_the_same_mask(path, engine):
    write_model(path, arms=("frame", "sequence"))
    random = np.random.default_rng(0)
    frames = [
        Frame(random.integers(0, 256, (50, 60), np.uint8), i, 0, (0.2, 0.3)) for i in range(4)
    ]
    with OnnxPredictor(path, engine, threads=1) as a, OnnxPredictor(path, engine, threads=1) as b:
        for frame in frames:
            for whole, grid in zip(a.step(frame), b.step_on_grid(frame), strict=True):
                assert grid.mask_SS.shape == (32, 32)
                np.testing.assert_array_equal(grid.mask_HW(), whole.mask_HW)
                assert (grid.state_age, grid.model) == (whole.state_age, whole.model)


def test_predictions_do_not_change_when_the_next_frame_comes(path, engine):
    write_model(path)
    with OnnxPredictor(path, engine, threads=1) as predictor:
        (first,) = predictor.step_on_grid(grey(250))
        predictor.step_on_grid(grey(0))
    assert (first.mask_SS[:20] == 2).all()


def test_the_area_of_the_card_serves_frames_that_name_none(path, engine):
    write_model(path, area=Box(0, 10, 20, 30))
    with OnnxPredictor(path, engine, threads=1) as predictor:
        (prediction,) = predictor.step(grey(250))
        assert (prediction.mask_HW[:20, 10:30] == 2).all()
        assert prediction.mask_HW.astype(bool).sum() == 400
        (named,) = predictor.step(grey(250, area=Box(0, 0, 5, 5)))
        assert named.mask_HW.astype(bool).sum() == 25


def test_every_engine_gives_the_same_probabilities(path):
    write_model(path, arms=("frame", "sequence"))
    random = np.random.default_rng(1)
    images = random.random((5, 1, 1, 32, 32)).astype(np.float32)
    given = []
    for name in ENGINES:
        opened = open_engine(path, read_card(path), name, threads=1)
        given.append([[s.copy() for s in opened.step(image)] for image in images])
        opened.close()
    for other in given[1:]:
        np.testing.assert_allclose(np.array(given[0]), np.array(other), atol=1e-5)


def test_the_engine_that_runs_is_said(path, engine):
    write_model(path)
    with OnnxPredictor(path, engine, threads=1) as predictor:
        words = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}[engine]
        assert predictor.engine.startswith(words)
        assert predictor.engine.endswith("CPU (1 thread), fp32")


def test_a_gpu_that_is_not_there_is_refused_and_never_chosen(path, monkeypatch):
    write_model(path)
    monkeypatch.setattr(engines, "has_cuda", lambda: False)
    with pytest.raises(ModelError, match="no CUDA GPU can be used here"):
        OnnxPredictor(path, "cuda")
    with OnnxPredictor(path, threads=1) as predictor:
        assert "CUDA" not in predictor.engine


def test_a_silent_fall_back_to_the_cpu_is_noticed(path):
    card = write_model(path)
    if engines.has_cuda():
        pytest.skip("this machine's GPU works")
    for graph in (True, False):
        with pytest.raises(ModelError, match="CUDA"):
            CudaEngine(path, card, graph=graph)


def test_without_openvino_onnx_runtime_serves(path, monkeypatch):
    write_model(path)
    monkeypatch.setattr(engines, "has_cuda", lambda: False)
    monkeypatch.setattr(engines, "has_openvino", lambda: False)
    with OnnxPredictor(path, threads=1) as predictor:
        assert predictor.engine.startswith("ONNX Runtime")
    with pytest.raises(ModelError, match="pip install openvino"):
        OnnxPredictor(path, "openvino")


def test_an_unknown_engine_is_refused_with_the_nearest_name(path):
    write_model(path)
    with pytest.raises(ConfigError, match="did you mean 'openvino'"):
        OnnxPredictor(path, "opnvino")
    with pytest.raises(ConfigError, match="0 threads"):
        OnnxPredictor(path, threads=0)


@pytest.mark.parametrize("probabilities", [True, False])
def test_a_external_file_segments_with_stated_structures(path, engine, probabilities):
    write_model(path, card=False, probabilities=probabilities)
    with OnnxPredictor(path, engine, threads=1, structures=NERVE_VESSEL) as predictor:
        (prediction,) = predictor.step(grey(250))
    assert prediction.mask_HW[0, 0] == 2
    assert 0.5 < prediction.confidence_HW[0, 0] <= 1
    assert prediction.model == "model"


def test_times_of_the_last_step_are_told(path, engine):
    write_model(path)
    with OnnxPredictor(path, engine, threads=1) as predictor:
        predictor.step_on_grid(grey(0))
        assert predictor.preprocess_ns > 0
        assert predictor.inference_ns > 0


def test_labels_are_those_of_argmax_also_for_equal_scores():
    random = np.random.default_rng(0)
    scores = random.integers(0, 3, (5, 16, 16)).astype(np.float32)  # many are equal
    label, best = label_map(scores)
    np.testing.assert_array_equal(label, scores.argmax(0))
    np.testing.assert_array_equal(best, scores.max(0))


def test_the_predictor_never_imports_torch():
    code = "import sys, sonotempo.live.models.onnx_predictor; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not has_openvino(), reason="OpenVINO is not installed")
def test_nothing_reports_over_the_network_that_a_model_runs(path):
    write_model(path)
    code = (
        "import sys, threading\n"
        "from sonotempo.live.models.onnx_predictor import OnnxPredictor\n"
        f"OnnxPredictor({str(path)!r}, 'openvino').close()\n"
        "assert sys.modules['openvino_telemetry'] is None\n"
        "print([thread.name for thread in threading.enumerate()])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "['MainThread']"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_is_no_mask(path, engine, value, monkeypatch):
    write_model(path)
    with OnnxPredictor(path, engine, threads=1) as predictor:
        scores = predictor._engine.step(np.zeros((1, 1, 32, 32), np.float32))
        scores[0][0, 1, 5, 5] = value
        monkeypatch.setattr(predictor._engine, "step", lambda *_: scores)
        if value == -np.inf:
            assert predictor.step(grey(250))
            return
        with pytest.raises(ModelError, match="'frame' gave values that are not finite in frame 0"):
            predictor.step(grey(250))
