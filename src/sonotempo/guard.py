"""One guard around all code that reads foreign files: whatever it raises becomes one sentence.

Parsers fail on damaged input in ways that their documentation does not list: RecursionError,
MemoryError, OverflowError, struct.error… The original error stays the cause of the new one, so a
traceback still shows where a bug is.
"""

import reprlib
from collections.abc import Iterator
from contextlib import contextmanager

from sonotempo.errors import SonotempoError

_LONGEST_REASON = 200
# Of these the text means nothing without the name of their class.
_NEED_THEIR_NAME = (LookupError, TypeError, AttributeError, AssertionError)

_short = reprlib.Repr()
_short.maxlevel, _short.maxstring, _short.maxother = 2, 60, 60


@contextmanager
def guarded(
    what: str, remedy: str, error_class: type[SonotempoError] = SonotempoError
) -> Iterator[None]:
    """Turn any error of the block into one sentence; errors that are sentences pass as they are.

    KeyboardInterrupt, SystemExit and other requests to stop pass too.

    >>> with guarded("a.json cannot be read", "copy it again"):
    ...     {}["folds"]
    Traceback (most recent call last):
    sonotempo.errors.SonotempoError: a.json cannot be read (KeyError: 'folds'); copy it again

    Args:
        what: the file, and what was tried with it.
        remedy: what the user does next.
        error_class: the class of the error.

    Raises:
        SonotempoError: of the given class.
    """
    try:
        yield
    except SonotempoError:
        raise
    except Exception as error:
        raise error_class(f"{what} ({in_few_words(error)}); {remedy}") from error


def in_few_words(error: BaseException) -> str:
    """Return what an error says, in one short line.

    >>> in_few_words(MemoryError()), in_few_words(KeyError("sizes"))
    ('it needs more memory than there is', "KeyError: 'sizes'")
    """
    # libav has a special error for a size that it does not even try.
    if isinstance(error, MemoryError) and not getattr(error, "errno", None):
        return "it needs more memory than there is"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    text = shortened(getattr(error, "strerror", None) or str(error))
    name = type(error).__name__
    if not text:
        return name
    return f"{name}: {text}" if isinstance(error, _NEED_THEIR_NAME) else text


def shortened(text: str, longest: int = _LONGEST_REASON) -> str:
    """Return a text in one line, without its middle if it is long.

    >>> shortened("one\\ntwo"), shortened("abcdefghij", 5)
    ('one two', 'ab…ij')
    """
    # What a library quotes may be as large as the file: most of it is never looked at.
    if len(text) > 4 * longest:
        text = f"{text[: 2 * longest]} {text[-2 * longest :]}"
    line = " ".join(text.split())
    kept = (longest - 1) // 2
    return line if len(line) <= longest else f"{line[:kept]}…{line[-kept:]}"


def shown(value: object) -> str:
    """Return a value as it is written in messages: shortened, however large or deep it is.

    >>> shown("frame"), shown(list(range(1000)))
    ("'frame'", '[0, 1, 2, 3, 4, 5, ...]')
    """
    return _short.repr(value)
