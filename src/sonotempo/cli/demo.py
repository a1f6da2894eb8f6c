"""`sonotempo demo`: the whole path in a few minutes."""

from pathlib import Path
from typing import Annotated

import typer

from sonotempo.cli.stopping import stops_on_signals
from sonotempo.cli.terminal import make_console


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything that the demo makes.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Stills with nerve and vessel masks; without, a simulated cohort."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Train every arm: about eight times as long.")
    ] = False,
) -> None:
    """Show the whole path in a few minutes: a picture, data, folds, a report and models."""
    with stops_on_signals(f"what is finished is kept in {out}: repeat the command to continue"):
        from sonotempo.demo import run_demo

        run_demo(out, data, make_console(), full=full)
