"""Install sonotempo into ``.venv`` and run its tests: ``python scripts/test.py``.

Arguments are passed to pytest. ``--lint`` runs the static checks first and stops at the first
failure, as CI does.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from _browser import browser_variables
from _display import SKIP_VARIABLE, gui_variables
from _environment import ROOT, prepare, program, run, start

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def lint_commands(python: str) -> list[list[str]]:
    """Return the static checks, the quickest first."""
    return [
        [python, "-m", "ruff", "check"],
        [python, "-m", "ruff", "format", "--check"],
        [python, "-m", "mypy"],
        [str(program("lint-imports"))],
        [str(program("mkdocs")), "build", "--strict"],
        [python, "scripts/test_floors.py"],
    ]


def pytest_command(
    python: str, arguments: Sequence[str], variables: Mapping[str, str]
) -> list[str]:
    """Return the command that runs the tests, in two processes if there are two processors.

    The tests of a file stay in one process, which sets up their shared fixtures once. Where GUI
    tests are skipped, Qt may not be importable: pytest-qt would stop the whole run, and napari's
    plugin would try to import it for every test.
    """
    without_qt = ["-p", "no:pytest-qt", "-p", "no:napari"] if SKIP_VARIABLE in variables else []
    workers = ["-n", "2", "--dist", "loadfile"] if (os.cpu_count() or 1) > 1 else []
    return [python, "-m", "pytest", *workers, *without_qt, *arguments]


def main(arguments: Sequence[str]) -> int:
    """Run the checks and the tests; return the exit status of the first that fails."""
    python = str(prepare(["all", "dev"]))
    if "--lint" in arguments:
        for command in lint_commands(python):
            print("$", *command, flush=True)
            # mkdocs-material advertises its successor on every build unless this is set.
            status = run(command, cwd=ROOT, variables={"NO_MKDOCS_2_WARNING": "1"})
            if status:
                return status
    passed_on = [argument for argument in arguments if argument != "--lint"]
    with gui_variables() as variables:
        command = pytest_command(python, passed_on, variables)
        # Each worker has one processor: several threads would compete for it.
        one_thread = {"OMP_NUM_THREADS": "1"}
        return run(command, cwd=ROOT, variables={**variables, **browser_variables(), **one_thread})


if __name__ == "__main__":
    start(main, sys.argv[1:])
