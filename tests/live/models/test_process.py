import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from fakes.onnx_models import write_model
from sonotempo.errors import ConfigError, ModelError
from sonotempo.live.buffer.ring_buffer import RingBuffer
from sonotempo.live.models import process as predictor_process
from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.live.models.process import ModelRequest, PredictorProcess
from sonotempo.structures import NERVE_VESSEL

SHAPE_HW = (40, 48)
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


@pytest.fixture
def buffer():
    with RingBuffer(seconds=1, rate_hz=8, height_px=SHAPE_HW[0], width_px=SHAPE_HW[1]) as buffer:
        yield buffer


def request(path, **more):
    return ModelRequest(path, "onnxruntime", threads=1, **more)


def write(buffer, count):
    """Write frames of random pixels."""
    random = np.random.default_rng(0)
    with buffer.writer() as writer:
        for number in range(count):
            image_HW = random.integers(0, 256, SHAPE_HW, dtype=np.uint8)
            writer.write(image_HW, probe_ns=number)


def written(buffer, count):
    """Write frames, and return them as a reader gets them."""
    write(buffer, count)
    with buffer.reader() as reader:
        return [reader.next().frame for _ in range(count)]


def assert_same(remote, local):
    assert len(remote) == len(local)
    for one, other in zip(remote, local, strict=True):
        np.testing.assert_array_equal(one.mask_SS, other.mask_SS)
        np.testing.assert_array_equal(one.mask_HW(), other.mask_HW())
        assert (one.state_age, one.model) == (other.state_age, other.model)


def test_it_gives_what_the_predictor_gives_and_forgets_when_told(path, buffer):
    write_model(path, arms=("frame", "sequence"))
    frames = written(buffer, 6)
    with (
        PredictorProcess(request(path), buffer.handle) as remote,
        OnnxPredictor(path, "onnxruntime", threads=1) as local,
    ):
        assert remote.model == local.model
        assert remote.engine == local.engine
        for frame in frames[:4]:
            assert_same(remote.step_on_grid(frame), local.step_on_grid(frame))
        remote.reset()
        local.reset()
        for frame in frames[4:]:
            made = remote.step_on_grid(frame)
            assert_same(made, local.step_on_grid(frame))
        assert made[0].state_age == 2
        assert remote.inference_ns > 0
        assert remote.preprocess_ns > 0


def test_a_external_file_runs_with_stated_structures(path, buffer):
    write_model(path, card=False)
    (frame,) = written(buffer, 1)
    with PredictorProcess(request(path, structures=NERVE_VESSEL), buffer.handle) as remote:
        (made,) = remote.step_on_grid(frame)
    assert made.mask_HW().shape == SHAPE_HW


def test_what_cannot_be_opened_is_refused_as_without_a_process(path, buffer):
    with pytest.raises(ModelError, match="no model at"):
        PredictorProcess(request(path), buffer.handle)
    write_model(path)
    with pytest.raises(ConfigError, match="did you mean 'onnxruntime'"):
        PredictorProcess(ModelRequest(path, "onnxruntim"), buffer.handle)
    assert multiprocessing.active_children() == []


class RefusingPredictor:
    """Cannot read a file that it needs."""

    def __init__(self, *arguments, **options):
        raise PermissionError(13, "Permission denied")


class Heard:
    """A host's end in the same process: keeps what it is sent."""

    def __init__(self):
        self.sent = []

    def send(self, answer):
        self.sent.append(answer)


def test_what_the_system_refuses_in_the_process_is_told_and_not_taken_for_the_hosts_end(
    path, buffer, monkeypatch
):
    monkeypatch.setattr(predictor_process, "OnnxPredictor", RefusingPredictor)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    host = Heard()
    predictor_process._serve(request(path), buffer.handle, host)
    (answer,) = host.sent
    assert isinstance(answer, ModelError)
    assert "Permission denied" in str(answer)


def test_a_frame_that_has_left_the_buffer_is_refused(path, buffer):
    write_model(path)
    (first,) = written(buffer, 1)
    with PredictorProcess(request(path), buffer.handle) as remote:
        write(buffer, buffer.handle.capacity + 1)  # one slot is the writer's
        with pytest.raises(ModelError, match="frame 0 has left the buffer"):
            remote.step_on_grid(first)


def test_its_process_ends_with_it(path, buffer):
    write_model(path)
    with PredictorProcess(request(path), buffer.handle) as remote:
        (process,) = multiprocessing.active_children()
        assert process.pid == remote.pid
    assert multiprocessing.active_children() == []
    assert process.exitcode == 0
    remote.close()


@posix
def test_a_process_that_dies_is_a_sentence_with_how(path, buffer):
    write_model(path)
    (frame,) = written(buffer, 1)
    with PredictorProcess(request(path), buffer.handle) as remote:
        os.kill(remote.pid, signal.SIGKILL)
        with pytest.raises(ModelError, match=r"ended \(signal SIGKILL\); start again"):
            remote.step_on_grid(frame)


@posix
def test_a_process_that_hangs_is_ended_and_whoever_waits_for_it_is_told(path, buffer, monkeypatch):
    monkeypatch.setattr(predictor_process, "_END_S", 0.2)
    write_model(path)
    (frame,) = written(buffer, 1)
    remote = PredictorProcess(request(path), buffer.handle)
    os.kill(remote.pid, signal.SIGSTOP)
    heard = []

    def step():
        try:
            remote.step_on_grid(frame)
        except ModelError as error:
            heard.append(str(error))

    waiting = threading.Thread(target=step)
    waiting.start()
    time.sleep(0.2)
    remote.close()
    waiting.join(10)
    assert not waiting.is_alive()
    assert "ended" in heard[0]
    assert multiprocessing.active_children() == []


@posix
def test_no_answer_in_time_is_a_sentence(path, buffer, monkeypatch):
    write_model(path)
    (frame,) = written(buffer, 1)
    with PredictorProcess(request(path), buffer.handle) as remote:
        monkeypatch.setattr(predictor_process, "_STEP_S", 0.1)
        monkeypatch.setattr(predictor_process, "_END_S", 0.1)
        os.kill(remote.pid, signal.SIGSTOP)
        with pytest.raises(ModelError, match=r"has not answered for 0\.1 s"):
            remote.step_on_grid(frame)


@posix
def test_its_process_does_not_outlive_the_host(path, tmp_path):
    write_model(path)
    code = f"""
import os, pathlib
from sonotempo.live.models.process import ModelRequest, PredictorProcess
from sonotempo.live.buffer.ring_buffer import RingBuffer
if __name__ == "__main__":
    buffer = RingBuffer(seconds=1, rate_hz=8, height_px=40, width_px=48)
    request = ModelRequest(pathlib.Path({str(path)!r}), "onnxruntime")
    remote = PredictorProcess(request, buffer.handle)
    print(remote.pid, buffer.handle.name, flush=True)
    buffer.close()
    os._exit(9)
"""
    host = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert host.returncode == 9, host.stderr
    pid = int(host.stdout.split()[0])
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _is_there(pid):
        time.sleep(0.05)
    assert not _is_there(pid)


def _is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
