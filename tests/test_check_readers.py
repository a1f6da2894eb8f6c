"""Every real file at hand: as independent readers read it, or refused in a sentence."""

from pathlib import Path

import pytest

from fakes.scripts import load_script

script = load_script("check_readers")

SHARED = Path(__file__).parents[2] / "shared" / "data"


def test_the_files_of_pydicom_are_read_as_it_reads_them(capsys):
    assert script.report(script.pydicom_files()) == 0, capsys.readouterr().out


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real recordings at {SHARED}")
def test_real_recordings_are_read_as_independent_readers_read_them(capsys):
    files = [path for path in sorted(SHARED.rglob("*")) if path.is_file()]
    stills = [path for path in files if path.suffix == ".png"]
    assert script.report([path for path in files if path not in stills[20:]]) == 0, (
        capsys.readouterr().out
    )
