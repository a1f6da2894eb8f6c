"""Let mkdocs read the docstrings: Sphinx roles become links, ``#:`` comments become docstrings.

A griffe extension, named in ``mkdocs.yml``. The docstrings stay readable in an editor and in
``help()``; only the site sees the Markdown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from griffe import Docstring, Extension, NameResolutionError

if TYPE_CHECKING:
    from griffe import Attribute, Object

_ROLE = re.compile(
    r":(?P<role>class|func|meth|mod|attr|data|exc|obj):`(?P<short>~?)(?P<target>[\w.]+)`"
)


class SphinxRoles(Extension):
    """Rewrites the docstring of every object that griffe has loaded."""

    def on_attribute_instance(self, *, attr: Attribute, **_: Any) -> None:
        """Take the ``#:`` lines above an attribute as its docstring."""
        if attr.docstring is None and attr.lineno is not None:
            text = comment_above(attr.lines_collection[attr.filepath], attr.lineno)  # type: ignore[index]
            if text:
                attr.docstring = Docstring(text, parent=attr, lineno=attr.lineno)

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Turn the roles of a docstring into links."""
        if obj.docstring is not None:
            scope = obj
            obj.docstring.value = _ROLE.sub(
                lambda match: as_link(match["role"], match["short"], match["target"], scope),
                obj.docstring.value,
            )


def as_link(role: str, short: str, target: str, scope: Object) -> str:
    """Return a code link to a target, or plain code where the site has no page for it."""
    try:
        path = scope.resolve(target)
    except NameResolutionError:
        path = target
    text = target.rpartition(".")[2] if short else target
    if role in ("func", "meth"):
        text += "()"
    return f'<autoref identifier="{path}" optional><code>{text}</code></autoref>'


def comment_above(lines: list[str], lineno: int) -> str:
    """Return the text of the ``#:`` lines directly above a line (counted from 1).

    >>> comment_above(["#: Seconds.", "LIMIT = 3"], 2)
    'Seconds.'
    """
    text: list[str] = []
    for line in reversed(lines[: lineno - 1]):
        if not line.strip().startswith("#:"):
            break
        text.insert(0, line.strip().removeprefix("#:").strip())
    return "\n".join(text)
