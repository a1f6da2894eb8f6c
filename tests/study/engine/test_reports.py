import pytest

from sonotempo.study.engine import reports
from sonotempo.study.engine.reports import AttemptEnded, Report, Reporter, remove_reports


@pytest.fixture
def report(tmp_path, monkeypatch):
    monkeypatch.setattr(reports, "_PERIOD_S", 0)
    return Report.create(tmp_path / "frame" / "fold-00")


def test_the_driver_reads_what_the_job_reports(report):
    reporter = Reporter(report.path)
    report.read()
    assert report.step == ""
    reporter.say("warning: [odd] \N{SNOWMAN}\nline")
    reporter.step("frame, fold 0: training", 10, 4)
    reporter.advance("loss 0.5")
    report.read()
    assert report.sayings == ["warning: [odd] \N{SNOWMAN}\nline"]
    assert (report.step, report.total, report.done, report.first, report.note) == (
        *("frame, fold 0: training", 10, 5, 4),
        "loss 0.5",
    )
    reporter.step("frame, fold 0: scoring", 2)
    report.read()
    assert (report.step, report.done, report.note) == ("frame, fold 0: scoring", 0, "")


def test_progress_is_written_now_and_then_but_the_last_part_always(tmp_path):
    report = Report.create(tmp_path)
    reporter = Reporter(report.path)
    reporter.step("training", 1000)
    for _ in range(1000):
        reporter.advance()
    report.read()
    assert report.done == 1000
    assert len(report.path.read_bytes().splitlines()) < 100


def test_a_line_that_is_half_written_waits_for_its_rest(report):
    with report.path.open("ab") as file:
        file.write(b'{"step": "training", "total": 3, "done": 0}\n{"done": 2,')
        file.flush()
        report.read()
        assert (report.step, report.done) == ("training", 0)
        file.write(b' "note": "x"}\n')
        file.flush()
        report.read()
    assert (report.done, report.note) == (2, "x")


def test_the_time_left_follows_the_pace(report, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(reports.time, "monotonic", lambda: now[0])
    reporter = Reporter(report.path)
    reporter.step("training", 10, 2)
    report.read()
    assert report.step_left_s() is None
    now[0] += 6
    for _ in range(2):
        reporter.advance()
    report.read()
    assert report.step_left_s() == pytest.approx(18)
    now[0] += 5
    assert report.step_left_s() == pytest.approx(13)
    now[0] += 50
    assert report.step_left_s() == 0


def test_an_attempt_whose_report_is_gone_ends_and_does_not_write_into_the_next(report):
    earlier = Reporter(report.path)
    earlier.step("training", 3)
    later = Report.create(report.path.parent)
    assert not report.path.exists()
    with pytest.raises(AttemptEnded):
        earlier.advance()
    later.read()
    assert later.step == ""
    later.remove()
    later.read()
    assert list(later.path.parent.iterdir()) == []


def test_reports_that_a_killed_driver_left_are_removed_and_nothing_else(report):
    other = report.path.with_name("weights.safetensors")
    other.touch()
    remove_reports(report.path.parent)
    assert list(report.path.parent.iterdir()) == [other]
    remove_reports(report.path.parent / "no such folder")
