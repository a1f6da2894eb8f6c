"""Progress on the terminal: job, epoch, scores and remaining time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class RunProgress:
    """Bars for a whole run, or occasional lines where the output is not a terminal.

    Use as a context manager; ``step`` names the work and its number of parts.
    """

    # A line in a log file at most this often.
    _QUIET_S = 20.0

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self._live = self.console.is_terminal
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self._live,
        )
        self._bar = self._bars.add_task("", total=None, note="")
        self._name = ""
        self._total: float = 0
        self._done: float = 0
        self._first: float = 0
        self._began = self._spoke = time.monotonic()

    def __enter__(self) -> "RunProgress":
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Make room on the terminal for another display."""
        self._bars.stop()
        self._bars.reset(self._bar, description="", total=None, completed=0, note="")
        try:
            yield
        finally:
            self._bars.start()

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def step(self, name: str, total: int, done: int = 0) -> None:
        """Start the next step of the work."""
        self._name, self._total, self._done = name, total, done
        self._began = self._spoke = time.monotonic()
        self._first = done
        self._bars.reset(self._bar, description=name, total=total, completed=done, note="")
        if not self._live:
            self.say(f"{name} …")

    def advance(self, note: str = "") -> None:
        """Count one more part of the current step."""
        self._done += 1
        self._bars.update(self._bar, advance=1, note=note)
        now = time.monotonic()
        if not self._live and now - self._spoke > self._QUIET_S:
            self._spoke = now
            pace_s = (now - self._began) / max(1, self._done - self._first)
            left_s = pace_s * (self._total - self._done)
            self.say(
                f"{self._name}: {self._done:.0f}/{self._total:.0f} {note}, {left_s:.0f} s left"
            )


class EpochProgress(Callback):
    """Advances a :class:`RunProgress` after every epoch."""

    def __init__(self, progress: RunProgress) -> None:
        self._progress = progress

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Show the epoch's numbers."""
        shown = {
            "loss": "training_loss",
            "validation Dice": "validation_dice",
            "memory use": "memory_use",
        }
        numbers = trainer.callback_metrics
        self._progress.advance(
            "  ".join(
                f"{title} {float(numbers[key]):.3f}"
                for title, key in shown.items()
                if key in numbers
            )
        )
