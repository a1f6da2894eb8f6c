"""A killed training ends like one in peace: the short form of scripts/kill_training.py."""

import os
import sys

import pytest

from fakes.scripts import load_script

script = load_script("kill_training")


@pytest.mark.skipif(sys.platform != "linux", reason="finds its processes in /proc")
def test_two_kills_change_nothing_and_leave_nothing(capsys):
    status = script.main(["--quick"])
    said = capsys.readouterr().out
    assert status == 0, said
    (row,) = [line for line in said.splitlines() if line.startswith("│ local")]
    _, command, worker, runs, _, different, left, _ = (
        cell.strip() for cell in row.strip("│").split("│")
    )
    assert (command, worker, runs, different, left) == ("1", "1", "1", "0", "0")


def test_a_difference_and_a_leftover_are_seen(tmp_path):
    (tmp_path / "frame" / "log").mkdir(parents=True)
    (tmp_path / "frame" / "log" / "metrics.csv").write_text("varies")
    (tmp_path / "frame" / "weights").write_bytes(b"1")
    before = script.sums(tmp_path)
    assert list(before) == ["frame/weights"]
    (tmp_path / "frame" / "weights").write_bytes(b"2")
    (tmp_path / "frame" / ".weights.part").touch()
    after = script.sums(tmp_path)
    assert set(after) == {"frame/weights", "frame/.weights.part"}
    assert after["frame/weights"] != before["frame/weights"]
    assert os.getpid() not in script.Killer._processes(
        type("Fake", (), {"_mark": "nobody has this", "_seen": set()})()
    )
