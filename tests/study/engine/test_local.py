import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from fakes import worker_calls
from fakes.experiments import tiny_experiment
from sonotempo.config import EngineConfig
from sonotempo.errors import SonotempoError
from sonotempo.study.engine import local
from sonotempo.study.engine.local import LocalWorkers, local_workers
from sonotempo.study.engine.outcome import Outcome, RemoteBug, outcome_of

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes are ended by signals here")

TESTS = str(Path(__file__).parents[2])


@pytest.fixture(autouse=True)
def fakes_are_found(monkeypatch):
    found = os.pathsep.join([TESTS, os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", found)


def outcomes(workers, count):
    found = []
    deadline = time.monotonic() + 120
    while len(found) < count:
        assert time.monotonic() < deadline
        found += workers.ended(1)
    return dict(found)


def alive(number):
    """Whether a process runs; one that has ended but was not waited for does not."""
    status = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(number)], capture_output=True, text=True, check=False
    )
    return status.stdout.strip()[:1] not in ("", "Z")


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_calls_end_as_they_do_here_and_a_killed_process_is_replaced():
    with LocalWorkers(2, 3, ("5", "7")) as workers:
        assert workers.described == "2 at a time, 3 threads each, on 2 GPUs"
        workers.start("id", worker_calls.process_id)
        workers.start("killed", worker_calls.killed)
        assert workers.room() == 0
        found = outcomes(workers, 2)
        assert found["killed"].kind == "lost"
        assert found["killed"].words.startswith("signal 9")
        assert workers.room() == 2
        for name in ("process_id", "mistake"):
            workers.start(name, getattr(worker_calls, name))
        again = outcomes(workers, 2)
        assert again["process_id"] == found["id"]  # one process serves many calls
        assert again["mistake"] == Outcome("mistake", "wrong: do it otherwise")
        for name in ("thread_count", "visible_gpus"):
            workers.start(name, getattr(worker_calls, name))
        last = outcomes(workers, 2)
        assert last["thread_count"].words == "3"
        assert last["visible_gpus"].words == "7"
        numbers = workers.process_ids()
        assert len(numbers) == 2
    assert not any(alive(number) for number in numbers)


def test_leaving_ends_a_call_in_the_middle(tmp_path):
    with LocalWorkers(1, 1) as workers:
        workers.start("long", partial(worker_calls.long_call, tmp_path / "id"))
        until((tmp_path / "id").is_file)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert not any(alive(number) for number in [int((tmp_path / "id").read_text())])


def test_workers_end_with_a_driver_that_is_killed(tmp_path):
    code = (
        "import time\n"
        "from functools import partial\n"
        "from pathlib import Path\n"
        "from fakes.worker_calls import long_call\n"
        "from sonotempo.study.engine.local import LocalWorkers\n"
        "workers = LocalWorkers(1, 1)\n"
        f"workers.start('x', partial(long_call, Path({str(tmp_path / 'id')!r})))\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as driver:
        until(lambda: (tmp_path / "id").is_file() and (tmp_path / "id").read_text())
        driver.send_signal(signal.SIGKILL)
    number = int((tmp_path / "id").read_text())
    began = time.monotonic()
    until(lambda: not alive(number))
    assert time.monotonic() - began < 5


def test_an_outcome_raises_what_the_call_raised():
    outcome_of(worker_calls.process_id).raise_mistakes()
    with pytest.raises(SonotempoError, match="wrong: do it otherwise"):
        outcome_of(worker_calls.mistake).raise_mistakes()
    with pytest.raises(OSError, match="No space left") as refused:
        outcome_of(worker_calls.full_disk).raise_mistakes()
    assert (refused.value.errno, refused.value.filename) == (28, "/full/disk")
    with pytest.raises(RemoteBug, match="ZeroDivisionError"):
        outcome_of(worker_calls.bug).raise_mistakes()
    with pytest.raises(SonotempoError, match=r"GPU has too little memory \(CUDA out of memory"):
        outcome_of(worker_calls.out_of_memory).raise_mistakes()


@pytest.mark.parametrize(
    ("engine", "cores", "gpus", "variable", "expected"),
    [
        ({}, 8, 0, None, (4, 2, ())),
        ({}, 1, 0, None, (1, 1, ())),
        ({"jobs": 3}, 8, 0, None, (3, 2, ())),
        ({"jobs": 2, "threads": 5}, 8, 0, "1", (2, 5, ())),
        ({"jobs": 2}, 8, 0, "1", (2, 1, ())),
        ({}, 16, 2, None, (2, 8, ("0", "1"))),
        ({"jobs_per_gpu": 3}, 12, 2, None, (6, 2, ("0", "1"))),
        ({"jobs": 1}, 12, 2, None, (1, 12, ("0", "1"))),
    ],
)
def test_a_machine_is_shared_out(  # noqa: PLR0917
    monkeypatch, engine, cores, gpus, variable, expected
):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(local, "available_cores", lambda: cores)
    monkeypatch.setattr(local.torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(local, "device_of", lambda _: local.torch.device("cuda" if gpus else "cpu"))
    if variable is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    workers = local_workers(tiny_experiment(engine=EngineConfig(kind="local", **engine)))
    assert (workers.slots, workers.threads, workers._devices) == expected


def test_gpus_that_are_hidden_are_not_used(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-8f")
    assert local._gpus() == ("2", "GPU-8f")
