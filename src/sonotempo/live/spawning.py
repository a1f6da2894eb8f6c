"""Starts child processes safely from a program with threads and windows, and names their end."""

import signal
import sys
import threading
import types
from multiprocessing.process import BaseProcess

_starting = threading.Lock()


def start_spawned(process: BaseProcess) -> None:
    """Start a ``spawn`` process without running the host's main script a second time.

    A spawned process imports ``__main__`` to unpickle objects from there; here are none. A script
    without ``if __name__ == "__main__"`` would open its window again.
    """
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            process.start()
        finally:
            sys.modules["__main__"] = main


def exit_words(exit_code: int | None) -> str:
    """Return how a process ended; empty if it is alive or succeeded.

    >>> exit_words(-6), exit_words(3), exit_words(0), exit_words(None)
    ('signal SIGABRT', 'exit code 3', '', '')
    """
    if not exit_code:
        return ""
    if exit_code < 0:
        try:
            return f"signal {signal.Signals(-exit_code).name}"
        except ValueError:
            return f"signal {-exit_code}"
    return f"exit code {exit_code:#x}" if sys.platform == "win32" else f"exit code {exit_code}"
