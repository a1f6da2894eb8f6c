"""Experiments so small that a whole cross-validation takes seconds."""

import io
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console

from sonotempo.config import (
    DataConfig,
    EvaluateConfig,
    Experiment,
    FoldsConfig,
    ModelConfig,
    SequenceConfig,
    TrainConfig,
)
from sonotempo.evaluation.report.tables import RunTable
from sonotempo.study.crossval import crossvalidate
from sonotempo.training.progress import RunProgress

SIZE = 32
TINY = ModelConfig(channels=(4, 8, 8, 8, 8, 8), memory_channels=8)


def tiny_experiment(root=None, cache="cache", **changes):
    """Both arms in two folds on a grid of 32 pixels, two epochs each."""
    settings = {
        "name": "tiny",
        "data": DataConfig(root=root, input_size=SIZE, cache=cache),
        "folds": FoldsConfig(count=2),
        "model": TINY,
        "train": TrainConfig(epochs=2, batch_size=4, accelerator="cpu", learning_rate=1e-2),
        "sequence": SequenceConfig(
            epochs=2,
            batch_size=2,
            clip_frames=4,
            backpropagation_frames=2,
            memory_learning_rate=5e-2,
        ),
        "evaluate": EvaluateConfig(bootstrap_draws=100),
    }
    return Experiment(**settings | changes)


def write_config(path, experiment):
    """Write an experiment as a user would."""
    path.write_text(yaml.safe_dump(experiment.model_dump(mode="json")), encoding="utf-8")
    return path


class Stopped(Exception):
    """A run that was cut off."""


class Told(RunProgress):
    """Progress that remembers what it was told, and cuts the run off at a step if asked to."""

    def __init__(self, stop_in=None, stop_after=1):
        self.file = io.StringIO()
        super().__init__(Console(file=self.file, width=200))
        self.steps = []
        self._stop_in, self._left = stop_in, stop_after

    @property
    def text(self):
        return self.file.getvalue()

    def step(self, name, total, done=0):
        self.steps.append((name, total, done))
        super().step(name, total, done)

    def advance(self, note=""):
        super().advance(note)
        if self._stop_in == self._name:
            self._left -= 1
            if self._left == 0:
                raise Stopped


@dataclass(frozen=True)
class FinishedRun:
    """A run folder, what was run and what was said."""

    folder: Path
    experiment: Experiment
    table: RunTable
    text: str

    @classmethod
    def of(cls, root, **changes):
        """Cross-validate beside the data."""
        experiment = tiny_experiment(root, root.with_name("cache"), **changes)
        with Told() as progress:
            table = crossvalidate(experiment, root.with_name("run"), progress)
        return cls(root.with_name("run"), experiment, table, progress.text)

    def weights(self, arm, fold=0):
        """The weights file of a job."""
        return self.folder / arm / f"fold-{fold:02d}" / "weights.safetensors"
