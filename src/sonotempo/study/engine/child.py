"""A worker process on this machine: reads calls from stdin, answers each with a line of JSON.

It ends at once when stdin does: the driver is gone then, however it ended. Calls are pickled by
that driver, each after its length; nothing else ever reaches this pipe.
"""

import json
import os
import queue
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from multiprocessing.reduction import ForkingPickler
from typing import BinaryIO

_LENGTH = struct.Struct("!Q")


def main() -> None:
    """Answer calls until the driver is gone."""
    # What libraries print must not reach the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, calls), daemon=True).start()

    # Not at the top: these take seconds, in which the driver may end.
    from sonotempo.study.engine.outcome import outcome_of  # noqa: PLC0415

    while True:
        content = calls.get()
        outcome = outcome_of(partial(_carry_out, content))
        print(json.dumps(asdict(outcome)), file=answers, flush=True)


def framed(call: Callable[[], str]) -> bytes:
    """Return a call as it is written to the pipe."""
    content = bytes(ForkingPickler.dumps(call))  # as the connections of multiprocessing do
    return _LENGTH.pack(len(content)) + content


def _carry_out(content: bytes) -> str:
    call: Callable[[], str] = ForkingPickler.loads(content)
    return call()


def _receive(pipe: BinaryIO, calls: "queue.SimpleQueue[bytes]") -> None:
    """Pass calls on as bytes: what unpickles one imports for seconds and would miss the end."""
    while header := pipe.read(_LENGTH.size):
        (length,) = _LENGTH.unpack(header)
        calls.put(pipe.read(length))
    os._exit(1)  # no clean-up: the main thread may be in the middle of a step


if __name__ == "__main__":
    main()
