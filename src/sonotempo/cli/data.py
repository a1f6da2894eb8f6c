"""`sonotempo data`: inspect, preview, and exchange data sets with other programs."""

from pathlib import Path
from typing import Annotated

import typer

from sonotempo.cli.terminal import Config, Overrides, make_console

group = typer.Typer(help="Inspect, preview and exchange data sets.")


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
) -> None:
    """Describe a recording or data set: subjects, frames, labels, gaps, spacing, faults."""
    from sonotempo.inspection import inspection_table, parse_structures

    table = inspection_table(path, parse_structures(structures), layout, frames_root)
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

    options = ExportOptions(structures, layout, frames_root, all_frames, shapes, folds, run)
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
