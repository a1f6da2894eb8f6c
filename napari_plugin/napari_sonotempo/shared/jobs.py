"""Work that would hold up the window: done in threads, its results handed over when asked."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sonotempo.errors import SonotempoError


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    thread: threading.Thread
    cancelled: threading.Event


class Jobs:
    """Runs functions in threads of their own; :meth:`poll` delivers on the caller's thread.

    So widgets are only ever touched by the thread that polls.
    """

    def __init__(self) -> None:
        self._jobs: list[_Job] = []
        self._results: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()

    def run(
        self,
        name: str,
        work: Callable[[], Any],
        done: Callable[[Any], object],
        failed: Callable[[str], object],
        *,
        must_end: bool = False,
    ) -> None:
        """Do some work.

        Args:
            name: of the thread.
            work: what to do; without Qt and without napari.
            done: called by :meth:`poll` with what it returned.
            failed: called by :meth:`poll` with a sentence for people.
            must_end: whether the program waits for it before it ends. Only for what is bounded.
        """
        self.follow(name, lambda tell, cancelled: done_after(tell, done, work), failed, must_end)

    def follow(
        self,
        name: str,
        work: Callable[[Callable[..., None], threading.Event], object],
        failed: Callable[[str], object],
        must_end: bool = False,
    ) -> None:
        """Do work that tells more than once.

        Args:
            name: of the thread.
            work: gets ``tell(function, *arguments)``, which has :meth:`poll` call the function,
                and an event that is set when nobody wants the rest.
            failed: called by :meth:`poll` with a sentence for people.
            must_end: see :meth:`run`.
        """
        cancelled = threading.Event()

        def tell(function: Callable[..., object], *arguments: Any) -> None:
            self._results.append((function, arguments))

        def whole() -> None:
            try:
                work(tell, cancelled)
            except SonotempoError as error:
                tell(failed, str(error))
            except Exception as error:  # noqa: BLE001  a mistake in the program must be seen too
                tell(failed, f"{name}: {type(error).__name__}: {error}")

        thread = threading.Thread(target=whole, name=f"sonotempo {name}", daemon=not must_end)
        self._jobs.append(_Job(thread, cancelled))
        thread.start()

    def poll(self) -> None:
        """Deliver what has come, in its order."""
        self._jobs = [job for job in self._jobs if job.thread.is_alive()]
        while self._results:
            function, arguments = self._results.popleft()
            function(*arguments)

    @property
    def is_busy(self) -> bool:
        """Whether something is being done or waits to be delivered."""
        return bool(self._results) or any(job.thread.is_alive() for job in self._jobs)

    def cancel(self, timeout_s: float) -> None:
        """Tell every job that nobody wants the rest, and wait a while for their ends."""
        deadline = time.monotonic() + timeout_s
        for job in self._jobs:
            job.cancelled.set()
        for job in self._jobs:
            job.thread.join(max(0.0, deadline - time.monotonic()))
        self._jobs = [job for job in self._jobs if job.thread.is_alive()]


def done_after(
    tell: Callable[..., None], done: Callable[[Any], object], work: Callable[[], Any]
) -> None:
    """Do the work, then tell its result."""
    tell(done, work())
