"""What is not copied, because nobody could be sure what it shows."""

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


class RefusedError(SonotempoError):
    """A file that is left out, with the reason.

    Args:
        kind: what the report calls it.
        reason: one sentence for the person who asked; it may name the file.
    """

    def __init__(self, kind: Kind, reason: str) -> None:
        super().__init__(reason)
        self.kind: Kind = kind
