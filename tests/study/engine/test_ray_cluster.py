"""A Ray cluster of two nodes on this machine, and one of them dies half way."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fakes.experiments import Told, tiny_experiment, write_config
from fakes.runs import files_that_count
from sonotempo.cli.stopping import StopRequest
from sonotempo.config import TrainConfig
from sonotempo.study.crossval import crossvalidate

pytest.importorskip("ray")
from sonotempo.study.engine.ray_cluster import RayWorkers

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Ray's test cluster needs Linux or macOS")

TWO_NODES = """
import json, sys, threading, time
from pathlib import Path
from ray.cluster_utils import Cluster
from sonotempo.config_file import load_experiment
from sonotempo.study.crossval import crossvalidate
from sonotempo.training.progress import RunProgress

config, run, folder = (Path(word) for word in sys.argv[1:])
small = dict(num_cpus=1, object_store_memory=80_000_000)
cluster = Cluster(True, head_node_args=small | dict(include_dashboard=False, temp_dir=str(folder)))
second = cluster.add_node(**small)
killed = []

def kill_when_both_train():
    checkpoints = [run / "frame" / f"fold-{fold:02d}" / "resume.ckpt" for fold in (0, 1)]
    while not all(path.is_file() for path in checkpoints):
        if any((path.parent / "finished.json").is_file() for path in checkpoints):
            return
        time.sleep(0.02)
    cluster.remove_node(second, allow_graceful=False)
    killed.append(True)

threading.Thread(target=kill_when_both_train, daemon=True).start()
address = f"engine.address={cluster.address}"
try:
    experiment = load_experiment(config, ["engine=ray", address])
    with RunProgress() as progress:
        crossvalidate(experiment, run, progress)
finally:
    cluster.shutdown()
print(json.dumps({"killed": bool(killed)}))
"""


@pytest.fixture
def short_folder():
    """Ray's sockets lie in it: their paths must not be long."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_a_node_that_dies_half_way_changes_nothing_in_the_result(shapes, tmp_path, short_folder):
    train = TrainConfig(epochs=60, batch_size=4, accelerator="cpu", learning_rate=1e-2)
    experiment = tiny_experiment(shapes, tmp_path / "cache", train=train)
    with Told() as told:
        crossvalidate(experiment, tmp_path / "in turn", told)
    config = write_config(tmp_path / "tiny.yaml", experiment)
    script = tmp_path / "two_nodes.py"
    script.write_text(TWO_NODES, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, config, tmp_path / "wide", short_folder],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"},
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert json.loads(lines[-1])["killed"]
    assert any("engine=ray: Ray, 2 nodes: 2 at a time, 1 core each" in line for line in lines)
    (lost,) = [line for line in lines if "lost its process" in line]
    assert lost.startswith("frame, fold ")
    assert files_that_count(tmp_path / "wide") == files_that_count(tmp_path / "in turn")


def test_a_signal_inside_rays_code_is_still_that_signal():
    """Ray's compiled code wraps what a signal's handler raises in a SystemError."""
    workers = RayWorkers.__new__(RayWorkers)
    workers._tasks, workers._started = {}, False

    def wrap(cause):
        with workers:
            raise SystemError("returned a result with an exception set") from cause

    with pytest.raises(StopRequest) as stopped:
        wrap(StopRequest(15))
    assert stopped.value.number == 15
    with pytest.raises(SystemError, match="returned a result"):
        wrap(None)
