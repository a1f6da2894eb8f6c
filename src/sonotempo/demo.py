"""The whole path in a few minutes: data, two arms, folds, table and pictures.

For now it trains on simple moving shapes, or on stills that it is pointed at.
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
from sonotempo.phantom.shapes import write_shapes
from sonotempo.training.crossval import crossvalidate
from sonotempo.training.preview import preview_experiment
from sonotempo.training.progress import RunProgress

_SUBJECTS, _FRAMES, _SIZE_PX = 8, 32, 96


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
    experiment = _on_shapes(out) if data is None else _on_stills(out, data)
    minutes = 3 if data is None else 10
    console.print(
        f"[bold]sonotempo demo[/]: about {minutes} minutes on two CPU cores. For research and "
        "education, not a medical device."
    )
    with RunProgress(console) as progress:
        if data is None:
            progress.say(
                f"1. Simple moving shapes, {_SUBJECTS} subjects: the right form of data, no "
                f"ultrasound, no patients -> {experiment.data.root}"
            )
            _make_shapes(experiment, progress)
        else:
            progress.say(f"1. Stills from {data}; motion is added to them")
        run = out / "run"
        progress.say(
            f"2. Train and score {' and '.join(experiment.arms)} in {experiment.folds.count} "
            f"folds -> {run}"
        )
        table = crossvalidate(experiment, run, progress)
    console.print(table.rich())
    preview = out / "preview.png"
    console.print("3. A picture of what training sees", highlight=False)
    preview_experiment(experiment, preview, examples=2)
    for what, path in (
        ("table", run / "table.md"),
        ("bar plot", run / "bars.png"),
        ("frames as both arms drew them", run / "examples.png"),
        ("every frame's scores", run / "frames.parquet"),
        ("weights", run / "<arm>" / "fold-<n>" / "weights.safetensors"),
        ("training clips", preview),
    ):
        console.print(f"   {what}: {path}", highlight=False, markup=False, soft_wrap=True)


def _make_shapes(experiment: Experiment, progress: RunProgress) -> None:
    root = experiment.data.root
    assert root is not None
    complete = root.with_name("data-complete")  # a cut-off attempt leaves no such file
    if complete.is_file():
        return
    progress.step("drawing shapes", _SUBJECTS)
    write_shapes(
        root, _SUBJECTS, _FRAMES, _SIZE_PX, seed=experiment.seed, on_subject=progress.advance
    )
    complete.touch()


def _on_shapes(out: Path) -> Experiment:
    return Experiment(
        name="demo",
        note="simple moving shapes: these numbers say nothing about ultrasound or patients",
        data=DataConfig(root=out / "data", input_size=_SIZE_PX, cache=out / "cache"),
        folds=FoldsConfig(count=2),
        train=TrainConfig(
            epochs=14, batch_size=8, learning_rate=3e-3, schedule="cosine", loss="dice_ce"
        ),
        sequence=SequenceConfig(
            epochs=6,
            batch_size=4,
            learning_rate=3e-4,
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
            epochs=30, batch_size=8, learning_rate=2e-3, schedule="cosine", loss="dice_ce"
        ),
        sequence=SequenceConfig(
            epochs=4,
            batch_size=4,
            learning_rate=2e-4,
            memory_learning_rate=4e-3,
            clip_frames=8,
            backpropagation_frames=8,
        ),
    )
