"""How a call ended in another process, in words that can be sent back."""

import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

from sonotempo.errors import SonotempoError
from sonotempo.study.engine.reports import AttemptEnded


class RemoteBug(RuntimeError):
    """An unexpected error in a worker, with the traceback from there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended.

    Attributes:
        kind: ``done``; ``mistake``, a sentence for the user; ``disk``, refused by the operating
            system; ``bug``; ``lost``, the process is gone.
        words: the result, the sentence, the traceback or how the process ended.
        errno: of the operating system.
        file: that it refused.
    """

    kind: Literal["done", "mistake", "disk", "bug", "lost"]
    words: str = ""
    errno: int = 0
    file: str = ""

    def raise_mistakes(self) -> None:
        """Raise again what the call raised.

        Raises:
            SonotempoError: a user's mistake.
            OSError: the disk refused.
            RemoteBug: anything else.
        """
        if self.kind == "mistake":
            raise SonotempoError(self.words)
        if self.kind == "disk":
            raise OSError(self.errno, self.words, self.file or None)
        if self.kind == "bug":
            raise RemoteBug(self.words)


def outcome_of(call: Callable[[], str]) -> Outcome:
    """Run a call; whatever it raises becomes an outcome."""
    try:
        return Outcome("done", call())
    except Exception as error:  # noqa: BLE001  reported to the driver, which raises it
        return _failure(error)


def _failure(error: Exception) -> Outcome:
    if isinstance(error, AttemptEnded):
        return Outcome("lost", "another attempt took its place")
    if isinstance(error, SonotempoError):
        return Outcome("mistake", str(error))
    if isinstance(error, OSError) and error.errno is not None:
        return Outcome("disk", os.strerror(error.errno), error.errno, str(error.filename or ""))
    if type(error).__name__ == "OutOfMemoryError":  # torch's, not imported here
        return Outcome(
            "mistake",
            f"the GPU has too little memory ({str(error).splitlines()[0]}); lower "
            "engine.jobs_per_gpu, train.batch_size or sequence.batch_size",
        )
    return Outcome("bug", "".join(traceback.format_exception(error)))


class Workers(Protocol):
    """Processes that run calls, on this machine or on others."""

    @property
    def slots(self) -> int:
        """How many calls run at a time."""

    @property
    def threads(self) -> int:
        """The threads that each call may use."""

    @property
    def described(self) -> str:
        """What there is, in words."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """End every process at once."""

    def room(self) -> int:
        """Return how many more calls can be started now."""

    def start(self, key: str, call: Callable[[], str]) -> None:
        """Start a call, which has to be picklable; ``key`` returns with its outcome."""

    def ended(self, timeout_s: float) -> list[tuple[str, Outcome]]:
        """Return the calls that have ended since; wait for the first, but not longer than this."""
