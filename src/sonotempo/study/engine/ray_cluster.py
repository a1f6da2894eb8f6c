"""Workers on a Ray cluster: one task for each call, on whatever node has room."""

import os
import signal
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from sonotempo import __version__
from sonotempo.config import EngineConfig, Experiment
from sonotempo.errors import ConfigError
from sonotempo.study.engine.local import available_cores
from sonotempo.study.engine.outcome import Outcome, outcome_of

try:
    import ray
except ModuleNotFoundError as error:
    if error.name != "ray":
        raise
    raise ConfigError(
        "engine=ray needs Ray; install it on every machine with: pip install 'sonotempo[ray]' "
        "(engine=local needs nothing more)"
    ) from error

# Without GPUs a job takes this many cores, or all of the smallest node.
_CORES = 4
_ANSWER_S = 10
# Each call that waits holds the facts on all recordings in Ray's memory.
_WAITING = 2


class RayWorkers:
    """Tasks on a cluster; use as a context manager, which cancels those that run.

    Args:
        engine: the address of the cluster, and how many jobs share a GPU.
        accelerator: as in ``train.accelerator``.

    Raises:
        ConfigError: no cluster at this address, or none of its nodes can ever run a job.
    """

    def __init__(self, engine: EngineConfig, accelerator: str) -> None:
        self._started = not ray.is_initialized()
        if self._started:
            _connect(engine.address)
        try:
            self._find_share(engine, accelerator)
        except BaseException:
            self._leave()
            raise
        # Lost calls are started again by the schedule, which counts them, not by Ray.
        self._remote = ray.remote(max_retries=0, **self._needs)(_answer)
        self._tasks: dict[Any, str] = {}

    def _find_share(self, engine: EngineConfig, accelerator: str) -> None:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = 0.0 if accelerator == "cpu" else max(node.get("GPU", 0) for node in nodes)
        if accelerator == "gpu" and not gpus:
            raise ConfigError(
                "train.accelerator=gpu, but no node of the Ray cluster has a GPU; start the nodes "
                "with `ray start --num-gpus`, or set train.accelerator=auto"
            )
        with_gpu = [node for node in nodes if node.get("GPU", 0)] if gpus else nodes
        per_node = min(
            node.get("CPU", 0) / (node["GPU"] * engine.jobs_per_gpu) if gpus else node.get("CPU", 0)
            for node in with_gpu
        )
        self.threads = engine.threads or max(1, int(per_node if gpus else min(_CORES, per_node)))
        if self.threads > max(node.get("CPU", 0) for node in with_gpu):
            raise ConfigError(
                f"no node of the Ray cluster has the {self.threads} processor cores of one job; "
                "lower engine.threads"
            )
        self._needs = {
            "num_cpus": self.threads,
            "num_gpus": 1 / engine.jobs_per_gpu if gpus else 0,
        }

    @property
    def slots(self) -> int:
        """How many calls the nodes that are there now can run at a time."""
        found = ray.cluster_resources()
        by_cores = found.get("CPU", 0) / self._needs["num_cpus"]
        gpu_share = self._needs["num_gpus"]
        by_gpus = found.get("GPU", 0) / gpu_share if gpu_share else by_cores
        return max(1, int(min(by_cores, by_gpus) + 1e-6))

    @property
    def described(self) -> str:
        """What the cluster has, in words."""
        nodes = sum(node["Alive"] for node in ray.nodes())
        share = self._needs["num_gpus"]
        return (
            f"Ray, {nodes} node{'s' if nodes > 1 else ''}: {self.slots} at a time, "
            f"{self.threads} core{'s' if self.threads > 1 else ''}"
            f"{f' and {share:.3g} GPU' if share else ''} each"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            ray.cancel(task, force=True)
        self._tasks.clear()
        self._leave()
        # What a signal raises while Ray's C code runs comes out of it as the cause of another.
        if isinstance(error, SystemError) and error.__cause__ is not None:
            raise error.__cause__

    def _leave(self) -> None:
        if self._started:
            ray.shutdown()

    def room(self) -> int:
        """Return how many more calls can be started; the few that wait let a cluster grow."""
        return max(0, self.slots + _WAITING - len(self._tasks))

    def start(self, key: str, call: Callable[[], str]) -> None:
        """Submit a call."""
        self._tasks[self._remote.remote(call, __version__)] = key

    def ended(self, timeout_s: float) -> list[tuple[str, Outcome]]:
        """Return the calls that have ended since; those of a dead node or process are lost."""
        done, _ = ray.wait(list(self._tasks), timeout=timeout_s)
        return [(self._tasks.pop(task), _outcome(task)) for task in done]


def _answer(call: Callable[[], str], version: str) -> Outcome:
    """Run a call on a node."""
    if version != __version__:
        return Outcome(
            "mistake",
            f"a node of the Ray cluster has sonotempo {__version__}, this machine {version}; "
            "install the same version on all",
        )
    return outcome_of(call)


def _outcome(task: Any) -> Outcome:
    try:
        outcome: Outcome = ray.get(task)
    except ray.exceptions.RayError as error:
        return Outcome("lost", f"{type(error).__name__} ({str(error).strip().splitlines()[0]})")
    return outcome


def _connect(address: str | None) -> None:
    """Connect to a cluster, or start one on this machine; nothing is sent to anybody.

    Raises:
        ConfigError: there is no cluster at this address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Its default becomes the only behaviour in a coming version and is announced on every start.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    handler = signal.getsignal(signal.SIGTERM)
    options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if address is None:
        address = "local"
    else:
        _require_answer(address)
    if address == "local":
        options |= {"include_dashboard": False, "num_cpus": available_cores()}
    try:
        ray.init(address=address, **options)
    except (ConnectionError, ValueError) as error:
        raise ConfigError(
            f"there is no Ray cluster at engine.address={address} "
            f"({str(error).strip().splitlines()[0]}); start one with `ray start --head`, or leave "
            "engine.address out to start one on this machine"
        ) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray's exits without a word


def _require_answer(address: str) -> None:
    """Refuse a machine that does not answer: Ray would try for minutes.

    Raises:
        ConfigError: nothing answers at ``host:port``; other addresses are left to Ray.
    """
    host, colon, port = address.rpartition(":")
    if not colon or "/" in host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()
    except OSError as error:
        raise ConfigError(
            f"nothing answers at engine.address={address} ({error.strerror or error}); give the "
            "address that `ray start --head` printed, or auto on a machine of the cluster"
        ) from error


def ray_workers(experiment: Experiment) -> RayWorkers:
    """Return workers on the cluster of an experiment."""
    return RayWorkers(experiment.engine, experiment.train.accelerator)
