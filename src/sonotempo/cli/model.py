"""`sonotempo model`: what networks cost."""

import typer

from sonotempo.cli.terminal import Config, Overrides, make_console

group = typer.Typer(help="Look at networks.")


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
