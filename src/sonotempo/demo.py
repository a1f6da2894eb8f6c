"""The whole path in a few minutes: data, arms, folds, comparison, pictures and exported models.

It trains on a simulated cohort, or on stills that it is pointed at.
"""

import time
from pathlib import Path

import torch
from rich.console import Console

from sonotempo.arms import ARMS
from sonotempo.config import (
    DataConfig,
    EvaluateConfig,
    Experiment,
    FaultsConfig,
    FoldsConfig,
    ModelConfig,
    SequenceConfig,
    StressConfig,
    TrainConfig,
)
from sonotempo.export.job import export_model
from sonotempo.folders import make_folder
from sonotempo.models import build_model
from sonotempo.phantom.cohort import write_cohort
from sonotempo.phantom.settings import PhantomConfig
from sonotempo.study.crossval import crossvalidate
from sonotempo.study.first_picture import draw_first_picture
from sonotempo.study.reporting import report_runs
from sonotempo.training.preview_experiment import preview_experiment
from sonotempo.training.progress import RunProgress

# The positive control: a nerve that fades into its look-alikes, so that memory has something to
# win. Many short recordings teach more than a few long ones.
_COHORT = PhantomConfig(
    procedure="lookalikes",
    subjects=48,
    seconds=2.4,
    size=64,
    depth_cm=3.0,
    event_rate=0.0,
    seed=7,
)
_ARMS = ("frame", "frame_flow", "oracle_frame", "oracle_memory")
_FRAME_EPOCHS, _BATCH = 14, 16
_NO_PATIENTS = "simulated subjects: these numbers say nothing about patients"
# What a training step of all arms together costs, in steps of the frame arm; and what simulation,
# scores, pictures and exports cost, in seconds on a machine with a step of 0.1 s.
_FULL_STEPS = 9.0
_OTHER_S = 100.0


def run_demo(out: Path, data: Path | None, console: Console, *, full: bool = False) -> None:
    """Make or read data, cross-validate the arms, compare them, and export models.

    The same folder again continues where it stopped.

    Args:
        out: the folder for everything.
        data: stills to train on instead of the simulation.
        console: shows the steps.
        full: all arms instead of those that need no training beyond the frame model.

    Raises:
        SonotempoError: the data cannot be used, or the folder cannot be written.
    """
    make_folder(out, "--out")
    experiment = _on_phantoms(out, full=full) if data is None else _on_stills(out, data)
    run, preview, first = out / "run", out / "preview.png", out / "first.png"
    exports = _exports(experiment)
    console.print("[bold]sonotempo demo[/]. For research and education, not a medical device.")
    with RunProgress(console) as progress:
        progress.say(f"1. A ready-made model on a simulated stream -> {first}")
        progress.step("segmenting a simulated stream", 24)
        draw_first_picture(first, progress.advance)
        if data is None:
            progress.say(
                f"   the rest takes about {_minutes(experiment, full=full)} on this machine"
            )
            progress.say(
                f"2. Simulate {_COHORT.subjects} subjects on three virtual scanners: no patients "
                f"-> {experiment.data.root}"
            )
            progress.step("simulating", _COHORT.subjects)
            assert experiment.data.root is not None
            write_cohort(experiment.data.root, _COHORT, on_subject=progress.advance)
        else:
            progress.say(f"2. Stills from {data}; motion is added to them")
        progress.say(f"3. Draw what training sees -> {preview}")
        preview_experiment(experiment, preview, examples=2)
        progress.say(
            f"4. Train and score {', '.join(experiment.arms)} in {experiment.folds.count} folds "
            f"-> {run}"
        )
        table = crossvalidate(experiment, run, progress)
        assert table is not None  # no fold was left out
        console.print(table.rich())
        progress.say(f"5. Compare the arms -> {out / 'report.html'}")
        progress.say(f"   {report_runs([run], out, progress).answer}")
        progress.say("6. Export the models of fold 0, each checked against its training network")
        for name, arms in exports.items():
            export_model(run, out / name, progress, arms=arms, pair=len(arms) > 1)
    for what, path in (
        ("the first picture", first),
        ("the comparison as an HTML report, open it in a browser", out / "report.html"),
        ("its numbers", out / "comparison.json"),
        ("its tables", out / "tables.md"),
        ("table of all folds", run / "table.md"),
        ("bar plot", run / "bars.png"),
        ("test frames with the masks of all arms", run / "examples.png"),
        ("every frame's scores", run / "frames.parquet"),
        ("weights", run / "<arm>" / "fold-<n>" / "weights.safetensors"),
        ("training clips", preview),
        *(
            (f"model for `sonotempo stream phantom://{_COHORT.procedure}`", out / name)
            for name in exports
        ),
    ):
        console.print(f"   {what}: {path}", highlight=False, markup=False, soft_wrap=True)


def _exports(experiment: Experiment) -> dict[str, tuple[str, ...]]:
    """Return the files to export, with the arms that each holds."""
    arms: dict[str, tuple[str, ...]] = {"frame.onnx": ("frame",)}
    if "sequence" in experiment.arms:
        arms |= {"sequence.onnx": ("sequence",), "pair.onnx": ("frame", "sequence")}
    return arms


def _minutes(experiment: Experiment, *, full: bool) -> str:
    """Say how long the demo takes here, from a few training steps of its network."""
    model = build_model("frame", experiment.model, experiment.structures.channels)
    size = experiment.data.input_size
    x_BTCHW = torch.rand(_BATCH, 1, 1, size, size)
    times_s = []
    for _ in range(4):
        began_s = time.perf_counter()
        model(x_BTCHW)[0].mean().backward()
        times_s.append(time.perf_counter() - began_s)
    step_s = 2 * min(times_s)  # augmentation takes as long as the network
    frames = _COHORT.subjects * _COHORT.frames
    steps = experiment.train.epochs * frames * (experiment.folds.count - 1) / _BATCH
    seconds = steps * step_s * (_FULL_STEPS if full else 1.0) + _OTHER_S * step_s / 0.1
    return f"{max(1, round(seconds / 60))} minutes"


def _on_phantoms(out: Path, *, full: bool = False) -> Experiment:
    return Experiment(
        name="demo",
        note=_NO_PATIENTS,
        data=DataConfig(
            root=out / "data",
            layout="annotation_web",
            structures=_COHORT.procedure,
            input_size=_COHORT.size,
            cache=out / "cache",
        ),
        folds=FoldsConfig(count=2),
        arms=tuple(arm.name for arm in ARMS) if full else _ARMS,
        model=ModelConfig(channels=(8, 16, 32, 64), memory_strides=(2, 4), memory_channels=32),
        faults=FaultsConfig(occlusion_probability=0.3, max_run_frames=24),
        train=TrainConfig(
            epochs=_FRAME_EPOCHS,
            batch_size=_BATCH,
            learning_rate=3e-3,
            schedule="cosine",
            loss="dice_ce",
        ),
        sequence=SequenceConfig(
            epochs=4,
            batch_size=4,
            learning_rate=5e-4,
            memory_learning_rate=5e-3,
            clip_frames=32,
            backpropagation_frames=16,
            shuffled_frames=16,
        ),
        evaluate=EvaluateConfig(ignored_radius_px=3, stress=StressConfig()),
    )


def _on_stills(out: Path, data: Path) -> Experiment:
    return Experiment(
        name="demo",
        note="a small, short training to show the path: configs/stills.yaml trains longer",
        data=DataConfig(root=data, layout="stills", input_size=96, cache=out / "cache"),
        folds=FoldsConfig(count=2, validation_subjects=4),
        train=TrainConfig(epochs=45, batch_size=4, learning_rate=1e-3, loss="dice_ce"),
        sequence=SequenceConfig(
            epochs=6,
            batch_size=4,
            learning_rate=1e-3,
            memory_learning_rate=5e-3,
            clip_frames=8,
            backpropagation_frames=8,
        ),
    )
