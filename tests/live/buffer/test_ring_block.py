"""Shared memory that killed processes left is removed at the next start, and nothing else."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sonotempo.live.buffer.ring_block import PREFIX, remove_leftovers
from sonotempo.live.buffer.ring_buffer import RingBuffer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/shm is of Linux")

SHM = Path("/dev/shm")
OWNER = """
import sys
from sonotempo.live.buffer.ring_buffer import RingBuffer
buffer = RingBuffer(seconds=1, rate_hz=4, height_px=8, width_px=8)
print(buffer.handle.name, flush=True)
input()
"""


@pytest.fixture
def owner():
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    if process.poll() is None:
        process.communicate("\n")
    process.stdin.close()
    process.stdout.close()


def small_buffer():
    return RingBuffer(seconds=1, rate_hz=4, height_px=8, width_px=8)


def test_the_memory_of_a_killed_group_is_removed_at_the_next_start(owner):
    left = SHM / owner.stdout.readline().strip()
    os.killpg(owner.pid, signal.SIGKILL)  # with the tracker that would remove it
    owner.wait()
    assert left.exists()
    with small_buffer() as buffer:
        assert not left.exists()
        assert (SHM / buffer.handle.name).exists()
    assert not (SHM / buffer.handle.name).exists()


def test_the_memory_of_others_that_run_stays(owner):
    other = SHM / owner.stdout.readline().strip()
    with small_buffer() as first, small_buffer() as second:
        assert other.exists()
        assert (SHM / first.handle.name).exists()
        assert (SHM / second.handle.name).exists()


def test_a_process_that_has_the_id_of_a_killed_one_removes_what_that_left(tmp_path):
    left = tmp_path / f"{PREFIX}-{os.getpid()}-0123abcd"
    left.write_bytes(b"x")
    assert remove_leftovers(tmp_path) == [left.name]


@pytest.mark.parametrize(
    "name", ["sonotempo-abc", "sonotempo-1-x", "other-99999999-x", "sonotempo"]
)
def test_what_is_not_ours_stays(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    assert remove_leftovers(tmp_path) == []
    assert (tmp_path / name).exists()


def test_a_block_that_is_locked_in_another_container_stays(tmp_path):
    import fcntl

    block = tmp_path / f"{PREFIX}-2147483000-0123abcd"  # no such process here
    block.write_bytes(b"x")
    with block.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert remove_leftovers(tmp_path) == []
    assert remove_leftovers(tmp_path) == [block.name]
