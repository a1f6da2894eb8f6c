"""Which processes still run."""

import os
import re
import subprocess
import sys

import pytest

from sonotempo.owners import has_ended, this_machine


@pytest.mark.skipif(sys.platform == "win32", reason="asks about processes as POSIX does")
def test_only_processes_that_are_gone_have_ended():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not has_ended(child.pid)
    child.communicate(b"\n")
    assert has_ended(child.pid)
    assert not has_ended(os.getpid())


@pytest.mark.parametrize("pid", [0, -1, 2**31, 2**80])
def test_what_is_no_process_id_is_not_taken_for_one(pid):
    assert not has_ended(pid)


def test_a_machine_is_named_by_digits():
    assert re.fullmatch(r"[0-9a-f]{8}", this_machine())
    assert this_machine() == this_machine()
