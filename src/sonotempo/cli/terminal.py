"""What several commands share: the arguments that name an experiment, and where they print."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

Config = Annotated[Path, typer.Argument(help="Experiment as YAML, see configs/.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(help="Settings as key=value, for example train.epochs=3.")
]
FollowLinks = Annotated[
    bool,
    typer.Option(
        "--follow-links", help="Follow links, and names in headers, that lead out of the folder."
    ),
]


def make_console() -> "Console":
    """Return where a command prints; rich is imported only once something is."""
    from rich.console import Console

    return Console()
