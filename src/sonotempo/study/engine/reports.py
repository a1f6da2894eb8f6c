"""What a job reports while it runs: lines of JSON in a small file in its folder.

The file is also the attempt's licence: whoever started the attempt makes the file and removes it
when the attempt counts as lost. A process that finds it gone ends itself, so that a node that was
only cut off does not write into a job that has started again elsewhere.
"""

import io
import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from sonotempo.training.progress import RunProgress

# Progress is written at most this often.
_PERIOD_S = 0.3
_PATTERN = ".progress-*.jsonl"


class AttemptEnded(Exception):
    """The report of this attempt is gone: it counts as lost."""


class Silent(RunProgress):
    """Progress that nobody sees."""

    def __init__(self) -> None:
        super().__init__(Console(file=io.StringIO()))

    def say(self, text: str) -> None:
        """Say nothing."""


class Reporter(Silent):
    """Progress that is written to the report of an attempt.

    Args:
        path: the report, which exists.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._written = 0.0
        self._note = ""

    def say(self, text: str) -> None:
        """Pass a line on to the user."""
        self._write(say=text)

    def step(self, name: str, total: int, done: int = 0) -> None:
        """Report the next step of the work."""
        self._name, self._total, self._done = name, total, done
        self._write(step=name, total=total, done=done)

    def advance(self, note: str = "") -> None:
        """Report one more part of the current step."""
        self._done += 1
        now = time.monotonic()
        if self._done < self._total and now - self._written < _PERIOD_S:
            return
        self._written = now
        self._write(done=self._done, note=note)

    def _write(self, **event: Any) -> None:
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        except FileNotFoundError as error:
            raise AttemptEnded(self._path) from error
        with os.fdopen(descriptor, "ab") as file:
            file.write(json.dumps(event).encode() + b"\n")


@dataclass
class Report:
    """The report of one attempt, as its driver reads it.

    Attributes:
        path: the file.
        step: what is done now; empty if nothing has been reported yet.
        total: parts of this step.
        done: parts that are done.
        first: parts that were done when the step began.
        began_s: when the step began, on the driver's clock.
        spoke_s: when its last part was done.
        note: the last numbers.
        sayings: lines for the user that nobody has taken yet.
    """

    path: Path
    step: str = ""
    total: float = 0
    done: float = 0
    first: float = 0
    began_s: float = 0
    spoke_s: float = 0
    note: str = ""
    sayings: list[str] = field(default_factory=list)
    _offset: int = 0

    @classmethod
    def create(cls, folder: Path) -> "Report":
        """Make the report of a new attempt in a job's folder; earlier attempts end."""
        folder.mkdir(parents=True, exist_ok=True)
        remove_reports(folder)
        path = folder / f".progress-{secrets.token_hex(4)}.jsonl"
        path.touch(exist_ok=False)
        return cls(path)

    def read(self) -> None:
        """Take in what was written since; an unfinished last line waits."""
        for event in self._events():
            if "say" in event:
                self.sayings.append(event["say"])
            elif "step" in event:
                self.step, self.total = event["step"], event["total"]
                self.done = self.first = event["done"]
                self.began_s, self.note = time.monotonic(), ""
            else:
                self.spoke_s = time.monotonic()
                self.done, self.note = event["done"], event["note"]

    def step_left_s(self) -> float | None:
        """Return what is left of this step at its pace so far, or None if that is unknown."""
        if self.done <= self.first:
            return None
        pace_s = (self.spoke_s - self.began_s) / (self.done - self.first)
        return max(0.0, pace_s * (self.total - self.done) - (time.monotonic() - self.spoke_s))

    def remove(self) -> None:
        """End the attempt."""
        self.path.unlink(missing_ok=True)

    def _events(self) -> Iterator[dict[str, Any]]:
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                lines = file.read()
        except FileNotFoundError:
            return  # somebody removed it: the attempt ends as lost
        whole = lines[: lines.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            yield json.loads(line)


def remove_reports(folder: Path) -> None:
    """Remove the reports of earlier attempts from a job's folder."""
    for path in folder.glob(_PATTERN):
        path.unlink(missing_ok=True)
