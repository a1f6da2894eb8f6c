"""Lock every package with its hashes, and list them as a software bill of materials.

    python scripts/lock.py            # writes requirements.lock
    python scripts/lock.py --sbom sbom.cdx.json
    python scripts/lock.py --check    # whether the lock agrees with constraints.txt; nothing else

The lock holds the versions of `constraints.txt`, which continuous integration installs, and those
of everything that they need, for every platform. To install it:

    pip install --require-hashes -r requirements.lock
    pip install --no-deps .

uv and cyclonedx-bom are installed into a temporary environment that is removed afterwards.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
CONSTRAINTS = ROOT / "constraints.txt"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def main() -> None:
    """Lock, list or check."""
    parser = argparse.ArgumentParser(description="Lock all packages with hashes; list them.")
    parser.add_argument("--sbom", type=Path, help="write a CycloneDX list of the lock")
    parser.add_argument("--check", action="store_true", help="only compare with constraints.txt")
    options = parser.parse_args()
    if options.check:
        sys.exit("\n".join(differences(CONSTRAINTS.read_text(), LOCK.read_text())) or 0)
    with tempfile.TemporaryDirectory() as folder:
        tools = Path(folder)
        venv.create(tools, with_pip=True)
        binaries = tools / ("Scripts" if os.name == "nt" else "bin")
        needed = "cyclonedx-bom" if options.sbom else "uv"
        subprocess.run([binaries / "pip", "install", "--quiet", needed], check=True)
        if options.sbom:
            _list(binaries / "cyclonedx-py", options.sbom)
        else:
            _lock(binaries / "uv")


def _lock(uv: Path) -> None:
    command: list[str | Path] = [
        *(uv, "pip", "compile", "pyproject.toml", "--extra", "all", "--extra", "dev"),
        *("--constraint", CONSTRAINTS.name, "--python-version", "3.11", "--universal"),
        *("--generate-hashes", "--no-header", "--quiet", "--output-file", LOCK.name),
    ]
    subprocess.run(command, cwd=ROOT, check=True)
    sys.exit("\n".join(differences(CONSTRAINTS.read_text(), LOCK.read_text())) or 0)


def _list(cyclonedx: Path, target: Path) -> None:
    command: list[str | Path] = [
        *(cyclonedx, "requirements", LOCK, "--pyproject", ROOT / "pyproject.toml"),
        *("--output-reproducible", "--of", "JSON", "-o", target.resolve()),
    ]
    subprocess.run(command, cwd=ROOT, check=True)


def differences(constraints: str, lock: str) -> list[str]:
    """Return what the constraints pin and the lock has otherwise, and what has no hash.

    >>> differences("numpy==2.4.6", "numpy==2.4.5 \\\\\\n    --hash=sha256:ab")
    ['numpy is 2.4.5 in the lock and 2.4.6 in the constraints; run scripts/lock.py']
    """
    locked: dict[str, set[str]] = {}
    for name, version in _PIN.findall(lock):
        locked.setdefault(_plain(name), set()).add(version)
    found = []
    for name, version in _PIN.findall(constraints):
        versions = locked.get(_plain(name), {version})
        if version not in versions:
            found.append(
                f"{name} is {', '.join(sorted(versions))} in the lock and {version} in the "
                "constraints; run scripts/lock.py"
            )
    blocks = re.split(r"\n(?=\S)", lock)
    found += [
        f"{block.split()[0]} has no hash"
        for block in blocks
        if _PIN.match(block) and "--hash=sha256:" not in block
    ]
    return found


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
