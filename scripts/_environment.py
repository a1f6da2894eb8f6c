"""Create ``.venv`` in the repository root and install sonotempo into it, once.

Standard library only. A Python that is too old to run sonotempo must still parse this file, so
that its user reads a sentence instead of a syntax error.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
MINIMUM_PYTHON = (3, 11)
STAMP_NAME = "sonotempo-installed.json"
# What a command may take to finish its training step after a signal.
STOP_SECONDS = 30


class Stamp(NamedTuple):
    """A record of the finished install in the virtual environment."""

    root: str
    fingerprint: str
    extras: tuple[str, ...]


def too_old(version: Sequence[int]) -> str | None:
    """Return an error sentence for a Python that is too old, else None."""
    if tuple(version[:2]) >= MINIMUM_PYTHON:
        return None
    needed = ".".join(str(number) for number in MINIMUM_PYTHON)
    given = ".".join(str(number) for number in version[:3])
    return (
        f"sonotempo needs Python {needed} or newer, but this is Python {given}: "
        f"run the script with a newer one, for example 'python{needed}'."
    )


def program(name: str, venv_dir: Path = VENV, os_name: str = os.name) -> Path:
    """Return the path of a program in the virtual environment."""
    if os_name == "nt":
        return venv_dir / "Scripts" / f"{name}.exe"
    return venv_dir / "bin" / name


def fingerprint(root: Path) -> str:
    """Return a hash of the two files that determine what is installed."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update(name.encode() + b"\0" + (root / name).read_bytes() + b"\0")
    return digest.hexdigest()


def read_stamp(venv_dir: Path) -> Stamp | None:
    """Return the stamp of a finished install, or None if it is missing or unreadable."""
    try:
        values = json.loads((venv_dir / STAMP_NAME).read_text(encoding="utf-8"))
        return Stamp(values["root"], values["fingerprint"], tuple(values["extras"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_stamp(venv_dir: Path, stamp: Stamp) -> None:
    """Record a finished install; the file is written completely or not at all."""
    unfinished = venv_dir / f"{STAMP_NAME}.part"
    unfinished.write_text(json.dumps(stamp._asdict(), indent=2), encoding="utf-8")
    unfinished.replace(venv_dir / STAMP_NAME)


def extras_to_install(stamp: Stamp | None, root: Path, extras: Iterable[str]) -> tuple[str, ...]:
    """Return the extras to install now: none if all of them are installed.

    Extras of earlier installs are kept, so the demo never removes the developer's tools.
    """
    if stamp is None or stamp.root != str(root):
        return tuple(sorted(set(extras)))
    if stamp.fingerprint == fingerprint(root) and set(extras) <= set(stamp.extras):
        return ()
    return tuple(sorted({*extras, *stamp.extras}))


def prepare(extras: Iterable[str]) -> Path:
    """Return the Python of a ``.venv`` that has sonotempo with at least these extras."""
    python = program("python")
    stamp = read_stamp(VENV)
    missing = extras_to_install(stamp, ROOT, extras)
    if stamp is not None and not missing:
        if python.exists():
            return python
        missing = stamp.extras  # its interpreter is gone: reinstall everything
    print(
        f"Installing sonotempo [{','.join(missing)}] into {VENV}: about 3.3 GB and a few minutes "
        "the first time (several GB more if only the GPU build of torch is available); "
        "later runs skip this step.",
        flush=True,
    )
    # There is no stamp until pip has finished, so an interrupted install is repeated.
    with contextlib.suppress(FileNotFoundError):
        (VENV / STAMP_NAME).unlink()
    moved = stamp is not None and stamp.root != str(ROOT)
    _make_venv(python, clear=moved)
    status = run(
        [
            *(str(python), "-m", "pip", "install", "--constraint", "constraints.txt"),
            *("--editable", f".[{','.join(missing)}]"),
        ],
        cwd=ROOT,
    )
    if status:
        print(
            "The install did not finish; see pip's output. Run the script again to continue.",
            file=sys.stderr,
            flush=True,
        )
        raise SystemExit(status)
    write_stamp(VENV, Stamp(str(ROOT), fingerprint(ROOT), missing))
    return python


def _make_venv(python: Path, clear: bool) -> None:
    """Create the virtual environment; keep one that works, unless ``clear`` is set."""
    new_enough = f"import sys; sys.exit(sys.version_info < {MINIMUM_PYTHON})"
    if clear or not _succeeds(python, "-c", new_enough):
        if importlib.util.find_spec("ensurepip") is None:
            raise SystemExit(
                "This Python cannot create virtual environments: its 'ensurepip' is missing; "
                "on Debian and Ubuntu install the package python3-venv."
            )
        builder = venv.EnvBuilder(clear=True, with_pip=True, symlinks=os.name != "nt")
        builder.create(VENV)
    elif not _succeeds(python, "-c", "import pip") and run([str(python), "-m", "ensurepip"]):
        raise SystemExit(f"{VENV} has no pip: delete that folder and run the script again.")


def _succeeds(*command: str | Path) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run(
    command: Sequence[str], cwd: Path | None = None, variables: Mapping[str, str] | None = None
) -> int:
    """Run a command with extra environment variables and return its exit status."""
    process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **(variables or {})})
    try:
        return process.wait()
    except KeyboardInterrupt:
        if not _terminal_interrupts_both():
            process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=STOP_SECONDS)
        raise
    finally:
        stop(process)


def _terminal_interrupts_both() -> bool:
    """Return whether Ctrl-C reaches the command without this script's help."""
    if os.name == "nt":
        return True
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False  # no terminal: the signal was sent to this process alone


def stop(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process that this script started; kill it if it does not end in time."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def start(main: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> None:
    """Run a script's main function and exit with its status; child processes end first."""
    message = too_old(sys.version_info[:3])
    if message:
        raise SystemExit(message)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), _leave)
    try:
        status = main(arguments)
    except KeyboardInterrupt:
        status = 130
    # A negative status is the number of the signal that ended the command; shells add 128.
    raise SystemExit(128 - status if status < 0 else status)


def _leave(number: int, _frame: object) -> None:
    """Turn a signal into an exception, so that every ``finally`` runs, undisturbed by another."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)
