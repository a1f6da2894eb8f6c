import io
import json
from types import SimpleNamespace

import pytest
from rich.console import Console

from sonotempo.data.folds import Fold
from sonotempo.study.engine.board import Board
from sonotempo.study.engine.drive import needs_of
from sonotempo.study.engine.reports import Report
from sonotempo.study.engine.schedule import Schedule
from sonotempo.training.job import Job


class Stage:
    """A board with two jobs on a terminal or a log file, on a clock that is set by hand."""

    def __init__(self, run, monkeypatch, *, terminal, folds=1):
        self.now = 100.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        fold = [Fold(number, ("a",), ("b",), ("c",)) for number in range(folds)]
        self.jobs = [Job(arm, one, run) for one in fold for arm in ("frame", "sequence")]
        self.schedule = Schedule(needs_of(self.jobs))
        self.file = io.StringIO()
        console = Console(file=self.file, width=100, height=12, force_terminal=terminal)
        names = {job: job.name for job in self.jobs}
        self.board = Board(
            needs_of(self.jobs), names, self.schedule, SimpleNamespace(slots=1), console
        )

    def start(self, job):
        report = Report.create(job.folder)
        self.schedule.start(job)
        self.board.started(job, report)
        return report

    def picture(self):
        console = Console(file=io.StringIO(), width=100, record=True)
        console.print(self.board._picture())
        return console.export_text()


def write(report, **event):
    with report.path.open("ab") as file:
        file.write(json.dumps(event).encode() + b"\n")


@pytest.fixture
def stage(tmp_path, monkeypatch):
    return Stage(tmp_path, monkeypatch, terminal=True)


def test_a_row_says_what_a_job_does_and_for_how_long_yet(stage):
    frame, _ = stage.jobs
    with stage.board:
        report = stage.start(frame)
        stage.board.look()
        assert "frame, fold 0     starts" in stage.picture()
        assert "sequence, fold 0  waits for frame" in stage.picture()
        write(report, step="frame, fold 0: training", total=10, done=0)
        stage.board.look()
        stage.now += 20
        write(report, done=5, note="loss 0.100")
        stage.board.look()
        picture = stage.picture()
        assert "training 5/10    loss 0.100  20 s" in picture
        # 20 s of this job, and 40 s of the next, of which nothing is known yet
        assert "0 of 2 jobs done, about 60 s left" in picture
        stage.now += 20
        stage.schedule.finish(frame)
        stage.board.finished(frame)
        stage.board.look()
        assert "1 of 2 jobs done, about 40 s left" in stage.picture()
    assert "frame, fold 0" in stage.file.getvalue()


def test_a_lost_job_is_spoken_of_and_its_row_counts_attempts(stage):
    frame, _ = stage.jobs
    with stage.board:
        stage.start(frame)
        stage.board.lost(frame, "signal 9")
        stage.schedule.lose(frame, frame.name, "signal 9")
        assert "waits, attempt 2" in stage.picture()
    assert "lost its process (signal 9)" in stage.file.getvalue()


def test_more_jobs_than_lines_are_counted(tmp_path, monkeypatch):
    stage = Stage(tmp_path, monkeypatch, terminal=True, folds=20)
    picture = stage.picture()
    assert "and 34 more that wait" in picture
    assert len(picture.splitlines()) <= 12


def test_a_log_file_gets_lines_now_and_then(tmp_path, monkeypatch):
    stage = Stage(tmp_path, monkeypatch, terminal=False)
    frame, _ = stage.jobs
    with stage.board:
        report = stage.start(frame)
        write(report, step="frame, fold 0: training", total=10, done=0)
        write(report, say="warning: odd")
        for _ in range(30):
            stage.now += 1
            write(report, done=4, note="loss 1")
            stage.board.look()
        stage.schedule.finish(frame)
        stage.board.finished(frame)
    assert stage.file.getvalue().splitlines() == [
        "frame, fold 0 …",
        "warning: odd",
        "frame, fold 0: training: 4/10 loss 1",
        "frame, fold 0: finished; 1 of 2 jobs done, about 29 s left",
    ]
