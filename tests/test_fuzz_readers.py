"""The fixed subset of scripts/fuzz_readers.py: no damaged file ends in anything but a sentence."""

import re
import subprocess
import sys

import pytest

from fakes.scripts import SCRIPTS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")


def run(script, *options):
    return subprocess.run(
        [sys.executable, str(SCRIPTS / script), *map(str, options)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_damaged_files_of_every_format_open_or_are_refused_with_a_sentence():
    done = run("fuzz_readers.py", "--count", 15, "--seed", 1)
    assert done.returncode == 0, done.stdout + done.stderr
    (whole,) = re.findall(r"^ ?all +(\d+) +(\d+) +(\d+)", done.stdout, re.MULTILINE)
    mutants, opened, refused = map(int, whole)
    assert mutants >= 20 * 15
    assert opened + refused == mutants
    assert min(opened, refused) > 20


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_live_parts_lose_nothing():
    done = run(
        "soak_live.py", "--frames", 800, "--recorded", 150, "--reconnects", 2, "--crashes", 1
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left: 0 processes, 0 blocks of shared memory" in done.stdout
