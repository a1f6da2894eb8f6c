"""Install sonotempo into ``.venv`` and run its demo: ``python scripts/demo.py``.

Arguments are passed to ``sonotempo demo``; without ``--out`` the results go to ``demo``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from _environment import prepare, program, run, start

if TYPE_CHECKING:
    from collections.abc import Sequence


def demo_arguments(arguments: Sequence[str]) -> list[str]:
    """Return the arguments, with an output folder added if they name none."""
    if any(argument == "--out" or argument.startswith("--out=") for argument in arguments):
        return list(arguments)
    return ["--out", "demo", *arguments]


def main(arguments: Sequence[str]) -> int:
    """Run the demo and return its exit status."""
    prepare(["all", "pyside6"])  # with Qt, which `sonotempo live` needs
    return run([str(program("sonotempo")), "demo", *demo_arguments(arguments)])


if __name__ == "__main__":
    start(main, sys.argv[1:])
