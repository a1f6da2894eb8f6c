import io
import re

import pytest
from rich.console import Console

from sonotempo.training import progress as progress_module
from sonotempo.training.progress import RunProgress


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    return clock


def quiet():
    return RunProgress(Console(file=io.StringIO(), width=60))


def test_a_log_file_gets_a_line_now_and_then_with_the_time_left(clock):
    with quiet() as progress:
        progress.step("training", 10, 4)
        for _ in range(3):
            clock.now += 15
            progress.advance("loss 0.5")
    lines = progress.console.file.getvalue().splitlines()
    assert lines[0] == "training …"
    assert lines[1:] == ["training: 6/10 loss 0.5, 60 s left"]


def test_names_in_brackets_are_printed_as_they_are():
    progress = quiet()
    progress.say("skipped: /data/[old]/scan.png " + "x" * 80)
    assert progress.console.file.getvalue().splitlines() == [
        "skipped: /data/[old]/scan.png " + "x" * 80
    ]


def test_a_terminal_shows_a_bar_that_ends_with_the_run():
    file = io.StringIO()
    with RunProgress(Console(file=file, width=100, force_terminal=True)) as progress:
        progress.step("training [x]", 2)
        progress.advance("loss 0.5")
        progress.advance("loss 0.4")
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", file.getvalue())
    assert "training" in shown
    assert "2/2" in shown
    assert "loss 0.4" in shown


def test_counting_before_a_step_is_harmless(clock):
    progress = quiet()
    clock.now += 100
    progress.advance()
