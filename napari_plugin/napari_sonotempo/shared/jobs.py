"""Work in threads: the results are delivered on the GUI thread."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from sonotempo.errors import SonotempoError


class Jobs:
    """Runs functions in threads; :meth:`poll` delivers their results on the caller's thread.

    So only the thread that polls ever touches a widget.
    """

    def __init__(self) -> None:
        self._jobs: dict[threading.Thread, threading.Event] = {}  # the event: cancelled
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
        """Run a function.

        Args:
            name: of the thread.
            work: what to do, without Qt and without napari.
            done: :meth:`poll` calls it with what the work returned.
            failed: :meth:`poll` calls it with a sentence for the user.
            must_end: whether the program waits for the work before it ends. Only for work that
                takes a limited time.
        """
        self.follow(name, lambda tell, _: tell(done, work()), failed, must_end=must_end)

    def follow(
        self,
        name: str,
        work: Callable[[Callable[..., None], threading.Event], object],
        failed: Callable[[str], object],
        *,
        must_end: bool = False,
    ) -> None:
        """Run a function that reports more than once.

        Args:
            name: of the thread.
            work: gets ``tell(function, *arguments)``, which has :meth:`poll` call the function,
                and an event that is set when the rest is not wanted any more.
            failed: see :meth:`run`.
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
            except Exception as error:  # noqa: BLE001  a bug must be visible too
                tell(failed, f"{name}: {type(error).__name__}: {error}")

        thread = threading.Thread(target=whole, name=f"sonotempo {name}", daemon=not must_end)
        self._jobs[thread] = cancelled
        thread.start()

    def poll(self) -> None:
        """Deliver the results that have arrived, in order."""
        self._drop_ended()
        while self._results:
            function, arguments = self._results.popleft()
            function(*arguments)

    @property
    def is_busy(self) -> bool:
        """Whether a job is running or a result waits to be delivered."""
        return bool(self._results) or any(thread.is_alive() for thread in self._jobs)

    def cancel(self, timeout_s: float) -> None:
        """Cancel every job, and wait for the threads to end, at most for a while."""
        deadline = time.monotonic() + timeout_s
        for cancelled in self._jobs.values():
            cancelled.set()
        for thread in self._jobs:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._drop_ended()

    def _drop_ended(self) -> None:
        self._jobs = {thread: event for thread, event in self._jobs.items() if thread.is_alive()}
