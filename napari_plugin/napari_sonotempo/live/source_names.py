"""What a source is called on screen, and what it shows, from the text that names it."""

from pathlib import Path

from sonotempo.live.sources.address import parse_address
from sonotempo.live.sources.open import kind_of


def title_of(text: str) -> str:
    """Return a source's name on screen.

    >>> title_of("phantom://femoral?seed=3"), title_of("anna/one.mp4")
    ('simulated femoral', 'one.mp4')

    Raises:
        SourceError: an unknown kind of source, or an invalid address.
    """
    scheme = kind_of(text).scheme
    if scheme == "phantom":
        return f"simulated {parse_address(text).host}"
    return Path(text).name if scheme == "" else text


def anatomy_of(text: str) -> str:
    """Return the anatomy that a source simulates; empty if it is real.

    >>> anatomy_of("phantom://femoral"), anatomy_of("clarius://192.168.1.1")
    ('femoral', '')
    """
    return parse_address(text).host if kind_of(text).scheme == "phantom" else ""
