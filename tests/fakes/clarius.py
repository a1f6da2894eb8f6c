"""The test's side of the stand-in SDK: switches and orders for the process that loads it."""

import os
import time
from pathlib import Path

SDK = Path(__file__).parent / "clarius_sdk"


class StandIn:
    """Controls the SDK in ``fakes/clarius_sdk`` through files in a folder."""

    def __init__(self, folder, monkeypatch):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        monkeypatch.setenv("CLARIUS_STAND_IN", str(self.folder))

    def turn_on(self, *switches):
        for switch in switches:
            (self.folder / switch).touch()

    def turn_off(self, *switches):
        for switch in switches:
            (self.folder / switch).unlink(missing_ok=True)

    def order(self, what):
        """Have something done once, by the next process that reads the order."""
        (self.folder / what).touch()

    def calls(self):
        """What was called so far, without the process ids."""
        return [line.split(" ", 1)[1] for line in self._lines()]

    def pids(self):
        """The processes that loaded the SDK, in order."""
        return list(dict.fromkeys(int(line.split(" ", 1)[0]) for line in self._lines()))

    def _lines(self):
        path = self.folder / "calls"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def wait_until(condition, what, timeout_s=30.0):
    """Wait until a condition holds; fail with a sentence if it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"timed out after {timeout_s:g} s waiting for: {what}"
        time.sleep(0.01)
    return value


def is_running(pid):
    """Whether a process is running, and not a zombie that its parent has not waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return not stat.parent.parent.exists()
