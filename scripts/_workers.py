"""A process that is told what to do line by line, and ended with whoever started it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

#: The interpreter that has FAST, if it is not this one; see :func:`fast_python`.
FAST_VARIABLE = "SONOTEMPO_FAST_PYTHON"
FAST_WORKER = Path(__file__).with_name("_fast_worker.py")

_START_SECONDS = 120


class Worker:
    """One process that answers ``@JSON`` lines; use as a context manager."""

    def __init__(self, command: list[str]) -> None:
        self._command = command

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if "_fast_worker" in " ".join(self._command) else None,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, line: str) -> Any:
        """Give a command and return its answer.

        Raises:
            RuntimeError: the process has ended instead.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: the loop below finds no answer and says so
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
    """Return FAST on a model and frames; ``engine`` as FAST spells it."""
    return Worker([python, str(FAST_WORKER), str(model), str(frames), engine])
