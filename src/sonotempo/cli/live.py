"""The commands that run exported models: on a live source, or on a whole recording."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from sonotempo.cli.terminal import FollowLinks, make_console
from sonotempo.cli.window import require_window
from sonotempo.errors import SonotempoError
from sonotempo.folders import make_folder, writing

if TYPE_CHECKING:
    from sonotempo.live.models.onnx_predictor import OnnxPredictor
    from sonotempo.live.pipeline import Policy

Models = Annotated[
    list[str],
    typer.Option(
        "--model",
        help="An .onnx file of `sonotempo export`, or a ready-made model's name such as "
        "axillary-pair; give several to compare.",
    ),
]
EngineOption = Annotated[str, typer.Option(help="auto, cuda, openvino or onnxruntime.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Cores that a model may use; by default all.")
]
ThreadsBesideWindow = Annotated[
    int | None,
    typer.Option(min=1, help="Cores that a model may use; by default all but one, for the window."),
]
ExternalStructures = Annotated[
    str | None,
    typer.Option(
        "--structures",
        help="The structures of a model from another tool: a named set, or names with commas.",
    ),
]
AlongMotion = Annotated[
    bool,
    typer.Option(
        "--along-motion",
        help="Run a frame model along the tissue's motion too: steadier masks, no training.",
    ),
]
MaxGap = Annotated[
    float, typer.Option("--max-gap-ms", min=0, help="A longer gap resets the models' states.")
]


def stream(  # noqa: PLR0917
    source: Annotated[
        str,
        typer.Argument(
            help="A recording, clarius://192.168.1.1:5828, igtl://192.168.1.5:18944, capture://0, "
            "capture://screen, or phantom://axillary."
        ),
    ],
    model: Models,
    policy: Annotated[
        str, typer.Option(help="newest: skip frames if models are slow. every: segment all frames.")
    ] = "newest",
    record: Annotated[
        Path | None, typer.Option(help="Record all frames to a .mkv file or a folder.")
    ] = None,
    record_predictions: Annotated[
        bool, typer.Option("--record-predictions", help="Record the masks too.")
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(min=0, help="Duration; by default until the end or Ctrl-C."),
    ] = None,
    igtl_out: Annotated[
        int | None,
        typer.Option(
            "--igtl-out",
            min=1,
            max=65535,
            help="Serve images and label maps over OpenIGTLink at this port, to this computer.",
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the statistics to this file.")
    ] = None,
    sdk: Annotated[
        Path | None, typer.Option(help="The folder of the Clarius SDK, if not installed.")
    ] = None,
    rate: Annotated[float, typer.Option(help="How many times faster to play a recording.")] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Repeat a recording until stopped.")] = False,
    engine: EngineOption = "auto",
    threads: Threads = None,
    structures: ExternalStructures = None,
    along_motion: AlongMotion = False,
    max_gap_ms: MaxGap = 500.0,
) -> None:
    """Segment a live source with one or more models, and show timing statistics."""
    import json

    from sonotempo.live.sources.open import open_source
    from sonotempo.live.stream import run_stream, stream_report

    chosen = cast("Policy", policy)  # the pipeline refuses other values
    if record_predictions and record is None:
        raise SonotempoError("--record-predictions needs a recording; give its path with --record")
    if json_file is not None:
        make_folder(json_file.parent, "--json")
    opened = open_source(source, sdk=sdk, rate=rate, loop=loop)
    with (
        _predictors(model, engine, threads, structures, along_motion) as predictors,
        ExitStack() as parts,
    ):
        publish = None
        if igtl_out is not None:
            from sonotempo.live.igtl.output import IgtlOutput

            names = predictors[0].model.structures
            publish = parts.enter_context(IgtlOutput(igtl_out, names)).publish
        streamed = run_stream(
            source,
            opened,
            predictors,
            make_console(),
            policy=chosen,
            max_gap_ms=max_gap_ms,
            seconds=seconds,
            record=record,
            record_predictions=record_predictions,
            publish=publish,
        )
        report = stream_report(source, chosen, predictors, streamed)
    if json_file is not None:
        with writing(json_file, "--json"):
            json_file.write_text(json.dumps(report, indent=1), encoding="utf-8")
    if streamed.recorded is not None:
        kept = f"{streamed.recorded.frames} frames, {streamed.recorded.predictions} masks"
        make_console().print(f"recorded {kept}: {record}", markup=False, soft_wrap=True)
    if streamed.error is not None:
        raise streamed.error


def live(  # noqa: PLR0917
    source: Annotated[
        str,
        typer.Argument(
            help="A recording, clarius://192.168.1.1:5828, igtl://192.168.1.5:18944, capture://0, "
            "capture://screen, or phantom://axillary."
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="An .onnx file or a ready-made model's name; give two to compare them. By default "
            "the ready-made models for the source.",
        ),
    ] = None,
    sdk: Annotated[
        Path | None, typer.Option(help="The folder of the Clarius SDK, if not installed.")
    ] = None,
    engine: EngineOption = "auto",
    threads: ThreadsBesideWindow = None,
    structures: ExternalStructures = None,
    along_motion: Annotated[
        bool | None,
        typer.Option(
            "--along-motion/--no-along-motion",
            help="Show a single frame model along the tissue's motion too; by default with the "
            "ready-made models.",
        ),
    ] = None,
) -> None:
    """Open napari and start the live comparison: both models on the same frames."""
    from sonotempo.inspection import parse_structures
    from sonotempo.live.models.ready import model_path, models_for_source

    require_window()
    moves = not model if along_motion is None else along_motion
    paths = (
        tuple(map(model_path, model)) if model else models_for_source(source, along_motion=moves)
    )
    known = parse_structures(structures) if structures else None
    from napari_sonotempo.live.open import run_live

    run_live(source, paths, sdk, engine, threads, known, moves, not model)


def segment(  # noqa: PLR0917
    recording: Annotated[Path, typer.Argument(help="A file or folder with one recording.")],
    model: Annotated[
        str,
        typer.Option(help="An .onnx file of `sonotempo export`, or a ready-made model's name."),
    ],
    out: Annotated[Path, typer.Option(help="A new folder for the masks.")],
    video: Annotated[
        Path | None, typer.Option(help="Also write a video with the outlines: .mp4, .mov or .mkv.")
    ] = None,
    engine: EngineOption = "auto",
    threads: Threads = None,
    structures: ExternalStructures = None,
    along_motion: AlongMotion = False,
    max_gap_ms: MaxGap = 500.0,
    follow_links: FollowLinks = False,
) -> None:
    """Segment a whole recording and write the masks as files."""
    from rich.progress import Progress

    from sonotempo.io import open_recording
    from sonotempo.live.segment import segment_recording

    opened = open_recording(recording, follow_links=follow_links)
    console = make_console()
    with (
        _predictors([model], engine, threads, structures, along_motion) as (predictor,),
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
        lines = [f"{card.name} on {predictor.engine}", *([card.note] if card.note else [])]
    lines += [f"left out: {problem}" for problem in done.skipped]
    lines += [f"state reset at frame {number}: {why}" for number, why in done.resets[1:]]
    lines += [f"{done.frames} frames, {arm}: {folder}" for arm, folder in done.folders.items()]
    for line in [*lines, *([f"video: {video}"] if video else [])]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _predictors(
    models: list[str],
    engine: str,
    threads: int | None,
    structures: str | None,
    along_motion: bool,
) -> "Iterator[list[OnnxPredictor]]":
    """Open models, and close them at the end."""
    from sonotempo.inspection import parse_structures
    from sonotempo.live.models.onnx_predictor import OnnxPredictor
    from sonotempo.live.models.ready import model_path

    known = parse_structures(structures) if structures else None
    with ExitStack() as opened:
        yield [
            opened.enter_context(
                OnnxPredictor(path, engine, threads, structures=known, along_motion=along_motion)
            )
            for path in map(model_path, models)
        ]
