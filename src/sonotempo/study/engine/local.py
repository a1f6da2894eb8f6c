"""Workers on this machine: one process for each slot, with its share of cores and its GPU."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Self

import torch

from sonotempo.config import Experiment
from sonotempo.study.engine.child import framed
from sonotempo.study.engine.outcome import Outcome
from sonotempo.training.device import device_of

_TAIL_CHARACTERS = 400


class LocalWorkers:
    """Processes on this machine; use as a context manager, which ends them.

    Args:
        slots: how many calls run at a time.
        threads: of each process.
        devices: the GPUs that slots take in turn, as ``CUDA_VISIBLE_DEVICES`` spells them; none
            for a run without CUDA.
    """

    def __init__(self, slots: int, threads: int, devices: tuple[str, ...] = ()) -> None:
        self.slots = slots
        self.threads = threads
        on = f", on {len(devices)} GPU{'s' if len(devices) > 1 else ''}" if devices else ""
        self.described = f"{slots} at a time, {threads} thread{'s' if threads > 1 else ''} each{on}"
        self._devices = devices
        self._ended: queue.SimpleQueue[tuple[int, Outcome]] = queue.SimpleQueue()
        self._processes: dict[int, _Process] = {}
        self._busy: dict[int, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._processes.values():
            process.close()
        self._processes.clear()
        self._busy.clear()

    def room(self) -> int:
        """Return how many slots are free."""
        return self.slots - len(self._busy)

    def start(self, key: str, call: Callable[[], str]) -> None:
        """Send a call to a free slot, whose process starts with its first one."""
        slot = next(slot for slot in range(self.slots) if slot not in self._busy)
        if slot not in self._processes:
            self._processes[slot] = _Process(slot, self._variables(slot), self._ended)
        self._busy[slot] = key
        self._processes[slot].send(call)

    def ended(self, timeout_s: float) -> list[tuple[str, Outcome]]:
        """Return the calls that have ended since; a lost process is replaced when needed."""
        found = []
        try:
            found.append(self._ended.get(timeout=timeout_s))
            while True:
                found.append(self._ended.get_nowait())
        except queue.Empty:
            pass
        for slot, outcome in found:
            if outcome.kind == "lost" and slot in self._processes:
                self._processes.pop(slot).close()
        return [(self._busy.pop(slot), outcome) for slot, outcome in found if slot in self._busy]

    def process_ids(self) -> tuple[int, ...]:
        """Return the ids of the processes."""
        return tuple(process.id for process in self._processes.values())

    def _variables(self, slot: int) -> dict[str, str]:
        variables = {"OMP_NUM_THREADS": str(self.threads)}
        if self._devices:
            variables["CUDA_VISIBLE_DEVICES"] = self._devices[slot % len(self._devices)]
        return variables


class _Process:
    """The process of one slot, and the thread that waits for its answers."""

    def __init__(
        self,
        slot: int,
        variables: dict[str, str],
        ended: "queue.SimpleQueue[tuple[int, Outcome]]",
    ) -> None:
        # Unnamed: nothing is left behind however this process ends.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sonotempo.study.engine.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | variables,
            # Ctrl-C goes to the driver alone, which ends this process.
            start_new_session=True,
        )
        self.id = self._process.pid
        self._thread = threading.Thread(
            target=self._listen, args=(slot, ended), name=f"slot {slot}", daemon=True
        )
        self._thread.start()

    def send(self, call: Callable[[], str]) -> None:
        # If the process has ended, the thread reports the call as lost.
        with suppress(BrokenPipeError):
            self._pipe().write(framed(call))
            self._pipe().flush()

    def close(self) -> None:
        """Kill the process; what it was doing continues from its last epoch."""
        self._process.kill()
        self._process.wait()
        self._thread.join()
        with suppress(BrokenPipeError):  # part of a call was still in the pipe
            self._pipe().close()
        self._errors.close()

    def _pipe(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _listen(self, slot: int, ended: "queue.SimpleQueue[tuple[int, Outcome]]") -> None:
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            for line in answers:
                ended.put((slot, Outcome(**json.loads(line))))
        status = self._process.wait()
        ended.put((slot, Outcome("lost", f"{_words(status)}{self._tail()}")))

    def _tail(self) -> str:
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()[-_TAIL_CHARACTERS:]
        return f" ({said})" if said else ""


def _words(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"


def local_workers(experiment: Experiment) -> LocalWorkers:
    """Return workers for an experiment: as many as it says, or as this machine has room for.

    Without ``engine.jobs`` that is ``engine.jobs_per_gpu`` on each GPU, or one for every two cores.
    """
    engine = experiment.engine
    devices = _gpus() if device_of(experiment).type == "cuda" else ()
    cores = available_cores()
    slots = engine.jobs or len(devices) * engine.jobs_per_gpu or max(1, cores // 2)
    threads = engine.threads or int(os.environ.get("OMP_NUM_THREADS") or max(1, cores // slots))
    return LocalWorkers(slots, threads, devices)


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gpus() -> tuple[str, ...]:
    """Return the GPUs that this process may use; counting them does not touch them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible:
        return tuple(one.strip() for one in visible.split(","))
    return tuple(str(number) for number in range(torch.cuda.device_count()))
