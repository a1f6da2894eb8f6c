"""The text that names a source, taken apart: ``scheme://host:port?option=value``, or a path."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from sonotempo.errors import SourceError, unknown_option
from sonotempo.folders import short_name, without_folder

# Here it names a procedure or a device.
_HOST_IS_NO_MACHINE = ("phantom", "capture")
# A path from the root of a file system, without spaces; the last part is its name.
_ABSOLUTE = re.compile(r"(?<![\w./:\\])(?:[A-Za-z]:\\|/)(?:[^\s:;,'\"()/\\]+[/\\])+(?=\S)")


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


def source_name(text: str) -> str:
    """Name a source in files: without folders above the last, hosts, ports and options.

    >>> source_name("/home/eva/study/ben/cine.dcm"), source_name("phantom://axillary?seed=3")
    ('ben/cine.dcm', 'phantom://axillary')
    >>> source_name("clarius://cart-3.ward:5828"), source_name("not://[valid")
    ('clarius', 'not')
    """
    scheme, separator, _ = text.partition("://")
    if not separator:
        return short_name(Path(text))
    if scheme not in _HOST_IS_NO_MACHINE:
        return scheme
    return f"{scheme}://{parse_address(text).host}"


def without_places(detail: str, text: str) -> str:
    """Return what a source said without the machine and the folders that it names.

    >>> without_places("connected to cart-3.ward", "clarius://cart-3.ward:5828")
    'connected to clarius'
    >>> without_places("frame 3 of /home/eva/ben/cine.dcm cannot be played", "cine.dcm")
    'frame 3 of cine.dcm cannot be played'

    Args:
        detail: of an event.
        text: the source, as the user named it.
    """
    scheme, separator, _ = text.partition("://")
    if not separator:
        detail = without_folder(detail, Path(text).absolute().parent)
    elif scheme not in _HOST_IS_NO_MACHINE and (host := parse_address(text).host):
        detail = re.sub(re.escape(host), scheme, detail, flags=re.IGNORECASE)
    return _ABSOLUTE.sub("", without_folder(detail, Path.home()))
