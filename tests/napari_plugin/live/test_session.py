"""What a run opens, refuses and closes."""

import os
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from fakes.clarius import is_running, wait_until
from fakes.onnx_models import write_model
from fakes.recordings import make_recording
from fakes.streams import HandSource
from napari_sonotempo.live.session import LiveRequest, LiveSession
from sonotempo.errors import ModelError, PipelineError, SourceError
from sonotempo.live.sources.playback import PlaybackSource
from sonotempo.structures import AXILLARY, FEMORAL


@pytest.fixture
def models(tmp_path):
    def make(*arms, **more):
        path = tmp_path / f"{'-'.join(arms)}-{len(list(tmp_path.iterdir()))}.onnx"
        write_model(path, arms=arms, **more)
        return path

    return make


def opened(request):
    """A session with its models."""
    session = LiveSession(request)
    session.open_models()
    return session


def request_for(source, *models):
    return LiveRequest("test", lambda: source, models, engine="onnxruntime", threads=1)


def test_two_models_see_the_same_frames(models, tmp_path):
    source = PlaybackSource(make_recording(tmp_path / "r", 20))
    session = opened(request_for(source, models("frame"), models("sequence")))
    try:
        assert session.names == ("frame", "sequence")
        assert session.predictor_of == (0, 1)
        wait_until(lambda: (one := session.pipeline.newest()) and one.predictions, "masks")
        result = session.pipeline.newest()
        assert [made.model for made in result.predictions] == ["frame", "sequence"]
        # The recording waits for its models: its first frame has masks too.
        first = session.pipeline.history.get(session.pipeline.history.numbers()[0])
        assert first.frame.timestamp_ns == source.recording.timestamps_ns[0]
    finally:
        session.close()


def test_a_core_is_left_to_the_window_unless_threads_are_given(models, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    for threads, words in ((None, "CPU (2 threads)"), (3, "CPU (3 threads)")):
        request = replace(request_for(HandSource(), models("frame")), threads=threads)
        session = opened(request)
        (predictor,) = session.predictors
        session.close()
        assert words in predictor.engine


def test_a_pair_gives_both_sides(models, tmp_path):
    source = PlaybackSource(make_recording(tmp_path / "r", 20), rate=4)
    session = LiveSession(request_for(source, models("frame", "sequence")))
    session.close()
    assert session.names == ("frame", "sequence")
    assert session.predictor_of == (0, 0)


def test_two_frame_models_are_told_apart_by_their_names(models):
    session = LiveSession(
        request_for(HandSource(), models("frame", name="mine"), models("frame", name="yours"))
    )
    session.close()
    assert session.names == ("mine", "yours")


def test_models_of_other_structures_are_refused_and_the_labels_named(models):
    axillary = models("frame", structures=AXILLARY, name="arm")
    femoral = models("frame", structures=FEMORAL, name="leg")
    with pytest.raises(ModelError, match=r"'arm', and model B, 'leg'.*label 3") as error:
        LiveSession(request_for(HandSource(), axillary, femoral))
    assert "musculocutaneous nerve in A, femoral nerve in B" in str(error.value)
    assert "nothing in B" in str(error.value)


def test_a_pair_beside_another_model_is_refused(models):
    with pytest.raises(ModelError, match="3 models are chosen, but only two can be shown"):
        LiveSession(request_for(HandSource(), models("frame", "sequence"), models("frame")))


def test_nothing_is_left_if_the_source_cannot_start(models):
    class Refusing(HandSource):
        def start(self, buffer):
            raise SourceError("no probe at 10.0.0.1")

    before = set(threading.enumerate())
    with pytest.raises(SourceError, match="no probe"):
        LiveSession(request_for(Refusing(), models("frame")))
    wait_until(lambda: set(threading.enumerate()) <= before, "the threads to end")


def test_a_hanging_source_is_named_and_the_memory_given_back(models, monkeypatch):
    monkeypatch.setattr("sonotempo.live.pipeline._STOP_S", 0.2)
    source = HandSource()
    session = LiveSession(request_for(source, models("frame")))
    source.hang.set()
    with pytest.raises(PipelineError, match="the source did not end"):
        session.close()
    with pytest.raises(SourceError, match="closed"):
        session.buffer.reader()
    source.released.set()


def test_held_frames_come_with_their_masks_or_say_that_there_are_none(models):
    source = HandSource()
    session = opened(request_for(source, models("frame")))
    try:
        for number in range(3):
            source.write(np.full((32, 32), 200, np.uint8), ms=40 * number)
        wait_until(lambda: session.pipeline.history.status(2) == "segmented", "frame 2")
        held = session.hold(2)
        assert [result.frame.index for result in held] == [0, 1, 2]
        segmented = session.pipeline.history.numbers()
        for result in held:
            assert bool(result.predictions) == (result.frame.index in segmented)
    finally:
        session.close()


def test_frames_older_than_ten_seconds_are_not_held(models):
    source = HandSource()
    session = LiveSession(request_for(source, models("frame")))
    try:
        image_HW = np.zeros((32, 32), np.uint8)
        for second in (0, 1, 9, 10, 11):
            source.write(image_HW, ms=1000 * second, host_ns=(100 + second) * 10**9)
        held = session.hold(4)
        assert [result.frame.index for result in held] == [1, 2, 3, 4]
    finally:
        session.close()


def test_the_interpreters_settings_are_left_alone(models):
    before = sys.getswitchinterval()
    session = LiveSession(request_for(HandSource(), models("frame")))
    assert sys.getswitchinterval() == before
    session.close()
    assert sys.getswitchinterval() == before


@pytest.mark.parametrize(
    ("anatomy", "is_said"), [("femoral", False), ("axillary", True), ("", False)]
)
def test_models_of_another_anatomy_are_said_so_with_every_result(models, anatomy, is_said):
    path = models("frame", structures=FEMORAL, note="a note")
    session = LiveSession(replace(request_for(HandSource(), path), anatomy=anatomy))
    session.close()
    assert session.notes[-1] == "a note"
    said = " ".join(session.notes)
    assert ("not for this anatomy: they find blood, bone, femoral nerve" in said) == is_said
    assert ("the source simulates the axillary block" in said) == is_said


def test_pictures_come_before_the_models_are_ready(models):
    source = HandSource()
    session = LiveSession(request_for(source, models("frame")))
    try:
        source.write(np.zeros((32, 32), np.uint8), ms=0)
        result = wait_until(session.pipeline.newest, "a picture")
        assert result.predictions == ()
        assert not session.is_segmenting
        session.open_models()
        assert session.is_segmenting
        source.write(np.zeros((32, 32), np.uint8), ms=40)
        wait_until(lambda: session.pipeline.newest().predictions, "a mask")
    finally:
        session.close()


def test_other_models_are_used_while_the_stream_goes_on(models):
    source = HandSource()
    request = request_for(source, models("frame"))
    session = opened(request)
    try:
        (former,) = session.predictors
        session.open_models(replace(request, models=(models("sequence"),)))
        assert session.names == ("sequence",)
        assert source.calls == ["start"]
        source.write(np.zeros((32, 32), np.uint8), ms=0)
        result = wait_until(session.pipeline.newest, "a result")
        assert [made.model for made in result.predictions] == ["sequence"]
        assert not is_running(former.pid)
    finally:
        session.close()


def test_other_models_that_cannot_be_opened_leave_the_present_ones(models, tmp_path):
    source = HandSource()
    request = request_for(source, models("frame"))
    session = opened(request)
    try:
        broken = tmp_path / "broken.onnx"
        broken.write_bytes(b"not a model")
        with pytest.raises(ModelError):
            session.open_models(replace(request, models=(broken,)))
        source.write(np.zeros((32, 32), np.uint8), ms=0)
        result = wait_until(session.pipeline.newest, "a result")
        assert [made.model for made in result.predictions] == ["frame"]
    finally:
        session.close()


def test_closing_while_models_are_opened_leaves_no_process(models):
    session = LiveSession(request_for(HandSource(), models("frame"), models("sequence")))
    thread = threading.Thread(target=session.open_models)
    thread.start()
    session.close()
    thread.join(20)
    assert not thread.is_alive()
    assert session.predictors == []
