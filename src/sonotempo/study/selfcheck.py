"""Does the instrument tell where memory helps from where it cannot? Both controls, small.

Two cohorts of the same scenes are simulated: a nerve that fades into its look-alikes, frame after
frame; and the same with every frame of another subject. A frame model is trained on each, and run
by itself and along the motion. An instrument that works shows a gain on the first cohort and none
on the second.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sonotempo.config import (
    DataConfig,
    EvaluateConfig,
    Experiment,
    FaultsConfig,
    FoldsConfig,
    ModelConfig,
    TrainConfig,
)
from sonotempo.evaluation.comparison.compare import compare
from sonotempo.evaluation.comparison.record import Comparison, Difference
from sonotempo.evaluation.comparison.rounding import interval, number
from sonotempo.evaluation.scoring.files import read_scores
from sonotempo.phantom.cohort import TRUTH_FILE, write_cohort
from sonotempo.phantom.settings import phantom_settings
from sonotempo.study.crossval import crossvalidate
from sonotempo.training.oracles import VISIBLE
from sonotempo.training.progress import RunProgress

_NERVE = "nerve"
_SECONDS = 2.4
_SIZE = 64
#: In faded frames a frame model may find the nerve at most this share as often as in visible ones.
FADED_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """What both controls showed.

    Attributes:
        found_visible: share of the frames with a visible nerve in which the frame model finds it.
        found_faded: the same of the frames in which it has faded.
        helps: F1 of the nerve, along the motion against frame by frame, where memory must help.
        cannot: the same where it cannot.
        margin: differences within it do not matter.
    """

    found_visible: float
    found_faded: float
    helps: Difference
    cannot: Difference
    margin: float

    @property
    def tells_apart(self) -> bool:
        """Whether the instrument shows a gain where there is one, and none where there is none."""
        gain = self.helps.ci_low is not None and self.helps.ci_low > 0
        none = self.cannot.estimate is not None and abs(self.cannot.estimate) <= self.margin
        hidden = self.found_faded <= FADED_SHARE * self.found_visible
        return gain and none and hidden

    def sentences(self) -> tuple[str, ...]:
        """Return the outcome in plain words with its figures."""
        verdict = (
            "The instrument tells the two apart."
            if self.tells_apart
            else "The instrument does NOT tell the two apart; train longer (--epochs) or on more "
            "subjects (--subjects), or report it."
        )
        return (
            f"The frame model finds the nerve in {self.found_visible:.0%} of the frames that show "
            f"it and in {self.found_faded:.0%} of those in which it has faded.",
            f"Where memory must help, F1 of the nerve changes by {_words(self.helps)}.",
            f"Where memory cannot help, it changes by {_words(self.cannot)}; up to "
            f"±{number(self.margin)} does not matter.",
            verdict,
        )


def selfcheck(out: Path, progress: RunProgress, *, subjects: int, epochs: int) -> SelfCheck:
    """Simulate both cohorts, train and score a frame model on each, and compare.

    An interrupted check continues where it stopped.

    Args:
        out: gets cohorts and runs; made if missing.
        progress: shows the steps.
        subjects: of the first cohort; the second has half as many, whose frames all differ.
        epochs: of the frame model.

    Raises:
        ConfigError: the folder holds a check with other settings, or fewer than 6 subjects.
        SonotempoError: the folder cannot be written.
    """
    found: dict[str, Comparison] = {}
    for name, count in (("memory-helps", subjects), ("memory-cannot-help", max(6, subjects // 2))):
        cohort = out / "cohorts" / name
        settings = phantom_settings(
            procedure="lookalikes",
            subjects=count,
            seconds=_SECONDS,
            size=_SIZE,
            depth_cm=3.0,
            event_rate=0.0,
            seed=7,
            shuffle=name == "memory-cannot-help",
        )
        progress.step(f"simulating {name}", count)
        write_cohort(cohort, settings, progress.advance)
        run = out / "runs" / name
        crossvalidate(control(name, cohort, out / "cache", epochs), run, progress)
        found[name] = compare([run])
    run = out / "runs" / "memory-helps"
    shares = found_by_visibility(run, "frame", out / "cohorts" / "memory-helps", _NERVE)
    helps = found["memory-helps"]
    return SelfCheck(
        shares[True],
        shares[False],
        _difference(helps),
        _difference(found["memory-cannot-help"]),
        helps.settings.measure("f1").margin or 0.0,
    )


def control(name: str, cohort: Path, cache: Path, epochs: int) -> Experiment:
    """Return the experiment of a control: one network, run with and without a memory."""
    return Experiment(
        name=name,
        arms=("frame", "frame_flow", "oracle_frame", "oracle_memory"),
        data=DataConfig(root=cohort, structures="lookalikes", input_size=_SIZE, cache=cache),
        folds=FoldsConfig(count=2, validation_subjects=1),
        model=ModelConfig(channels=(8, 16, 32, 64)),
        train=TrainConfig(epochs=epochs, learning_rate=3e-3, schedule="cosine", loss="dice_ce"),
        faults=FaultsConfig(),
        evaluate=EvaluateConfig(ignored_radius_px=3, bootstrap_draws=2000),
    )


def found_by_visibility(run: Path, arm: str, cohort: Path, structure: str) -> Mapping[bool, float]:
    """Return in what share of the frames an arm finds a structure, visible and not.

    Args:
        run: a finished run.
        arm: one of its arms.
        cohort: the simulated cohort that it was scored on, with ``truth.csv``.
        structure: which one.
    """
    folders = sorted((run / arm).glob("fold-*"))
    frames = pd.concat([read_scores(folder).frames for folder in folders])
    frames = frames[(frames["structure"] == structure) & (frames["reference_px"] > 0)]
    visible: dict[tuple[str, int], bool] = {}
    for path in cohort.glob(f"*/*/{TRUTH_FILE}"):
        name = f"{path.parent.parent.name}/{path.parent.name}"
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                visible[name, int(row["frame"])] = row[VISIBLE + structure] == "1"
    keys = zip(frames["recording"], frames["frame"], strict=True)
    is_visible = np.array([visible[str(recording), int(frame)] for recording, frame in keys])
    found = (frames["tp_reference"] > 0).to_numpy()
    return {seen: float(found[is_visible == seen].mean()) for seen in (True, False)}


def _difference(comparison: Comparison) -> Difference:
    pair = next(one for one in comparison.pairs if one.kind == "carrying along motion")
    return next(one for one in pair.differences if (one.structure, one.metric) == (_NERVE, "f1"))


def _words(one: Difference) -> str:
    return f"{number(one.estimate, signed=True)} {interval(one.ci_low, one.ci_high)}"
