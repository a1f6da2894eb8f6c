"""The engine for CUDA graphs, on the CPU: the same buffers and bindings, without a capture."""

import numpy as np
import onnxruntime
import pytest

from fakes.onnx_models import write_model
from sonotempo.errors import ModelError
from sonotempo.live.models import engines
from sonotempo.live.models.card import read_card
from sonotempo.live.models.cuda_engine import CudaEngine
from sonotempo.live.models.engines import open_engine
from sonotempo.live.models.external import card_of
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.live.models.onnxruntime_engine import OnnxRuntimeEngine
from sonotempo.recording import Frame
from sonotempo.structures import NERVE_VESSEL


class OnCpu(CudaEngine):
    device = "cpu"
    provider = "CPUExecutionProvider"

    def _provider(self):
        return self.provider

    def _fetched(self, value):
        return value.numpy().copy()  # on a CPU it is the buffer itself


class OnCpuWithoutGraphs(OnCpu):
    """As on a GPU that cannot capture the model."""

    def __init__(self, path, card, *, graph):
        if graph:
            raise ModelError("not all nodes are on the GPU")
        super().__init__(path, card, graph=False)


class CopiesWhenBound(OnCpu):
    """As where the image and the state are read on another device than they are kept on."""

    def _opened(self, path):
        session = super()._opened(path)
        make = session.io_binding

        def io_binding():
            binding = make()
            bind = binding.bind_ortvalue_input

            def bind_copy(name, value):
                bind(name, onnxruntime.OrtValue.ortvalue_from_numpy(value.numpy().copy()))

            binding.bind_ortvalue_input = bind_copy
            return binding

        session.io_binding = io_binding
        return session


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


def images(count):
    return np.random.default_rng(0).random((count, 1, 1, 32, 32)).astype(np.float32)


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("arms", [("frame",), ("sequence",), ("frame", "sequence")])
def test_scores_and_labels_are_those_of_the_cpu_engine_also_after_a_reset(path, arms, graph):
    write_model(path, arms=arms)
    card = read_card(path)
    mine, theirs = OnCpu(path, card, graph=graph), OnnxRuntimeEngine(path, card, 1)
    for number, image in enumerate(images(9)):
        if number == 5:
            mine.reset()
            theirs.reset()
        if number % 2:
            for a, b in zip(mine.step(image), theirs.step(image), strict=True):
                np.testing.assert_allclose(a, b, atol=1e-6)
            continue
        for a, b in zip(mine.labels(image), theirs.labels(image), strict=True):
            assert a.mask_SS.shape == a.probability_SS.shape == (32, 32)
            np.testing.assert_array_equal(a.mask_SS, b.mask_SS)
            np.testing.assert_allclose(a.probability_SS, b.probability_SS, atol=1e-6)
    mine.close()


@pytest.mark.parametrize("arms", [("frame",), ("sequence",)])
def test_every_image_and_state_is_seen_also_where_binding_copies_them(path, arms):
    write_model(path, arms=arms)
    card = read_card(path)
    mine = CopiesWhenBound(path, card, graph=False)
    theirs = OnnxRuntimeEngine(path, card, 1)
    for image in images(4):
        for a, b in zip(mine.step(image), theirs.step(image), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_labels_of_one_frame_do_not_change_with_the_next(path):
    write_model(path)
    engine = OnCpu(path, read_card(path), graph=True)
    (first,) = engine.labels(np.ones((1, 1, 32, 32), np.float32))
    engine.labels(np.zeros((1, 1, 32, 32), np.float32))
    assert (first.mask_SS == 2).all()


def test_a_file_of_logits_is_labelled_on_the_host(path):
    write_model(path, card=False, probabilities=False)
    card = card_of(path, NERVE_VESSEL)
    assert card.members[0].is_logits
    mine, theirs = OnCpu(path, card, graph=True), OnnxRuntimeEngine(path, card, 1)
    for image in images(3):
        for a, b in zip(mine.labels(image), theirs.labels(image), strict=True):
            np.testing.assert_array_equal(a.mask_SS, b.mask_SS)


def test_a_predictor_runs_on_it_and_along_the_motion(path, monkeypatch):
    write_model(path)
    frame = Frame(np.full((40, 48), 250, np.uint8), 0, 0, None)
    monkeypatch.setattr(engines, "has_cuda", lambda: True)
    monkeypatch.setattr(engines, "CudaEngine", OnCpu)
    for along_motion in (False, True):
        with OnnxPredictor(path, "cuda", along_motion=along_motion) as predictor:
            assert "CUDA GPU, replayed as a graph" in predictor.engine
            for prediction in predictor.step(frame):
                assert (prediction.mask_HW == 2).all()


def test_what_cannot_be_captured_runs_as_before_and_says_so(path, monkeypatch):
    write_model(path)

    monkeypatch.setattr(engines, "has_cuda", lambda: True)
    monkeypatch.setattr(engines, "CudaEngine", OnCpuWithoutGraphs)
    engine = open_engine(path, read_card(path), "cuda")
    assert "CUDA GPU, without a graph, fp32" in engine.description
    for image in images(2):
        assert engine.labels(image)


def test_a_file_that_fails_is_named(path):
    write_model(path)
    card = read_card(path)
    path.write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"cannot capture .*model\.onnx on cuda"):
        OnCpu(path, card, graph=True)
