"""`sonotempo model`: what networks cost, and what an exported model's confidence means."""

from pathlib import Path
from typing import Annotated

import typer

from sonotempo.cli.terminal import Config, FollowLinks, Overrides, make_console

group = typer.Typer(help="Look at networks, and calibrate exported ones.")


@group.command("summary")
def summary(config: Config, overrides: Overrides = None) -> None:
    """Print parameters and multiply-adds of every arm, part by part."""
    from rich.table import Table

    from sonotempo.config_file import load_experiment
    from sonotempo.models.summary import PARTS, cost_of

    experiment = load_experiment(config, overrides or [])
    size = experiment.data.input_size
    costs = {
        arm: cost_of(arm, experiment.model, experiment.structures.channels, size)
        for arm in experiment.arms
    }
    table = Table(title=f"{experiment.name}: one frame of {size}x{size} pixels")
    table.add_column("")
    shown = (*PARTS, "whole")
    for part in shown:
        table.add_column(part, justify="right")
    table.add_row("[bold]parameters[/]")
    for arm, cost in costs.items():
        table.add_row(f"  {arm}", *(f"{cost[part].parameters:,}" for part in shown))
    table.add_section()
    table.add_row("[bold]multiply-adds (M)[/]")
    for arm, cost in costs.items():
        table.add_row(f"  {arm}", *(f"{cost[part].multiply_adds / 1e6:,.1f}" for part in shown))
    make_console().print(table)


@group.command("calibrate")
def calibrate(
    model: Annotated[Path, typer.Argument(help="An exported .onnx file.")],
    data: Annotated[Path, typer.Argument(help="Recordings with masks, not of its training.")],
    out: Annotated[Path, typer.Option(help="The .onnx file to write; may be the same.")],
    cache: Annotated[Path, typer.Option(help="Folder for fitted frames.")] = Path("cache"),
    follow_links: FollowLinks = False,
) -> None:
    """Fit the confidence that the live window shows to other recordings; masks stay the same."""
    from sonotempo.export.recalibrate import recalibrate
    from sonotempo.training.progress import RunProgress

    console = make_console()
    with RunProgress(console) as progress:
        recalibrate(model, data, out, cache, progress, follow_links=follow_links)
    console.print(f"wrote {out}", markup=False, soft_wrap=True)
