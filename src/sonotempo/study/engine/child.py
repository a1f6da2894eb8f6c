"""A worker process on this machine: reads calls from stdin, answers each with a line of JSON.

It ends at once when stdin does: the driver is gone then, however it ended. Calls are pickled by
that driver; nothing else ever reaches this pipe.
"""

import json
import os
import pickle
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import BinaryIO


def main() -> None:
    """Answer calls until the driver is gone."""
    # What libraries print must not reach the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    calls: queue.SimpleQueue[Callable[[], str]] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, calls), daemon=True).start()

    # Not at the top: reading has to begin before these seconds, for the driver may be gone by then.
    from sonotempo.study.engine.outcome import outcome_of  # noqa: PLC0415

    while True:
        print(json.dumps(asdict(outcome_of(calls.get()))), file=answers, flush=True)


def _receive(pipe: BinaryIO, calls: "queue.SimpleQueue[Callable[[], str]]") -> None:
    try:
        while True:
            calls.put(pickle.load(pipe))
    finally:
        os._exit(1)  # no clean-up: the main thread may be in the middle of a step


if __name__ == "__main__":
    main()
