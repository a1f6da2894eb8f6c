"""Long commands end at once on SIGINT and SIGTERM, say how to continue, and keep what is done."""

import os
import signal
import subprocess
import sys
import time

import pytest

from fakes.experiments import tiny_experiment, write_config
from sonotempo.cli.stopping import StopRequest
from sonotempo.config import EngineConfig, TrainConfig

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows cannot send these signals")


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_the_block_with_a_sentence_and_its_status(name, status):
    """In a separate process, because libraries handle signals in that of the tests."""
    code = (
        "import os, signal, time\n"
        "from sonotempo.cli.stopping import stops_on_signals\n"
        f"number = signal.{name}\n"
        "before = signal.getsignal(number)\n"
        "try:\n"
        "    with stops_on_signals('repeat the command to continue'):\n"
        "        os.kill(os.getpid(), number)\n"
        "        time.sleep(60)\n"
        "        print('the block continued')\n"
        "finally:\n"
        "    assert signal.getsignal(number) == before\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == status
    assert done.stderr == f"sonotempo: stopped by {name}; repeat the command to continue\n"
    assert done.stdout == ""


def test_no_handler_of_errors_takes_the_request_for_a_failure():
    assert not issubclass(StopRequest, Exception)
    assert not issubclass(StopRequest, KeyboardInterrupt)


def test_a_second_signal_does_not_wait_for_the_first(tmp_path):
    """Cleaning up may hang; the second signal then ends the process as if nothing caught it."""
    script = tmp_path / "hangs.py"
    script.write_text(
        "import time\n"
        "from sonotempo.cli.stopping import stops_on_signals\n"
        "with stops_on_signals('x'):\n"
        "    try:\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(60)\n"
        "    finally:\n"
        "        print('cleaning', flush=True)\n"
        "        time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        for word in ("ready\n", "cleaning\n"):
            assert process.stdout.readline() == word
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == -signal.SIGTERM


@pytest.mark.parametrize(
    ("name", "where", "status", "engine"),
    [
        ("SIGTERM", "frame, fold 0: training", 143, {}),
        ("SIGINT", "fitting frames", 130, {}),
        ("SIGINT", "frame, fold 0 …", 130, {"kind": "local", "jobs": 2}),
    ],
)
def test_crossval_ends_within_seconds_and_can_be_continued(  # noqa: PLR0917
    shapes, tmp_path, name, where, status, engine
):
    """Lightning handles these signals too: it must neither swallow them nor exit by itself."""
    train = TrainConfig(epochs=5000, batch_size=4, accelerator="cpu")
    experiment = tiny_experiment(
        shapes, tmp_path / "cache", arms=("frame",), train=train, engine=EngineConfig(**engine)
    )
    config = write_config(tmp_path / "tiny.yaml", experiment)
    run = tmp_path / "run"
    program = "from sonotempo.cli import main; main()"
    command = [sys.executable, "-c", program, "crossval", str(config), "--out", str(run)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert any(where in line for line in process.stdout)
        if "fold 0" in where:
            deadline = time.monotonic() + 60
            while not (run / "frame" / "fold-00" / "resume.ckpt").is_file():
                assert time.monotonic() < deadline
                time.sleep(0.05)
        process.send_signal(signal.Signals[name])
        sent = time.monotonic()
        _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert time.monotonic() - sent < 20
    assert f"sonotempo: stopped by {name}; " in said
    assert said.rstrip().endswith(f"are kept in {run}: repeat the command to continue")
    assert "Traceback" not in said
    assert not list(run.rglob(".progress*"))
