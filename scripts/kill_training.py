"""Kill a small cross-validation at random moments, continue it, and compare it with one in peace.

    .venv/bin/python scripts/kill_training.py

``kill -9`` hits the command itself and, with ``engine=local``, in turn one of its workers. The same
command then continues, until the run is finished; runs follow each other until there were
``--kills`` of them with each engine. Every file of each finished run but its logs must have the
bytes of the undisturbed run: weights, scores, masks, tables and pictures. No process, temporary
file, shared memory or half-written file may be left. Prints a table; the exit status is 1 if
anything differs or is left.

It takes about ten minutes on two cores (``--quick``: one, with one kill of ``engine=local`` and one
of its worker) and needs Linux, whose /proc tells which processes belong to it.
"""

import argparse
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import yaml
from rich.console import Console
from rich.table import Table

from sonotempo.phantom.cohort import write_cohort
from sonotempo.phantom.settings import PhantomConfig

_MARK = "SONOTEMPO_KILL_TRAINING"
_PROGRAM = "from sonotempo.cli import main; main()"
# How long processes may take to notice that their command is gone.
_GONE_S = 10.0
_LOGS = {"log", "tensorboard"}
_SETTINGS = {
    "name": "killed",
    "arms": ["frame", "frame_ema", "sequence", "sequence_reset"],
    "data": {"input_size": 32, "structures": "axillary"},
    "folds": {"count": 2},
    "model": {"channels": [4, 8, 8, 8, 8, 8], "memory_channels": 8},
    "train": {"batch_size": 8, "accelerator": "cpu"},
    "sequence": {"batch_size": 2, "clip_frames": 4, "backpropagation_frames": 2},
    "evaluate": {"bootstrap_draws": 100},
}


@dataclass
class Result:
    """What the kills of one engine left behind.

    Attributes:
        engine: its name.
        commands: kills of the command.
        workers: kills of a worker.
        runs: finished runs.
        files: compared in all of them.
        different: files that differ from the undisturbed run, or are missing or too many.
        left: processes, files and shared memory that were left.
        gone_s: the longest time until the last process of a killed command was gone.
    """

    engine: str
    commands: int = 0
    workers: int = 0
    runs: int = 0
    files: int = 0
    different: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    gone_s: float = 0

    @property
    def kills(self) -> int:
        """Of the command and of its workers."""
        return self.commands + self.workers


class Killer:
    """Runs the command again and again, and kills it in between.

    Args:
        folder: for everything that is written.
        config: the experiment.
        chance: when to kill.
    """

    def __init__(self, folder: Path, config: Path, chance: random.Random) -> None:
        self.folder = folder
        self._config = config
        self._chance = chance
        self._mark = uuid.uuid4().hex
        self.scratch = folder / "tmp"
        self.scratch.mkdir()
        self._shared = _shared_memory()
        self._seen: set[str] = set()

    def start(self, run: Path, engine: Sequence[str]) -> "subprocess.Popen[str]":
        """Start the command on one thread a job; return once it says what there is to do."""
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, "crossval", self._config, *engine, "--out", run],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ
            | {_MARK: self._mark, "TMPDIR": str(self.scratch), "OMP_NUM_THREADS": "1"},
        )
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "results in" in line:
                # Whatever follows must not fill the pipe.
                threading.Thread(target=_drain, args=(process.stdout,), daemon=True).start()
                return process
        raise SystemExit("".join(said))

    def peaceful_s(self, run: Path) -> float:
        """Run without a kill; return how long it took after its first words."""
        process = self.start(run, ["engine=sequential"])
        began = time.monotonic()
        if process.wait():
            raise SystemExit(f"the undisturbed run ended with status {process.returncode}")
        return time.monotonic() - began

    def disturb(self, name: str, engine: Sequence[str], kills: int, span_s: float) -> Result:
        """Kill until there were enough kills, run by run, and compare what they leave."""
        result = Result(name)
        while result.kills < kills:
            run, before = self.folder / f"{name}-{result.runs}", result.kills
            while True:
                process = self.start(run, engine)
                if self._ends(process, result, kills, span_s):
                    break
                print(f"{name}: {result.kills} of {kills} kills", file=sys.stderr)
            if result.kills == before:  # the machine is faster now than it was in peace
                span_s /= 2
            if process.returncode:
                raise SystemExit(f"{run} ended with status {process.returncode}")
            result.runs += 1
            self._compare(run, result)
        result.left += [f"process {number}" for number in self._processes()]
        result.left += [str(path) for path in self.scratch.rglob("*") if path.is_file()]
        # Other programs on this machine make some too: names hold the number of their process.
        result.left += [
            f"shared memory {one}"
            for one in _shared_memory() - self._shared
            if self._seen & set(re.findall(r"[0-9]+", one))
        ]
        return result

    def _ends(
        self, process: "subprocess.Popen[str]", result: Result, kills: int, span_s: float
    ) -> bool:
        """Let the command run for a while; return whether it ended by itself."""
        while result.kills < kills:
            try:
                process.wait(self._chance.uniform(0, span_s))
            except subprocess.TimeoutExpired:
                pass  # the moment has come
            else:
                return True
            workers = [number for number in self._processes() if number != process.pid]
            # The command and its workers in turn, where there are any.
            if workers and result.workers < result.commands:
                _kill(self._chance.choice(workers))
                result.workers += 1
                continue
            process.kill()
            process.wait()
            result.commands += 1
            result.gone_s = max(result.gone_s, self._wait_until_gone(result))
            return False
        process.wait()
        return True

    def _wait_until_gone(self, result: Result) -> float:
        began = time.monotonic()
        while left := self._processes():
            if time.monotonic() - began > _GONE_S:
                result.left += [f"process {number} of a killed command" for number in left]
                for number in left:
                    _kill(number)
                break
            time.sleep(0.01)
        return time.monotonic() - began

    def _compare(self, run: Path, result: Result) -> None:
        wanted, found = sums(self.folder / "peace"), sums(run)
        result.files += len(wanted)
        result.different += [
            f"{run.name}/{name}"
            for name in sorted({*wanted, *found})
            if wanted.get(name) != found.get(name)
        ]

    def _processes(self) -> list[int]:
        """Return every process that inherited the mark of this script's commands."""
        wanted = f"{_MARK}={self._mark}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                variables = (folder / "environ").read_bytes()
            except OSError:
                continue  # it has ended, or belongs to somebody else
            if wanted in variables.split(b"\0"):
                found.append(int(folder.name))
        self._seen |= {str(number) for number in found}
        return found


def _drain(pipe: IO[str]) -> None:
    with pipe:
        pipe.read()


def _kill(number: int) -> None:
    try:
        os.kill(number, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended by itself in this moment


def _shared_memory() -> set[str]:
    return {path.name for path in Path("/dev/shm").iterdir()}


def sums(run: Path) -> dict[str, str]:
    """Return a sum of every file of a run but its logs, by path."""
    return {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in run.rglob("*")
        if path.is_file() and not _LOGS & set(path.relative_to(run).parts)
    }


def prepare(folder: Path, epochs: int) -> Path:
    """Write a cohort and the experiment; return its config."""
    write_cohort(folder / "data", PhantomConfig(subjects=4, seconds=0.6, size=64, depth_cm=3))
    settings = _SETTINGS | {
        "data": {
            **_SETTINGS["data"],  # type: ignore[dict-item]
            "root": str(folder / "data"),
            "cache": str(folder / "cache"),
        }
    }
    for section in ("train", "sequence"):
        settings[section] = {**settings[section], "epochs": epochs}  # type: ignore[dict-item]
    config = folder / "killed.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return config


def table(results: Sequence[Result], peaceful_s: float) -> Table:
    """Return the results as a table."""
    shown = Table(title=f"an undisturbed run trains and scores for {peaceful_s:.1f} s")
    for title in (
        *("engine", "kills of the command", "of a worker", "runs", "files compared"),
        *("different", "left behind", "gone after"),
    ):
        shown.add_column(title, justify="left" if title == "engine" else "right")
    for one in results:
        shown.add_row(
            *(one.engine, str(one.commands), str(one.workers), str(one.runs), str(one.files)),
            *(str(len(one.different)), str(len(one.left)), f"{one.gone_s:.2f} s"),
        )
    return shown


def main(arguments: Sequence[str]) -> int:
    """Kill, continue and compare; return 1 if anything differs or is left."""
    parser = argparse.ArgumentParser(description="Is a killed training the same in the end?")
    parser.add_argument("--kills", type=int, default=12, help="with each engine")
    parser.add_argument("--epochs", type=int, default=40, help="of every training")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--quick", action="store_true", help="2 kills of engine=local")
    options = parser.parse_args(arguments)
    engines = {"sequential": ["engine=sequential"], "local": ["engine=local", "engine.jobs=2"]}
    kills, epochs = options.kills, options.epochs
    if options.quick:
        kills, epochs, engines = 2, 20, {"local": engines["local"]}
    console = Console(width=110)
    with tempfile.TemporaryDirectory(prefix="sonotempo-kill-") as place:
        killer = Killer(Path(place), prepare(Path(place), epochs), random.Random(options.seed))
        peaceful_s = killer.peaceful_s(Path(place) / "peace")
        # On average a command is killed after a fifth of the work, so that a run takes several.
        results = [
            killer.disturb(name, words, kills, 0.4 * peaceful_s) for name, words in engines.items()
        ]
    console.print(table(results, peaceful_s))
    for one in results:
        for line in (*one.different, *one.left):
            console.print(f"{one.engine}: {line}", markup=False)
    return 1 if any(one.different or one.left for one in results) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
