"""`sonotempo data`: inspect, label, exchange and share data."""

from pathlib import Path
from typing import Annotated

import typer

from sonotempo.cli.framing import framing
from sonotempo.cli.propagate import propagate
from sonotempo.cli.terminal import Config, FollowLinks, Overrides, make_console

group = typer.Typer(
    help="Inspect recordings, carry labels, preview the training input, exchange and share data."
)
group.command("framing")(framing)
group.command("propagate")(propagate)


@group.command("inspect")
def inspect(
    path: Annotated[Path, typer.Argument(help="A recording, or a folder of them.")],
    structures: Annotated[
        str, typer.Option(help="A named set, or names separated by commas.")
    ] = "nerve+vessel",
    layout: Annotated[
        str, typer.Option(help="auto, annotation_web, stills or recordings.")
    ] = "auto",
    frames_root: Annotated[
        Path | None, typer.Option(help="The original recordings of an annotation export.")
    ] = None,
    follow_links: FollowLinks = False,
) -> None:
    """Describe a recording or data set: subjects, frames, labels, gaps, spacing, faults."""
    from sonotempo.inspection import inspection_table, parse_structures

    table = inspection_table(
        path, parse_structures(structures), layout, frames_root, follow_links=follow_links
    )
    make_console().print(table)


@group.command("preview")
def preview(
    config: Config,
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("preview.png"),
    examples: Annotated[int, typer.Option(min=1, help="How many recordings to show.")] = 3,
) -> None:
    """Draw original frames and augmented clips with their masks."""
    from sonotempo.config_file import load_experiment
    from sonotempo.training.preview_experiment import preview_experiment

    experiment = load_experiment(config, overrides or [])
    preview_experiment(experiment, out, examples)
    make_console().print(f"wrote {out}", markup=False, soft_wrap=True)


@group.command("export")
def export(  # noqa: PLR0917
    src: Annotated[Path, typer.Argument(help="A folder of recordings.")],
    dst: Annotated[
        Path, typer.Argument(help="A new or empty folder; for nnU-Net such as Dataset501_nerves.")
    ],
    to: Annotated[
        str, typer.Option(help="nnunet, coco, cvat, nifti, annotation-web, labelme or dicom.")
    ],
    structures: Annotated[
        str | None, typer.Option(help="A named set, or names separated by commas.")
    ] = None,
    layout: Annotated[
        str | None, typer.Option(help="auto, annotation_web, stills or recordings.")
    ] = None,
    frames_root: Annotated[
        Path | None, typer.Option(help="The original recordings of an annotation export.")
    ] = None,
    follow_links: FollowLinks = False,
    use: Annotated[
        str | None,
        typer.Option(
            help="Origins of the masks: human, accepted, propagated, model; by default the first "
            "two, and all for annotation-web, which keeps them."
        ),
    ] = None,
    all_frames: Annotated[
        bool, typer.Option("--all-frames", help="Frames without a mask too.")
    ] = False,
    shapes: Annotated[
        str, typer.Option(help="masks (exact) or polygons (which can be dragged).")
    ] = "masks",
    folds: Annotated[
        Path | None, typer.Option(help="For nnU-Net: a folds.json, whose folds it then uses.")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="For nnU-Net: a run folder, whose structures and folds it then uses."),
    ] = None,
) -> None:
    """Write a data set for a labelling tool or another trainer."""
    from sonotempo.cli.exchange import ExportOptions, export_data

    options = ExportOptions(
        structures, layout, frames_root, follow_links, use, all_frames, shapes, folds, run
    )
    export_data(make_console(), src, dst, to, options)


@group.command("import")
def import_(  # noqa: PLR0917
    src: Annotated[Path, typer.Argument(help="What the other program wrote.")],
    dst: Annotated[Path, typer.Argument(help="A new or empty folder for the data set.")],
    from_: Annotated[str, typer.Option("--from", help="coco, cvat or nifti.")],
    structures: Annotated[
        str, typer.Option(help="A named set, or names separated by commas: the labels' names.")
    ] = "nerve+vessel",
    frames: Annotated[
        Path | None, typer.Option(help="COCO, CVAT: the video, or the folder of images.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="NIfTI: a JSON file that names label values.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Who was scanned, if the files do not say.")
    ] = None,
    empty_frames: Annotated[
        bool,
        typer.Option("--empty-frames", help="CVAT: nothing is in view where nothing is drawn."),
    ] = False,
) -> None:
    """Read the annotations of a labelling tool as a data set in the layout of Annotation Web."""
    from sonotempo.cli.exchange import import_data
    from sonotempo.exchange.incoming import ImportRequest
    from sonotempo.inspection import parse_structures

    request = ImportRequest(
        src, parse_structures(structures), frames, labels, subject, empty_frames
    )
    import_data(make_console(), from_, request, dst)


@group.command("import-nnunet")
def import_nnunet(
    predictions: Annotated[
        list[Path], typer.Argument(help="nnU-Net's predictions of all cases, one folder or more.")
    ],
    dataset: Annotated[
        Path, typer.Option(help="The data set that `data export --to nnunet` wrote.")
    ],
    out: Annotated[Path, typer.Option(help="A new folder for the masks.")],
) -> None:
    """Sort nnU-Net's predictions for `sonotempo evaluate OUT DATA --like RUN --name nnunet`."""
    from sonotempo.study import nnunet

    count = nnunet.import_nnunet(predictions, dataset, out)
    make_console().print(f"{count} masks: {out}", markup=False, soft_wrap=True)


@group.command("agreement")
def agreement(  # noqa: PLR0917
    readers: Annotated[
        list[Path], typer.Argument(help="One folder for each person who labelled the same frames.")
    ],
    structures: Annotated[
        str, typer.Option(help="A named set, or names separated by commas.")
    ] = "nerve+vessel",
    layout: Annotated[
        str, typer.Option(help="auto, annotation_web, stills or recordings.")
    ] = "auto",
    tolerance_mm: Annotated[
        float, typer.Option(min=0.01, help="How far apart two boundaries that agree may lie (NSD).")
    ] = 1.0,
    out: Annotated[
        Path | None, typer.Option(help="CSV to write, for `sonotempo compare --agreement`.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap over subjects.")] = 0,
) -> None:
    """Compare the labels of several people, frame by frame: Dice and NSD of every structure."""
    from sonotempo.config import EvaluateConfig
    from sonotempo.evaluation.report.agreement_table import agreement_table
    from sonotempo.inspection import parse_layout, parse_structures
    from sonotempo.study.agreement import compare_readers
    from sonotempo.training.progress import RunProgress

    console = make_console()
    rules = EvaluateConfig(nsd_tolerance_mm=tolerance_mm)
    with RunProgress(console) as progress:
        found = compare_readers(
            readers,
            parse_structures(structures),
            progress,
            layout=parse_layout(layout),
            rules=rules,
            seed=seed,
            out=out,
        )
    console.print(agreement_table(found))
    if out is not None:
        console.print(f"agreement: {out}", markup=False, soft_wrap=True)


@group.command("suggest")
def suggest(  # noqa: PLR0917
    run: Annotated[Path, typer.Argument(help="A run folder: its two arms predict every frame.")],
    data: Annotated[Path, typer.Argument(help="Recordings with few labels, or with none.")],
    count: Annotated[int, typer.Option(min=1, help="How many frames at most.")] = 20,
    per_recording: Annotated[int, typer.Option(min=1, help="How many of one recording.")] = 3,
    apart: Annotated[
        int, typer.Option(min=1, help="Fewest frames between two of one recording.")
    ] = 10,
    frames_root: Annotated[
        Path | None, typer.Option(help="The original recordings of an annotation export.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="CSV to write.")] = None,
    cache: Annotated[Path, typer.Option(help="Folder for fitted frames.")] = Path("cache"),
) -> None:
    """Suggest frames to label next: the arms disagree or are unsure, or no label is near."""
    from sonotempo.study.suggest import suggest_frames
    from sonotempo.study.suggest_table import suggestions_table
    from sonotempo.training.progress import RunProgress

    console = make_console()
    with RunProgress(console) as progress:
        found = suggest_frames(
            run,
            data,
            cache,
            progress,
            count=count,
            per_recording=per_recording,
            apart=apart,
            frames_root=frames_root,
            out=out,
        )
    console.print(suggestions_table(found))
    if out is not None:
        console.print(f"queue: {out}", markup=False, soft_wrap=True)


@group.command("deidentify")
def deidentify(  # noqa: PLR0917
    source: Annotated[Path, typer.Argument(help="A folder of recordings, or one of them.")],
    target: Annotated[Path, typer.Argument(help="A new folder for the copies.")],
    key: Annotated[
        Path | None,
        typer.Option(help="The file of old and new names; by default TARGET-key.csv."),
    ] = None,
    area: Annotated[
        str | None,
        typer.Option(
            help="What to keep of every picture: TOP,LEFT,BOTTOM,RIGHT in pixels, or 'whole'. By "
            "default what the file says, else what changes."
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask: somebody has looked at the sheet.")
    ] = False,
    sample: Annotated[int, typer.Option(min=1, help="How many recordings the sheet shows.")] = 12,
    structures: Annotated[
        str, typer.Option(help="The names of labels that are stored by name.")
    ] = "nerve+vessel",
) -> None:
    """Copy recordings without names, dates and the text around the ultrasound.

    A sheet of samples shows what is kept; nothing is copied before you have confirmed it.
    """
    from sonotempo.cli.deidentify import run_deidentify

    run_deidentify(source, target, key, area, yes=yes, sample=sample, structures=structures)
