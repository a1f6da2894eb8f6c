"""Predictors that record their calls."""

import numpy as np

from sonotempo.recording import Prediction


class Recorder:
    """Answers every frame with ``answer(frame)`` and remembers every call in order."""

    def __init__(self, *, stateful=True, answer=lambda frame: np.zeros_like(frame.image_HW)):
        self.stateful = stateful
        self.answer = answer
        self.calls = []
        self.age = 0

    def reset(self):
        self.calls.append("reset")
        self.age = 0

    def step(self, frame):
        self.calls.append(frame.index)
        self.age += 1
        return (Prediction(frame, self.answer(frame), None, self.age, "recorder"),)
