"""One live table of all jobs: how far each is, and the time left; lines without a terminal."""

import time
from collections.abc import Mapping
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sonotempo.study.engine.outcome import Workers
from sonotempo.study.engine.reports import Report
from sonotempo.study.engine.schedule import Schedule, duration_s
from sonotempo.training.job import Job

# A line in a log file at most this often.
_QUIET_S = 20.0


class Board:
    """Shows the jobs of a run while they run.

    Args:
        jobs: every job, also finished ones, with the one it needs; in the order of the table.
        names: what each is called.
        schedule: their states.
        workers: what they run on.
        console: where to.
    """

    def __init__(
        self,
        jobs: Mapping[Job, Job | None],
        names: Mapping[Job, str],
        schedule: Schedule[Job],
        workers: Workers,
        console: Console,
    ) -> None:
        self._needs = jobs
        self._names = names
        self._schedule = schedule
        self._console = console
        self._workers = workers
        self._reports: dict[Job, Report] = {}
        self._began_s: dict[Job, float] = {}
        self._seconds: dict[str, list[float]] = {}
        self._spoke_s = time.monotonic()
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """Print a line above the table."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def started(self, job: Job, report: Report) -> None:
        """Show a job as started."""
        self._reports[job] = report

    def lost(self, job: Job, why: str) -> None:
        """Say that a job lost its process."""
        self._began_s.pop(job, None)
        del self._reports[job]
        self.say(
            f"{self._names[job]} lost its process ({why}); it starts again from its last epoch"
        )

    def finished(self, job: Job) -> None:
        """Show a job as finished."""
        del self._reports[job]
        if job in self._began_s:
            seconds = time.monotonic() - self._began_s.pop(job)
            self._seconds.setdefault(job.arm, []).append(seconds)
        if self._live is None:
            self.say(f"{self._names[job]}: finished; {self._count()}")

    def look(self) -> None:
        """Read what the jobs have reported, and show it."""
        for job, report in self._reports.items():
            report.read()
            if report.step and job not in self._began_s:
                self._began_s[job] = time.monotonic()
                if self._live is None:
                    self.say(f"{self._names[job]} …")
            while report.sayings:
                self.say(report.sayings.pop(0))
        now = time.monotonic()
        if self._live is not None:
            self._live.update(self._picture(), refresh=True)
        elif now - self._spoke_s > _QUIET_S:
            self._spoke_s = now
            for report in self._reports.values():
                if report.step:
                    self.say(f"{report.step}: {report.done:.0f}/{report.total:.0f} {report.note}")

    def left_s(self) -> float | None:
        """Return the time until the last job ends, or None before the first is known."""
        known = {arm: sum(some) / len(some) for arm, some in self._seconds.items()}
        now = time.monotonic()
        left: dict[Job, float] = {}
        for job, report in self._reports.items():
            step_s = report.step_left_s()
            if step_s is not None:
                left[job] = step_s
                known.setdefault(job.arm, now - self._began_s[job] + step_s)
        if not known:
            return None
        typical = sum(known.values()) / len(known)
        for job in self._schedule.left:
            whole_s = known.get(job.arm, typical)
            past_s = now - self._began_s[job] if job in self._began_s else 0
            left[job] = left.get(job, max(0.0, whole_s - past_s))
        needs = {job: self._needs[job] for job in self._schedule.left}
        return duration_s(needs, left, self._workers.slots, self._reports)

    def _count(self) -> str:
        done, seconds = len(self._needs) - len(self._schedule.left), self.left_s()
        left = f", about {in_words(seconds)} left" if seconds else ""
        return f"{done} of {len(self._needs)} jobs done{left}"

    def _picture(self) -> RenderableType:
        table = Table(box=None, pad_edge=False)
        for title in ("job", "", "", "left"):
            table.add_column(title, style="dim" if title == "left" else "")
        room = max(4, self._console.height - 6)
        rows = [self._row(job) for job in [*self._reports, *self._waiting()]]
        for row in rows[:room]:
            table.add_row(*row)
        if len(rows) > room:
            table.add_row(Text(f"and {len(rows) - room} more that wait", style="dim"))
        return Group(table, Text(self._count()))

    def _waiting(self) -> list[Job]:
        return [job for job in self._schedule.left if job not in self._reports]

    def _row(self, job: Job) -> tuple[RenderableType, ...]:
        report = self._reports.get(job)
        losses = self._schedule.losses(job)
        again = f", attempt {losses + 1}" if losses else ""
        if report is None:
            needed = self._needs[job]
            waits = needed is not None and needed in self._schedule.left
            state = f"waits for {needed.arm}" if waits and needed is not None else "waits"
            return Text(self._names[job], style="dim"), Text(state + again, style="dim"), "", ""
        if not report.step:
            return self._names[job], f"starts{again}", "", ""
        work = report.step.partition(": ")[2] or report.step
        left_s = report.step_left_s()
        return (
            self._names[job],
            f"{work}{again} {report.done:.0f}/{report.total:.0f}",
            Text(report.note, style="dim"),
            "" if left_s is None else in_words(left_s),
        )


def in_words(seconds: float) -> str:
    """Return a duration to be read at a glance.

    >>> in_words(0.42), in_words(42), in_words(600), in_words(9000), in_words(400_000)
    ('0.4 s', '42 s', '10 min', '2 h 30 min', '4 d 15 h')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"
