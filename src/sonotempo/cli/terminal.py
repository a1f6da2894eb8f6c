"""What several commands share: the arguments that name an experiment, and where they print."""

from pathlib import Path
from types import TracebackType
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


class StepBars:
    """A bar for each step of some work, on a terminal only; use as a context manager."""

    def __init__(self, console: "Console") -> None:
        from rich.progress import Progress

        self._bars: Progress = Progress(console=console, disable=not console.is_terminal)
        self._bar = self._bars.add_task("", total=None, visible=False)

    def __enter__(self) -> "StepBars":
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pause()

    def step(self, name: str, total: int, /) -> None:
        """Begin a step of so many parts."""
        self._bars.start()
        self._bars.reset(self._bar, description=name, total=total, visible=True)

    def advance(self) -> None:
        """Count one part."""
        self._bars.advance(self._bar)

    def pause(self) -> None:
        """Leave the terminal to a question."""
        self._bars.stop()
