"""Commands in a separate process, with nothing beyond the base install."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fakes.files import noise, write_meta, write_png


def sonotempo(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-c", "from sonotempo.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        check=False,
        env={**os.environ, **variables},
        timeout=120,
    )


@pytest.mark.parametrize(
    "command", ["", "data", "data inspect", "stream", "segment", "phantom make", "crossval"]
)
def test_every_command_explains_itself(command):
    done = sonotempo(*command.split(), "--help")
    assert done.returncode == 0, done.stderr.decode()
    assert b"Usage" in done.stdout


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_names_that_the_terminal_cannot_show_are_no_error(tmp_path, encoding):
    folder = tmp_path / "日本" / "Ünal"
    write_png(folder / "f_0.png", noise(8, 9))
    (folder.parent / "記録.xyz").write_bytes(b"?")
    done = sonotempo("data", "inspect", folder.parent, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr.decode()
    assert b"recordings" in done.stdout
    done = sonotempo("data", "inspect", tmp_path / "無い", PYTHONIOENCODING=encoding)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_inspect_says_what_was_assumed_and_how_images_were_turned(tmp_path):
    write_meta(tmp_path / "a.mha", noise(3, 8, 9), UltrasoundImageOrientation="UN")
    done = sonotempo("data", "inspect", tmp_path / "a.mha", PYTHONIOENCODING="utf-8")
    said = " ".join(done.stdout.decode().split())
    assert "frame rate unknown; 25 frames per second assumed" in said
    assert "stored as UN; turned to MF" in said


def test_inspect_says_that_orientations_are_mixed(tmp_path):
    for name, flag in (("a", "UN"), ("b", "MF"), ("c", "UN")):
        write_meta(tmp_path / f"{name}.mha", np.stack([noise(8, 9)] * 2),
                   UltrasoundImageOrientation=flag)  # fmt: skip
    done = sonotempo("data", "inspect", tmp_path, PYTHONIOENCODING="utf-8", COLUMNS="120")
    said = " ".join(done.stdout.decode().split())
    assert "stored as MF (1 recording), UN (2 recordings); turned to MF" in said
    assert "unknown in 3 recordings; 25 per second assumed" in said
