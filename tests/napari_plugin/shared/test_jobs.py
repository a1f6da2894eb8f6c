"""Work in threads, delivered to the thread that asks."""

import threading
import time

from napari_sonotempo.shared.jobs import Jobs
from sonotempo.errors import SourceError


def polled(jobs, timeout_s=5.0):
    deadline = time.monotonic() + timeout_s
    while jobs.is_busy and time.monotonic() < deadline:
        jobs.poll()
        time.sleep(0.005)
    jobs.poll()


def test_a_result_is_delivered_by_the_thread_that_polls():
    jobs, came = Jobs(), []
    jobs.run(
        "work",
        lambda: threading.current_thread().name,
        lambda name: came.append((name, threading.current_thread())),
        came.append,
    )
    polled(jobs)
    assert came == [("sonotempo work", threading.current_thread())]


def test_a_users_mistake_is_reported_as_its_sentence_and_a_bug_with_its_kind():
    jobs, said = Jobs(), []

    def fail(error):
        raise error

    jobs.run("one", lambda: fail(SourceError("no such probe")), said.append, said.append)
    polled(jobs)
    jobs.run("two", lambda: fail(KeyError("x")), said.append, said.append)
    polled(jobs)
    assert said == ["no such probe", "two: KeyError: 'x'"]


def test_steps_are_reported_in_order():
    jobs, steps = Jobs(), []

    def work(tell, cancelled):
        for step in range(20):
            tell(steps.append, step)

    jobs.follow("steps", work, steps.append)
    polled(jobs)
    assert steps == list(range(20))


def test_cancelling_ends_work_that_listens_and_waits_only_so_long():
    jobs = Jobs()
    release = threading.Event()
    jobs.follow("listens", lambda tell, cancelled: cancelled.wait(30), print)
    jobs.follow("hangs", lambda tell, cancelled: release.wait(30), print)
    began = time.monotonic()
    jobs.cancel(0.2)
    assert time.monotonic() - began < 5
    names = {thread.name for thread in threading.enumerate()}
    assert "sonotempo listens" not in names
    assert "sonotempo hangs" in names
    release.set()
    polled(jobs)
