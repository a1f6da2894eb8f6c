"""The text that names a source, taken apart: ``scheme://host:port?option=value``, or a path."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from sonotempo.errors import SourceError, unknown_option


@dataclass(frozen=True, slots=True)
class Address:
    """What the user asked for.

    Attributes:
        text: as typed.
        host: the part after ``scheme://``, in lower case; empty for a path.
        port: a number from 0 to 65535, or None.
        options: the part after ``?``.
        sdk: the folder of a vendor's SDK, or None if it is installed.
        rate: how many times faster than recorded; for recordings only.
        loop: whether a recording restarts after its end.
    """

    text: str
    host: str = ""
    port: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    sdk: Path | None = None
    rate: float = 1.0
    loop: bool = False

    def check_options(self, known: Sequence[str]) -> None:
        """Refuse options that the source does not have.

        Raises:
            SourceError: an unknown option; the message lists the known ones.
        """
        for name in self.options:
            if name not in known:
                raise SourceError(unknown_option(f"option in {self.text}:", name, known))


def parse_address(
    text: str, *, sdk: Path | None = None, rate: float = 1.0, loop: bool = False
) -> Address:
    """Take a source's text apart.

    >>> address = parse_address("clarius://192.168.1.1:5828")
    >>> address.host, address.port
    ('192.168.1.1', 5828)

    Raises:
        SourceError: the text is not a valid address.
    """
    if "://" not in text:
        return Address(text, sdk=sdk, rate=rate, loop=loop)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise SourceError(
            f"{text!r} is not a valid address ({error}); expected scheme://host:port, for example "
            "clarius://192.168.1.1:5828"
        ) from error
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Address(text, host, port, options, sdk, rate, loop)
