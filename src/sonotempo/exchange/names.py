"""Names of subjects and recordings as names of files and folders, on every system."""

import re
from collections.abc import Mapping

# What Windows refuses, besides what separates folders, and the ends that it drops.
_REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)}
)
_LONGEST = 100


def file_name(text: str) -> str:
    """Return a text as one name of a file or folder.

    >>> file_name("anna/left arm"), file_name(".."), file_name("Doe^Jane: 2")
    ('anna-left arm', 'unnamed', 'Doe^Jane- 2')
    """
    name = _REFUSED.sub("-", text)[:_LONGEST].strip(" .") or "unnamed"
    return f"{name}_" if name.split(".")[0].casefold() in _DEVICES else name


def distinct_names(texts: Mapping[str, str]) -> dict[str, str]:
    """Return a file name for every text; no two are the same where letters have no case.

    >>> distinct_names({"first": "a/1", "second": "A-1", "third": "b"})
    {'first': 'a-1', 'second': 'A-1-2', 'third': 'b'}

    Args:
        texts: by what they are asked for with.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for key, text in texts.items():
        name, count = file_name(text), 1
        while name.casefold() in taken:
            count += 1
            name = f"{file_name(text)}-{count}"
        taken.add(name.casefold())
        names[key] = name
    return names
