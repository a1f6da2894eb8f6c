"""Where the work says how far it is."""

from typing import Protocol


class Steps(Protocol):
    """The steps of some work, each with a number of parts."""

    def step(self, name: str, total: int, /) -> None:
        """Begin a step of so many parts."""
        ...

    def advance(self) -> None:
        """Count one part."""
        ...
