"""Ends a long command when the user or the system asks for it: at once, and with a sentence."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest(BaseException):
    """SIGINT or SIGTERM has arrived.

    It is not an Exception, so that nothing on the way out takes it for a failure; nor a
    KeyboardInterrupt, which Lightning turns into another exit.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def stops_on_signals(advice: str) -> Iterator[None]:
    """Leave the block at the next step after SIGINT or SIGTERM, as status 130 or 143.

    A second signal ends the process without waiting for anything. Only for the main thread.

    Args:
        advice: what is kept and how to continue, for the sentence on stderr.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)

    def stop(number: int, _: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)
        raise StopRequest(number)

    earlier = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    except StopRequest as request:
        name = signal.Signals(request.number).name
        print(f"sonotempo: stopped by {name}; {advice}", file=sys.stderr)
        raise SystemExit(128 + request.number) from None
    finally:
        for number, handler in zip(numbers, earlier, strict=True):
            signal.signal(number, handler)
