"""`sonotempo model`: what networks cost."""

import typer

from sonotempo.cli.terminal import Config, Overrides, make_console

group = typer.Typer(help="Look at networks.")


@group.command("summary")
def summary(config: Config, overrides: Overrides = None) -> None:
    """Print parameters and multiply-adds of the arms, side by side."""
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
    make_console().print(table)
