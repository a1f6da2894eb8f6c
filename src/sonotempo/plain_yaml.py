"""Read YAML without surprises: no dates, no octal numbers, no tags of Python, no aliases.

An alias repeats a part of the file. A few hundred bytes of aliases of aliases stand for more values
than any memory holds, and no settings need them.
"""

import re
from typing import Any

import yaml

_LONGEST_TEXT = 1 << 22


class _WithoutAliases(yaml.composer.Composer):
    def compose_node(self: Any, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(
                None, None, "aliases such as *name are not supported: write the value itself", mark
            )
        return yaml.composer.Composer.compose_node(self, parent, index)


class _PlainLoader(_WithoutAliases, yaml.SafeLoader):
    pass


class _TextLoader(_WithoutAliases, yaml.BaseLoader):
    pass


_INTEGER, _TIMESTAMP = "tag:yaml.org,2002:int", "tag:yaml.org,2002:timestamp"
_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_INTEGER, _TIMESTAMP)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_PlainLoader.add_implicit_resolver(_INTEGER, re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_PlainLoader.add_constructor(_INTEGER, lambda _, node: int(node.value))


def plain_yaml(text: str) -> Any:
    """Return the content of a YAML text.

    >>> plain_yaml("a: 010\\nb: [2024-01-31]")
    {'a': 10, 'b': ['2024-01-31']}
    >>> plain_yaml("a: &one [1]\\nb: *one")
    Traceback (most recent call last):
    yaml.composer.ComposerError: aliases such as *name are not supported: write the value itself
      in "<unicode string>", line 2, column 4:
        b: *one
           ^

    Raises:
        yaml.YAMLError: it is not YAML, or holds an alias.
        ValueError: it has more than 4 MiB, or a number has thousands of digits.
        RecursionError: it is nested thousands of levels deep.
    """
    return _loaded(_PlainLoader, text)


def plain_yaml_texts(text: str) -> Any:
    """Return the content of a YAML text, in which every value stays text.

    >>> plain_yaml_texts("[1, two]")
    ['1', 'two']

    Raises:
        yaml.YAMLError, ValueError, RecursionError: as :func:`plain_yaml`.
    """
    return _loaded(_TextLoader, text)


def _loaded(loader: Any, text: str) -> Any:
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"it has {len(text)} characters, more than {_LONGEST_TEXT}")
    return loader(text).get_single_data()
