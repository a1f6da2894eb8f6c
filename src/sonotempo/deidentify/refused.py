"""What is not copied, because nobody could be sure what it shows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sonotempo.errors import SonotempoError

#: Kinds of refusals, as the report counts them: it names no file.
Kind = Literal[
    "cannot be read",
    "no ultrasound region found",
    "text, drawings or documents in the file",
    "not an ultrasound image",
    "unknown kind of file",
    "link",
]


#: What else damaged files raise, in libraries that expect none.
DAMAGED = (RecursionError, MemoryError, OverflowError, ArithmeticError)


class RefusedError(SonotempoError):
    """A file that is left out, with the reason.

    Args:
        kind: what the report calls it.
        reason: one sentence for the person who asked; it may name the file.
    """

    def __init__(self, kind: Kind, reason: str) -> None:
        super().__init__(reason)
        self.kind: Kind = kind


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not copied."""

    path: Path
    kind: Kind
    reason: str


def left_out_for(path: Path, error: Exception) -> LeftOut:
    """Return the record of a file that raised an error."""
    if isinstance(error, RefusedError):
        return LeftOut(path, error.kind, str(error))
    said = str(error)
    if not isinstance(error, SonotempoError):
        said = f"{path} is damaged ({type(error).__name__}); copy or export it again"
    return LeftOut(path, "cannot be read", said)
