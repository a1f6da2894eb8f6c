"""The whole path in a few minutes: data, arms, folds, comparison, pictures and exported models.

It trains on a simulated cohort, or on stills that it is pointed at.
"""

from pathlib import Path

from rich.console import Console

from sonotempo.arms import ARMS
from sonotempo.config import (
    DataConfig,
    Experiment,
    FaultsConfig,
    FoldsConfig,
    SequenceConfig,
    TrainConfig,
)
from sonotempo.export.job import export_model
from sonotempo.folders import make_folder
from sonotempo.phantom.cohort import write_cohort
from sonotempo.phantom.settings import PhantomConfig
from sonotempo.study.crossval import crossvalidate
from sonotempo.study.reporting import report_runs
from sonotempo.training.preview_experiment import preview_experiment
from sonotempo.training.progress import RunProgress

# Subjects differ less than people do, so that three of them teach a network something.
_COHORT = PhantomConfig(
    procedure="axillary", subjects=8, seconds=2.4, size=128, variability=0.25, seed=0
)
_EXPORTS = {
    "frame.onnx": ("frame",),
    "sequence.onnx": ("sequence",),
    "pair.onnx": ("frame", "sequence"),
}
_NO_PATIENTS = "simulated subjects: these numbers say nothing about patients"


def run_demo(out: Path, data: Path | None, console: Console) -> None:
    """Make or read data, cross-validate the arms, compare them, and export both models.

    The same folder again continues where it stopped.

    Raises:
        SonotempoError: the data cannot be used, or the folder cannot be written.
    """
    make_folder(out, "--out")
    experiment = _on_phantoms(out) if data is None else _on_stills(out, data)
    run, preview = out / "run", out / "preview.png"
    console.print(
        "[bold]sonotempo demo[/]: about 10 minutes on two CPU cores. For research and education, "
        "not a medical device."
    )
    with RunProgress(console) as progress:
        if data is None:
            progress.say(
                f"1. Simulate {_COHORT.subjects} armpits on three virtual scanners: no patients "
                f"-> {experiment.data.root}"
            )
            progress.step("simulating", _COHORT.subjects)
            assert experiment.data.root is not None
            write_cohort(experiment.data.root, _COHORT, on_subject=progress.advance)
        else:
            progress.say(f"1. Stills from {data}; motion is added to them")
        progress.say(f"2. Draw what training sees -> {preview}")
        preview_experiment(experiment, preview, examples=2)
        progress.say(
            f"3. Train and score {', '.join(experiment.arms)} in {experiment.folds.count} folds "
            f"-> {run}"
        )
        table = crossvalidate(experiment, run, progress)
        assert table is not None  # no fold was left out
        console.print(table.rich())
        progress.say(f"4. Compare the arms -> {out / 'report.html'}")
        for sentence in report_runs([run], out, progress).summary:
            progress.say(f"   {sentence}")
        progress.say("5. Export the models of fold 0, each checked against its training network")
        for name, arms in _EXPORTS.items():
            export_model(run, out / name, progress, arms=arms, pair=len(arms) > 1)
    for what, path in (
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
            (f"model for `sonotempo stream phantom://{_COHORT.procedure}`", out / n)
            for n in _EXPORTS
        ),
    ):
        console.print(f"   {what}: {path}", highlight=False, markup=False, soft_wrap=True)


def _on_phantoms(out: Path) -> Experiment:
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
        arms=tuple(arm.name for arm in ARMS),
        # Harder than the default: with few short clips the memory stays unused otherwise.
        faults=FaultsConfig(dark_probability=0.7, contact_loss_probability=0.7),
        train=TrainConfig(epochs=36, batch_size=4, learning_rate=1e-3, loss="dice_ce"),
        sequence=SequenceConfig(
            epochs=8,
            batch_size=1,
            learning_rate=3e-4,
            memory_learning_rate=1e-2,
            clip_frames=8,
            backpropagation_frames=8,
        ),
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
