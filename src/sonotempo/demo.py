"""The whole path in a few minutes: data, two arms, folds, table, pictures and models to stream.

It trains on a simulated cohort, or on stills that it is pointed at.
"""

from pathlib import Path

from rich.console import Console

from sonotempo.config import (
    DataConfig,
    Experiment,
    FoldsConfig,
    SequenceConfig,
    TrainConfig,
)
from sonotempo.errors import SonotempoError
from sonotempo.export.job import export_model
from sonotempo.phantom.cohort import write_cohort
from sonotempo.phantom.settings import PhantomConfig
from sonotempo.training.crossval import crossvalidate
from sonotempo.training.preview import preview_experiment
from sonotempo.training.progress import RunProgress

# Subjects differ less than people do, so that three of them teach a network something.
_COHORT = PhantomConfig(
    procedure="axillary", subjects=8, seconds=2.4, size=128, variability=0.4, seed=0
)
_NO_PATIENTS = "simulated subjects: these numbers say nothing about patients"


def run_demo(out: Path, data: Path | None, console: Console) -> None:
    """Make or read data, cross-validate both arms, print the table and save the pictures.

    The same folder again continues where it stopped.

    Raises:
        SonotempoError: the data cannot be used, or the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SonotempoError(
            f"{out} cannot be made ({error.strerror}); give another --out"
        ) from error
    experiment = _on_phantoms(out) if data is None else _on_stills(out, data)
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
        run = out / "run"
        progress.say(
            f"2. Train and score {' and '.join(experiment.arms)} in {experiment.folds.count} "
            f"folds -> {run}"
        )
        table = crossvalidate(experiment, run, progress)
        progress.say("3. Export fold 0 for live use: each arm, and both in one file")
        for arm in experiment.arms:
            export_model(run, out / f"{arm}.onnx", progress, arms=[arm])
        export_model(run, out / "pair.onnx", progress, pair=True)
    console.print(table.rich())
    preview = out / "preview.png"
    console.print("4. A picture of what training sees", highlight=False)
    preview_experiment(experiment, preview, examples=2)
    for what, path in (
        ("table", run / "table.md"),
        ("bar plot", run / "bars.png"),
        ("frames as both arms drew them", run / "examples.png"),
        ("every frame's scores", run / "frames.parquet"),
        ("weights", run / "<arm>" / "fold-<n>" / "weights.safetensors"),
        ("models to stream", out / "<frame, sequence or pair>.onnx"),
        ("training clips", preview),
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
        train=TrainConfig(
            epochs=36, batch_size=4, learning_rate=1e-3, schedule="cosine", loss="dice"
        ),
        sequence=SequenceConfig(
            epochs=14,
            batch_size=2,
            learning_rate=5e-4,
            memory_learning_rate=5e-3,
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
        train=TrainConfig(
            epochs=20, batch_size=4, learning_rate=1e-3, schedule="cosine", loss="dice_ce"
        ),
        sequence=SequenceConfig(
            epochs=4,
            batch_size=4,
            learning_rate=1e-3,
            memory_learning_rate=5e-3,
            clip_frames=8,
            backpropagation_frames=8,
        ),
    )
