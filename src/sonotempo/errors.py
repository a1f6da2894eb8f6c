"""The errors that a user's mistake raises: each is one sentence with the remedy."""

import difflib
from collections.abc import Iterable


class SonotempoError(Exception):
    """What was given, what was expected and what to do next, in one clear sentence.

    Commands print the text without a traceback; any other exception that escapes is a bug.
    """


class RecordingError(SonotempoError):
    """A file that is not a readable recording, or a mask that does not fit its frame."""


class ConfigError(SonotempoError):
    """A setting that does not exist or is not valid."""


class ModelError(SonotempoError):
    """An exported model that cannot be read, contradicts its model card, or cannot run."""


class SourceError(SonotempoError):
    """A stream that cannot be started, controlled, buffered or recorded."""


class PipelineError(SonotempoError):
    """A model that failed on a frame of a stream, or a part of the pipeline that did not stop."""


def unknown_option(what: str, given: str, options: Iterable[str]) -> str:
    """Return a sentence with the given name, the nearest option and all options.

    >>> unknown_option("arm", "sequnce", ["frame", "sequence"])
    "unknown arm 'sequnce'; did you mean 'sequence'? Options: frame, sequence"
    """
    names = list(options)
    nearest = difflib.get_close_matches(given, names, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
    return f"unknown {what} {given!r}{hint} Options: {', '.join(names)}"
