"""`sonotempo phantom`: simulated cohorts, and a picture of them."""

from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from sonotempo.cli.terminal import make_console


class _MakeByDefault(typer.core.TyperGroup):
    """Reads ``phantom OUT …`` as ``phantom make OUT …``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["make", *args]
        return super().parse_args(ctx, args)


group = typer.Typer(
    cls=_MakeByDefault,
    help="Simulate a cohort: `phantom OUT` is short for `phantom make OUT`.",
)


@group.command("make")
def make(  # noqa: PLR0917
    out: Annotated[Path, typer.Argument(help="Folder for the cohort; repeat to continue.")],
    procedure: Annotated[str, typer.Option(help="axillary, femoral or lookalikes.")] = "axillary",
    subjects: Annotated[int, typer.Option(help="Number of subjects, one recording each.")] = 20,
    seconds: Annotated[float, typer.Option(help="Length of each recording.")] = 4.0,
    fps: Annotated[float, typer.Option(help="Frames per second.")] = 20.0,
    size: Annotated[int, typer.Option(help="Side of the frames in pixels.")] = 256,
    depth: Annotated[
        float | None, typer.Option(help="Imaging depth in cm, 2 to 8; by default chosen to fit.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    fading: Annotated[float, typer.Option(help="How much nerves fade with tilt, 0 to 1.")] = 0.5,
    decorrelation: Annotated[
        float, typer.Option(help="How fast speckle changes across the plane; 1 is hand-held.")
    ] = 1.0,
    event_rate: Annotated[float, typer.Option(help="Disturbances per second.")] = 0.1,
    variability: Annotated[float, typer.Option(help="Spread of the anatomy; 1 as measured.")] = 1.0,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="Independent frames: a memory cannot help.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that simulate.")] = 1,
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

    console = make_console()
    with Progress(console=console) as progress:
        bar = progress.add_task("simulating", total=subjects)
        made = write_cohort(out, settings, on_subject=lambda: progress.advance(bar), jobs=jobs)
    console.print(
        f"{subjects} simulated subjects, {made} of them new: {out}", soft_wrap=True, markup=False
    )


@group.command("preview")
def preview(
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("phantom.png"),
    seed: Annotated[int, typer.Option(help="The same seed draws the same subjects.")] = 0,
    size: Annotated[int, typer.Option(min=64, help="Side of the frames in pixels.")] = 384,
) -> None:
    """Draw both procedures on three scanners into one PNG, with outlined masks."""
    from sonotempo.phantom.sheet import draw_sheet

    draw_sheet(out, seed=seed, size=size)
    make_console().print(f"wrote {out}", soft_wrap=True, markup=False)
