"""A source that the test controls, and models with predictable answers."""

import threading
import time

import numpy as np

from sonotempo.live.models.card import Member, ModelCard
from sonotempo.live.models.onnx_predictor import GridPrediction
from sonotempo.live.sources.source import BufferSize, EventLog
from sonotempo.preprocess import fit_frame
from sonotempo.recording import Prediction
from sonotempo.structures import NERVE_VESSEL

SIZE = 16


class HandSource:
    """Writes frames on request, from the test's own thread."""

    commands = ()

    def __init__(self, state="stopped"):
        self.state = state
        self.log = EventLog()
        self.calls = []
        self.hang = threading.Event()  # set: stop() waits until it is cleared by release()
        self.released = threading.Event()
        self._writer = None

    def buffer_size(self):
        return BufferSize()

    def start(self, buffer):
        self.calls.append("start")
        self._writer = buffer.writer()
        self.state = "running"

    def stop(self):
        self.calls.append("stop")
        if self.hang.is_set():
            self.released.wait(30)
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self.state = "stopped"

    def send(self, command):
        raise AssertionError(command)

    def events(self):
        return self.log.take()

    def write(self, image_HW, *, ms, host_ns=None, **geometry):
        """Write a frame with a probe time in milliseconds."""
        return self._writer.write(image_HW, probe_ns=round(ms * 1e6), host_ns=host_ns, **geometry)


class StatelessModel:
    """Labels what is brighter than half; its name and its calls are there to be looked at."""

    stateful = False
    engine = "numpy"

    def __init__(self, name="frame", seconds=0.0, fail_at=None):
        self.model = ModelCard(name, (Member(name),), NERVE_VESSEL, SIZE)
        self.seconds, self.fail_at = seconds, fail_at
        self.calls = []
        self.threads = set()
        self.age = 0
        self.preprocess_ns = self.inference_ns = 0

    def reset(self):
        self.calls.append("reset")
        self.age = 0

    def step_on_grid(self, frame):
        self.threads.add(threading.current_thread().name)
        self.calls.append(frame.index)
        if self.fail_at is not None and frame.index >= self.fail_at:
            raise RuntimeError("the card is on fire")
        began_ns = time.perf_counter_ns()
        fit = fit_frame(frame, SIZE)
        image_SS = fit.image(frame.image_HW)
        fitted_ns = time.perf_counter_ns()
        self.age += 1
        mask_SS = self.answer(image_SS)
        time.sleep(self.seconds)
        self.preprocess_ns = fitted_ns - began_ns
        self.inference_ns = time.perf_counter_ns() - fitted_ns
        return (GridPrediction(mask_SS, fit, self.age, self.model.name),)

    def step(self, frame):
        (made,) = self.step_on_grid(frame)
        return (Prediction(frame, made.mask_HW(), None, made.state_age, made.model),)

    def answer(self, image_SS):
        return (image_SS > 127).astype(np.uint8)

    def close(self):
        self.calls.append("close")

    @property
    def resets(self):
        """Before which frames it was reset."""
        after = zip(self.calls, self.calls[1:], strict=False)
        return [second for first, second in after if first == "reset" and second != "reset"]


class StatefulModel(StatelessModel):
    """Labels what is brighter than the mean over all frames since the last reset."""

    stateful = True

    def __init__(self, name="sequence", **more):
        super().__init__(name, **more)
        self.sum_SS = np.zeros((SIZE, SIZE))

    def reset(self):
        super().reset()
        self.sum_SS = np.zeros((SIZE, SIZE))

    def answer(self, image_SS):
        self.sum_SS += image_SS
        return (image_SS > self.sum_SS / self.age).astype(np.uint8) * 2
