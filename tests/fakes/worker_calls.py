"""Calls for workers: each ends its process, or the call, in another way."""

import os
import signal
import time
from pathlib import Path

from sonotempo.errors import ConfigError


def process_id() -> str:
    print("what libraries print does not disturb the answers")
    return str(os.getpid())


def thread_count() -> str:
    return os.environ["OMP_NUM_THREADS"]


def visible_gpus() -> str:
    return os.environ.get("CUDA_VISIBLE_DEVICES", "all")


def mistake() -> str:
    raise ConfigError("wrong: do it otherwise")


def full_disk() -> str:
    raise OSError(28, "whatever", "/full/disk")


def bug() -> str:
    return str(1 // 0)


def killed() -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return "still here"


def out_of_memory() -> str:
    class OutOfMemoryError(RuntimeError):
        pass

    raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore")


def long_call(file: Path) -> str:
    file.write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(600)
    return "slept"
