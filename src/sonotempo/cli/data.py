"""`sonotempo data`: inspect recordings, and preview the training input."""

from pathlib import Path
from typing import Annotated

import typer

from sonotempo.cli.terminal import Config, FollowLinks, Overrides, make_console

group = typer.Typer(help="Inspect recordings, and preview the training input.")


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


@group.command("export-nnunet")
def export_nnunet(
    run: Annotated[Path, typer.Argument(help="A run folder: its data, structures and folds.")],
    out: Annotated[Path, typer.Option(help="nnU-Net's nnUNet_raw folder.")],
    number: Annotated[int, typer.Option(min=1, max=999, help="Of the data set.")] = 501,
) -> None:
    """Write a run's labelled frames and folds as a data set of nnU-Net."""
    from sonotempo.study import nnunet
    from sonotempo.training.progress import RunProgress

    console = make_console()
    with RunProgress(console) as progress:
        made = nnunet.export_nnunet(run, out, number, progress)
    console.print(
        f"{made.cases} cases in {made.folds} folds: {made.folder}\nPreprocess, then copy "
        "splits_final.json into the data set's folder in nnUNet_preprocessed, so that nnU-Net "
        "trains in the same folds.",
        markup=False,
        soft_wrap=True,
    )


@group.command("import-nnunet")
def import_nnunet(
    predictions: Annotated[
        list[Path], typer.Argument(help="nnU-Net's predictions of all cases, one folder or more.")
    ],
    dataset: Annotated[Path, typer.Option(help="The data set that export-nnunet wrote.")],
    out: Annotated[Path, typer.Option(help="A new folder for the masks.")],
) -> None:
    """Sort nnU-Net's predictions for `sonotempo evaluate OUT DATA --like RUN --name nnunet`."""
    from sonotempo.study import nnunet

    count = nnunet.import_nnunet(predictions, dataset, out)
    make_console().print(f"{count} masks: {out}", markup=False, soft_wrap=True)
