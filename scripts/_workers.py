"""Processes that answer commands line by line, and end with the script that started them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

#: The interpreter that has FAST, if it is not this one; see :func:`fast_python`.
FAST_VARIABLE = "SONOTEMPO_FAST_PYTHON"
FAST_WORKER = Path(__file__).with_name("_fast_worker.py")

_START_SECONDS = 120


class Worker:
    """One process that answers with ``@JSON`` lines; use it as a context manager.

    Args:
        command: what to run.
        quiet: whether its error output is discarded.
    """

    def __init__(self, command: list[str], quiet: bool = False) -> None:
        self._command = command
        self._quiet = quiet

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if self._quiet else None,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, line: str) -> Any:
        """Send a command and return its answer.

        Raises:
            RuntimeError: the process ended instead.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the process has ended; the loop below finds no answer and reports it
        for answer in self._process.stdout:
            if answer.startswith("@"):
                return json.loads(answer[1:])
        raise RuntimeError(f"{' '.join(self._command)} ended without an answer to {line!r}")


def fast_python() -> str | None:
    """Return an interpreter that can import FAST: the one in the variable, or this one."""
    python = os.environ.get(FAST_VARIABLE, sys.executable)
    try:
        tried = subprocess.run(
            [python, "-c", "import fast"], capture_output=True, timeout=_START_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return python if tried.returncode == 0 else None


def fast_worker(python: str, model: Path, frames: Path, engine: str) -> Worker:
    """Return FAST with a model, frames and one of its engines, as FAST spells it."""
    return Worker([python, str(FAST_WORKER), str(model), str(frames), engine], quiet=True)
