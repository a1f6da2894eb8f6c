"""The command line: one command per verb, each a thin call. Imports wait until they are needed."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
import typer.core

from sonotempo import __version__
from sonotempo.errors import SonotempoError

if TYPE_CHECKING:
    from rich.console import Console

    from sonotempo.live.pipeline import Policy
    from sonotempo.live.predictor import OnnxPredictor

app = typer.Typer(
    name="sonotempo",
    help="Frame and sequence U-nets for ultrasound-guided regional anaesthesia, compared fairly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"sonotempo {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Say which."),
    ] = False,
) -> None:
    """Frame and sequence U-nets for ultrasound-guided regional anaesthesia, compared fairly."""


data_app = typer.Typer(help="Look at recordings and at what training makes of them.")
model_app = typer.Typer(help="Look at networks.")
app.add_typer(data_app, name="data", no_args_is_help=True)
app.add_typer(model_app, name="model", no_args_is_help=True)


class _MakeByDefault(typer.core.TyperGroup):
    """Reads ``phantom OUT …`` as ``phantom make OUT …``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["make", *args]
        return super().parse_args(ctx, args)


phantom_app = typer.Typer(
    cls=_MakeByDefault,
    help="Simulate a cohort: `phantom OUT` is short for `phantom make OUT`.",
)
app.add_typer(phantom_app, name="phantom", no_args_is_help=True)

# What `sonotempo[train]` installs and a command may miss.
_TRAINING_PACKAGES = frozenset(
    {"torch", "torchvision", "lightning", "monai", "timm", "pandas", "pyarrow", "safetensors"}
    | {"matplotlib", "einops", "onnx", "onnxscript", "statsmodels"}
)

Config = Annotated[Path, typer.Argument(help="Experiment as YAML, see configs/.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(help="Settings as key=value, for example train.epochs=3.")
]


@data_app.command("inspect")
def inspect(
    path: Annotated[Path, typer.Argument(help="A recording, or a folder of them.")],
    structures: Annotated[
        str, typer.Option(help="A named set, or your own names separated by commas.")
    ] = "nerve+vessel",
    layout: Annotated[
        str, typer.Option(help="auto, annotation_web, stills or recordings.")
    ] = "auto",
    frames_root: Annotated[
        Path | None, typer.Option(help="The recordings that an annotation export was made from.")
    ] = None,
) -> None:
    """Say what is in a recording or data set: subjects, frames, labels, gaps, spacing, faults."""
    from sonotempo.inspection import inspection_table, parse_structures

    table = inspection_table(path, parse_structures(structures), layout, frames_root)
    _console().print(table)


@data_app.command("preview")
def preview(
    config: Config,
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("preview.png"),
    examples: Annotated[int, typer.Option(min=1, help="How many recordings to show.")] = 3,
) -> None:
    """Draw originals beside augmented clips with their masks."""
    from sonotempo.config import load_experiment
    from sonotempo.training.preview import preview_experiment

    experiment = load_experiment(config, overrides or [])
    preview_experiment(experiment, out, examples)
    _console().print(f"wrote {out}", markup=False, soft_wrap=True)


@model_app.command("summary")
def summary(config: Config, overrides: Overrides = None) -> None:
    """Print parameters and multiply-adds of the arms, side by side."""
    from rich.table import Table

    from sonotempo.config import load_experiment
    from sonotempo.models.summary import PARTS, cost_of

    experiment = load_experiment(config, overrides or [])
    size = experiment.data.input_size
    costs = {
        arm: cost_of(arm, experiment.model, experiment.structures.channels, size)
        for arm in experiment.arms
    }
    table = Table(title=f"{experiment.name}: one frame of {size}x{size} pixels")
    table.add_column("part")
    for arm in costs:
        table.add_column(f"{arm}\nparameters", justify="right")
        table.add_column(f"{arm}\nmultiply-adds", justify="right")
    for part in (*PARTS, "whole"):
        numbers = [
            text
            for cost in costs.values()
            for text in (f"{cost[part].parameters:,}", f"{cost[part].multiply_adds / 1e6:,.1f} M")
        ]
        table.add_row(part, *numbers, end_section=part == PARTS[-1])
    _console().print(table)


@phantom_app.command("make")
def phantom_make(  # noqa: PLR0917
    out: Annotated[Path, typer.Argument(help="Folder for the cohort; the same again continues.")],
    procedure: Annotated[str, typer.Option(help="axillary or femoral.")] = "axillary",
    subjects: Annotated[int, typer.Option(help="How many, one recording each.")] = 20,
    seconds: Annotated[float, typer.Option(help="Length of each recording.")] = 4.0,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 20.0,
    size: Annotated[int, typer.Option(help="Side of the frames in pixels.")] = 256,
    depth: Annotated[
        float | None, typer.Option(help="Imaging depth in cm, 2 to 8; by default as needed.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    fading: Annotated[float, typer.Option(help="How much nerves fade with tilt, 0 to 1.")] = 0.5,
    decorrelation: Annotated[
        float, typer.Option(help="How fast speckle changes across the plane; 1 is hand-held.")
    ] = 1.0,
    event_rate: Annotated[float, typer.Option(help="Disturbances a second.")] = 0.1,
    variability: Annotated[float, typer.Option(help="Spread of anatomy; 1 as measured.")] = 1.0,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="Independent frames: a memory cannot help.")
    ] = False,
) -> None:
    """Write annotated recordings of simulated subjects."""
    from sonotempo.phantom.cohort import write_cohort
    from sonotempo.phantom.settings import phantom_settings

    settings = phantom_settings(
        procedure=procedure,
        subjects=subjects,
        seconds=seconds,
        frame_rate_hz=fps,
        size=size,
        depth_cm=depth,
        seed=seed,
        fading=fading,
        decorrelation=decorrelation,
        event_rate=event_rate,
        variability=variability,
        shuffle=shuffle,
    )
    from rich.progress import Progress

    console = _console()
    with Progress(console=console) as progress:
        bar = progress.add_task("simulating", total=subjects)
        made = write_cohort(out, settings, on_subject=lambda: progress.advance(bar))
    console.print(
        f"{subjects} simulated subjects, {made} of them new: {out}", soft_wrap=True, markup=False
    )


@phantom_app.command("preview")
def phantom_preview(
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("phantom.png"),
    seed: Annotated[int, typer.Option(help="The same seed draws the same subjects.")] = 0,
    size: Annotated[int, typer.Option(min=64, help="Side of the frames in pixels.")] = 384,
) -> None:
    """Draw both procedures on three scanners into one PNG, masks as outlines."""
    from sonotempo.phantom.preview import draw_sheet

    draw_sheet(out, seed=seed, size=size)
    _console().print(f"wrote {out}", soft_wrap=True, markup=False)


@app.command()
def crossval(
    config: Config,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; by default runs/<name>.")
    ] = None,
) -> None:
    """Train and score every arm in every fold; the same command again continues."""
    from sonotempo.config import load_experiment

    experiment = load_experiment(config, overrides or [])
    from sonotempo.training.crossval import crossvalidate
    from sonotempo.training.progress import RunProgress

    run = out or Path("runs") / experiment.name
    console = _console()
    with RunProgress(console) as progress:
        table = crossvalidate(experiment, run, progress)
    console.print(table.rich())
    console.print(f"table, scores and bar plot: {run}", markup=False, soft_wrap=True)


@app.command()
def evaluate(  # noqa: PLR0917
    weights: Annotated[
        Path,
        typer.Argument(help="A run folder, a weights.safetensors, or a folder of masks (--like)."),
    ],
    data: Annotated[Path, typer.Argument(help="Recordings with masks.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the scores; by default only printed.")
    ] = None,
    cache: Annotated[Path, typer.Option(help="Folder for fitted frames.")] = Path("cache"),
    like: Annotated[
        Path | None,
        typer.Option(help="For masks of another tool: the run or config to score them by."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What such masks are called; by default as their folder.")
    ] = None,
) -> None:
    """Score trained weights on data that they have not seen, or masks that another tool drew."""
    from sonotempo.training.external import judge
    from sonotempo.training.progress import RunProgress

    if out is not None:
        _make_folder(out, "--out")
    console = _console()
    with RunProgress(console) as progress:
        if like is None:
            judgement = judge(weights, data, cache, progress, out)
        else:
            from sonotempo.training.foreign import judge_masks

            judgement = judge_masks(weights, data, like, cache, progress, arm=name, out=out)
    console.print(judgement.table.rich())
    if out is not None:
        judgement.frames.to_parquet(out / "frames.parquet", index=False)
        judgement.temporal.to_parquet(out / "temporal.parquet", index=False)
        (out / "table.md").write_text(judgement.table.markdown(), encoding="utf-8")
        (out / "table.csv").write_text(judgement.table.csv(), encoding="utf-8")
        console.print(f"scores and table: {out}", markup=False, soft_wrap=True)


Models = Annotated[
    list[Path],
    typer.Option("--model", help="An .onnx file of `sonotempo export`; give several to compare."),
]
EngineOption = Annotated[str, typer.Option(help="auto, cuda, openvino or onnxruntime.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Cores that a model may use; by default all.")
]
ForeignStructures = Annotated[
    str | None,
    typer.Option(
        "--structures",
        help="What a model of another origin finds: a named set, or names separated by commas.",
    ),
]
MaxGap = Annotated[
    float, typer.Option("--max-gap-ms", min=0, help="A longer gap resets the models' states.")
]


@app.command()
def stream(  # noqa: PLR0917
    source: Annotated[
        str,
        typer.Argument(help="A recording, clarius://192.168.1.1:5828, or phantom://axillary."),
    ],
    model: Models,
    policy: Annotated[
        str, typer.Option(help="newest skips frames if models are slow, every does not.")
    ] = "newest",
    record: Annotated[
        Path | None, typer.Option(help="Keep all frames: a .mkv file, or a folder.")
    ] = None,
    record_predictions: Annotated[
        bool, typer.Option("--record-predictions", help="Keep the masks in the recording too.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="How long; by default until the end or Ctrl-C.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the statistics there.")
    ] = None,
    sdk: Annotated[
        Path | None, typer.Option(help="The folder of the Clarius SDK, if not installed.")
    ] = None,
    rate: Annotated[float, typer.Option(help="How many times faster to play a recording.")] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Play a recording again and again.")] = False,
    engine: EngineOption = "auto",
    threads: Threads = None,
    structures: ForeignStructures = None,
    max_gap_ms: MaxGap = 500.0,
) -> None:
    """Segment a live source with one model or several, and show how fast that is."""
    import json

    from sonotempo.live.sources import open_source
    from sonotempo.live.stream import run_stream, stream_report

    chosen = cast("Policy", policy)  # the pipeline refuses what is none
    if record_predictions and record is None:
        raise SonotempoError("--record-predictions needs a recording; name it with --record")
    if json_file is not None:
        _make_folder(json_file.parent, "--json")
    opened = open_source(source, sdk=sdk, rate=rate, loop=loop)
    with _predictors(model, engine, threads, structures) as predictors:
        streamed = run_stream(
            source,
            opened,
            predictors,
            _console(),
            policy=chosen,
            max_gap_ms=max_gap_ms,
            seconds=seconds,
            record=record,
            record_predictions=record_predictions,
        )
        report = stream_report(source, chosen, predictors, streamed)
    if json_file is not None:
        _write_text(json_file, json.dumps(report, indent=1), "--json")
    if streamed.recorded is not None:
        kept = f"{streamed.recorded.frames} frames, {streamed.recorded.predictions} masks"
        _console().print(f"recorded {kept}: {record}", markup=False, soft_wrap=True)
    if streamed.error is not None:
        raise streamed.error


@app.command()
def live(  # noqa: PLR0917
    source: Annotated[
        str,
        typer.Argument(help="A recording, clarius://192.168.1.1:5828, or phantom://axillary."),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="An .onnx file or a ready-made model's name; twice for A and B. By default the "
            "ready-made ones for the source.",
        ),
    ] = None,
    sdk: Annotated[
        Path | None, typer.Option(help="The folder of the Clarius SDK, if not installed.")
    ] = None,
    engine: EngineOption = "auto",
    threads: Threads = None,
    structures: ForeignStructures = None,
) -> None:
    """Open napari with the live comparison running: both models on the same frames."""
    from importlib.util import find_spec

    from sonotempo.inspection import parse_structures
    from sonotempo.live.ready_models import model_path, models_for_source

    if find_spec("napari") is None or find_spec("qtpy") is None:
        raise SonotempoError(
            "this command needs napari; install it with: pip install 'sonotempo[napari]' "
            "'napari[all]'"
        )
    paths = tuple(map(model_path, model)) if model else models_for_source(source)
    known = parse_structures(structures) if structures else None
    from napari_sonotempo._live_open import run_live

    run_live(source, paths, sdk, engine, threads, known)


@app.command()
def segment(  # noqa: PLR0917
    recording: Annotated[Path, typer.Argument(help="A file or folder that holds one recording.")],
    model: Annotated[Path, typer.Option(help="An .onnx file of `sonotempo export`.")],
    out: Annotated[Path, typer.Option(help="A new folder for the masks.")],
    video: Annotated[
        Path | None, typer.Option(help="Also write a video with the outlines: .mp4, .mov or .mkv.")
    ] = None,
    engine: EngineOption = "auto",
    threads: Threads = None,
    structures: ForeignStructures = None,
    max_gap_ms: MaxGap = 500.0,
) -> None:
    """Segment a whole recording and write the masks as files."""
    from rich.progress import Progress

    from sonotempo.io import open_recording
    from sonotempo.live.segment import segment_recording

    opened = open_recording(recording)
    console = _console()
    with (
        _predictors([model], engine, threads, structures) as (predictor,),
        Progress(console=console) as progress,
    ):
        bar = progress.add_task("segmenting", total=len(opened))
        done = segment_recording(
            opened,
            predictor,
            out,
            video=video,
            max_gap_ms=max_gap_ms,
            on_frame=lambda: progress.advance(bar),
        )
        card = predictor.model
        said = [f"{card.name} on {predictor.engine}", *([card.note] if card.note else [])]
    said += [f"left out: {one.reason}" for one in done.skipped]
    said += [f"state reset at frame {number}: {why}" for number, why in done.resets[1:]]
    said += [f"{done.frames} frames, {arm}: {folder}" for arm, folder in done.folders.items()]
    for line in [*said, *([f"video: {video}"] if video else [])]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _predictors(
    models: list[Path], engine: str, threads: int | None, structures: str | None
) -> "Iterator[list[OnnxPredictor]]":
    """Open models, and close them at the end."""
    from sonotempo.inspection import parse_structures
    from sonotempo.live.predictor import OnnxPredictor

    known = parse_structures(structures) if structures else None
    with ExitStack() as opened:
        yield [
            opened.enter_context(OnnxPredictor(path, engine, threads, structures=known))
            for path in models
        ]


def _make_folder(folder: Path, option: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SonotempoError(
            f"{folder} cannot be made ({error.strerror}); give another {option}"
        ) from error


def _write_text(path: Path, text: str, option: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SonotempoError(
            f"{path} cannot be written ({error.strerror}); give another {option}"
        ) from error


@app.command()
def export(  # noqa: PLR0917
    run: Annotated[Path, typer.Argument(help="A run folder, or a weights.safetensors.")],
    out: Annotated[Path, typer.Option(help="The .onnx file to write.")],
    fold: Annotated[int, typer.Option(min=0, help="Which fold of the run.")] = 0,
    arm: Annotated[
        list[str] | None,
        typer.Option(help="Which arm; twice with --pair. By default frame, and sequence."),
    ] = None,
    precision: Annotated[str, typer.Option(help="fp32, fp16 or int8.")] = "fp32",
    pair: Annotated[
        bool, typer.Option("--pair", help="Two arms in one file; their encoder runs once.")
    ] = False,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Write it though it costs more Dice than 0.01.")
    ] = False,
) -> None:
    """Write a trained model as one ONNX file for live use, checked against torch."""
    from sonotempo.export.job import export_model
    from sonotempo.training.progress import RunProgress

    console = _console()
    with RunProgress(console) as progress:
        card = export_model(
            run,
            out,
            progress,
            fold=fold,
            arms=arm or (),
            precision=precision,
            pair=pair,
            accept_loss=accept_loss,
        )
    megabytes = out.stat().st_size / 1e6
    console.print(
        f"wrote {out}: {card.name}, {card.precision}, {megabytes:.1f} MB",
        markup=False,
        soft_wrap=True,
    )


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run folders, or arms that `sonotempo evaluate --out` has scored."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("report"),
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap over subjects.")] = 0,
) -> None:
    """Say with statistics over subjects how arms differ; write tables and a page to look at."""
    from sonotempo.training.progress import RunProgress
    from sonotempo.training.reporting import report_runs

    console = _console()
    with RunProgress(console) as progress:
        comparison = report_runs(runs, out, progress, seed=seed)
    for line in (comparison.title, *comparison.notes, *comparison.summary):
        console.print(line, markup=False, highlight=False)
    console.print(f"page, tables and numbers: {out}", markup=False, soft_wrap=True)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything that the demo makes.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Stills with nerve and vessel masks; without, a simulated cohort."),
    ] = None,
) -> None:
    """Show the whole path in a few minutes: data, two arms, folds, table and pictures."""
    from sonotempo.demo import run_demo

    run_demo(out, data, _console())


def _console() -> "Console":
    from rich.console import Console

    return Console()


def main() -> None:
    """Run a command; a user's mistake ends in one sentence and status 2."""
    try:
        app()
    except SonotempoError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        if error.name not in _TRAINING_PACKAGES:
            raise
        _fail(f"this command needs {error.name}; install it with: pip install 'sonotempo[train]'")


def _fail(sentence: str) -> None:
    print(f"sonotempo: {sentence}", file=sys.stderr)
    sys.exit(2)
