"""A part of a data set that cannot be used, and why."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that could not be used, with the reason as one sentence."""

    path: Path
    reason: str
