"""The one exception that a user's mistake ends in: a sentence with the file and the remedy."""

import difflib
from collections.abc import Iterable


class SonotempoError(Exception):
    """What was given, what was expected, and what to do next, in one clear sentence.

    Commands print its text without a traceback; anything else that escapes is a bug.
    """


class RecordingError(SonotempoError):
    """A file that cannot be read as a recording, or a mask that does not fit its frame."""


class ConfigError(SonotempoError):
    """A setting that does not exist or does not make sense."""


class ModelError(SonotempoError):
    """An exported model that cannot be read, does not fit its description, or cannot run."""


class SourceError(SonotempoError):
    """A stream that cannot be started, steered, buffered or recorded."""


class PipelineError(SonotempoError):
    """A model that failed on a frame of a stream, or a part that did not end."""


def unknown_option(what: str, given: str, options: Iterable[str]) -> str:
    """Say what was given and which options exist, with the nearest one first.

    >>> unknown_option("arm", "sequnce", ["frame", "sequence"])
    "unknown arm 'sequnce'; did you mean 'sequence'? Options: frame, sequence"
    """
    names = list(options)
    nearest = difflib.get_close_matches(given, names, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
    return f"unknown {what} {given!r}{hint} Options: {', '.join(names)}"
