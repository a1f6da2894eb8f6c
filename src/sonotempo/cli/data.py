"""`sonotempo data`: inspect, label, exchange and share data."""

from pathlib import Path
from typing import Annotated

import typer

from sonotempo.cli.propagate import propagate
from sonotempo.cli.terminal import Config, FollowLinks, Overrides, make_console

group = typer.Typer(
    help="Inspect recordings, carry labels, preview the training input, share data."
)
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


@group.command("framing")
def framing(  # noqa: PLR0917
    recording: Annotated[Path, typer.Argument(help="A recording: a file or a folder.")],
    area: Annotated[
        str,
        typer.Option(
            help="TOP,LEFT,BOTTOM,RIGHT of the ultrasound image; find: look for it; whole: all of "
            "the frame."
        ),
    ] = "",
    mm_per_px: Annotated[float | None, typer.Option(help="The size of a pixel.")] = None,
    depth_mm: Annotated[float | None, typer.Option(help="The depth of the area instead.")] = None,
    ruler: Annotated[
        str, typer.Option(help="ROW,COLUMN,ROW,COLUMN,MM instead: two ticks and their distance.")
    ] = "",
    remove: Annotated[bool, typer.Option("--remove", help="Forget what was set.")] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Write a PNG of a frame with the box, to look at.")
    ] = None,
) -> None:
    """Set the image area and scale of a recording that does not know them, or show them."""
    from sonotempo import recording_framing as work
    from sonotempo.io import open_recording

    console = make_console()
    if remove:
        console.print(f"deleted {work.remove_framing(recording)}", markup=False, soft_wrap=True)
        return
    if area or ruler or mm_per_px is not None or depth_mm is not None:
        _, file = work.set_framing(
            recording, area=area, mm_per_px=mm_per_px, depth_mm=depth_mm, ruler=ruler
        )
        console.print(f"kept in {file}", markup=False, soft_wrap=True)
    opened = open_recording(recording)
    frame = opened[0]
    rows, columns = frame.image_HW.shape
    shown, spacing_mm = frame.area, frame.spacing_mm
    where = (
        "the whole frame"
        if shown is None
        else f"{shown.top},{shown.left},{shown.bottom},{shown.right}"
    )
    if frame.sector is not None:
        where += ", of which a sector shows ultrasound"
    scale = "unknown" if spacing_mm is None else f"{spacing_mm[0]:.4g} mm per pixel"
    if spacing_mm is not None:
        depth = (rows if shown is None else shown.shape[0]) * spacing_mm[0]
        scale += f", the image is {depth:.1f} mm deep"
    console.print(f"frames: {rows}x{columns} pixels (rows x columns)", markup=False)
    console.print(f"area:   {where}\nscale:  {scale}", markup=False, soft_wrap=True)
    if picture is not None:
        work.draw_framing(opened, picture)
        console.print(f"wrote {picture}", markup=False, soft_wrap=True)


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
