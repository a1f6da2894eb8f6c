"""Run the tests of readers and commands with the oldest versions that pyproject.toml allows.

    python3 scripts/test_floors.py

A lower bound is a promise to whoever cannot update. This installs the lowest release of each
dependency of the base install and of the extras `video` and `exchange` into `.venv-floors`, once,
and runs the tests that need no more. Arguments are passed to pytest.
"""

from __future__ import annotations

import re
import sys
import tomllib
import venv

from _environment import ROOT, program, run

VENV = ROOT / ".venv-floors"
# What runs the tests: as new as wanted.
TOOLS = ("pytest>=8.3", "hypothesis>=6.100", "pytest-timeout>=2.3", "SimpleITK>=2.5")
# Tests of what the base install and these extras do.
TESTS = (
    "tests/exchange",
    "tests/io",
    "tests/test_commands.py",
    "tests/test_recording.py",
    "tests/test_preprocess.py",
    "tests/test_structures.py",
    "tests/test_flow.py",
)
_BOUND = re.compile(r"(?P<name>[\w.-]+)(\[[^]]*\])?>=(?P<floor>[\d.]+)[^;]*(?P<marker>;.*)?")


def floors() -> list[str]:
    """Return the lowest release series of each dependency as a requirement.

    A bound of `2.0` means any `2.0.x`: a series' first releases are not always on the index.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    bounds = [*project["dependencies"], *extras["video"], *extras["exchange"]]
    return [_lowest(bound) for bound in bounds]


def _lowest(bound: str) -> str:
    found = _BOUND.fullmatch(bound)
    if found is None:
        raise SystemExit(f"{bound!r} in pyproject.toml has no lower bound; write name>=version")
    parts = found["floor"].split(".")
    series = ".".join(parts if len(parts) > 1 else [*parts, "0"])
    return f"{found['name']}=={series}.*{found['marker'] or ''}"


def prepared() -> str:
    """Return the Python of an environment with the floors, made again if they have changed."""
    wanted = [*floors(), *TOOLS]
    python, stamp = str(program("python", VENV)), VENV / "installed.txt"
    if not stamp.is_file() or stamp.read_text("utf-8") != "\n".join(wanted):
        print(f"Installing the oldest supported versions into {VENV} …", flush=True)
        venv.EnvBuilder(clear=True, with_pip=True).create(VENV)
        install = [python, "-m", "pip", "install", "--quiet"]
        status = run([*install, *wanted], cwd=ROOT)
        status = status or run([*install, "--no-deps", "--editable", "."], cwd=ROOT)
        if status:
            raise SystemExit(status)
        stamp.write_text("\n".join(wanted), encoding="utf-8")
    return python


def main(arguments: list[str]) -> int:
    """Install the floors if they have changed, and run the tests."""
    python = prepared()
    without_plugins = ["-p", "no:pytest-qt", "-p", "no:napari", "-p", "no:cacheprovider"]
    variables = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "tests")}
    command = [python, "-m", "pytest", "-q", *without_plugins, *TESTS, *arguments]
    return run(command, cwd=ROOT, variables=variables)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
