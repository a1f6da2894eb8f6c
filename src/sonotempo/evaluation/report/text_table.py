"""A table as text, and how Markdown and LaTeX write it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table as text; the first column is the structure.

    ``footnotes`` explain the marks in its cells, and only those that it has.
    """

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    footnotes: tuple[str, ...] = ()

    @property
    def groups(self) -> list[tuple[str, list[tuple[str, ...]]]]:
        """The rows of each structure, without its name."""
        by_structure = groupby(self.rows, key=lambda row: row[0])
        return [(structure, [row[1:] for row in rows]) for structure, rows in by_structure]


def paragraphs(parts: Sequence[str]) -> str:
    """Join paragraphs; the text ends in a line break."""
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_table(table: TextTable) -> str:
    """Return a table with its footnotes as Markdown."""
    lines = ["| " + " | ".join(map(escaped, row)) + " |" for row in (table.columns, *table.rows)]
    lines.insert(1, "| --- | --- |" + " ---: |" * (len(table.columns) - 2))
    return "\n\n".join(["\n".join(lines), *map(escaped, table.footnotes)])


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, in one line.

    >>> print(escaped("a|b <i> c_d"))
    a\\|b &lt;i> c\\_d
    """
    for char, shown in (("|", "\\|"), ("_", "\\_"), ("<", "&lt;")):
        text = text.replace(char, shown)
    return " ".join(text.splitlines())


def csv_text(text: str) -> str:
    """Return text that no spreadsheet takes for a formula; numbers stay as they are.

    >>> csv_text("=1+1"), csv_text("-0.5"), csv_text("nerve")
    ("'=1+1", '-0.5', 'nerve')
    """
    if not text.startswith(("=", "+", "-", "@", "\t", "\r")):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


_TEX = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "±": "$\\pm$",
    "−": "$-$",
    "–": "--",
    "×": "$\\times$",
    "→": "$\\to$",
    "↓": "$\\downarrow$",
    "≥": "$\\ge$",
}


def tex(text: str) -> str:
    """Return text that LaTeX shows as it is."""
    """Escape a text; the minus of a number becomes a minus sign, not a hyphen."""
    signed = re.sub(r"(?<![\w.])-(?=\d)", "−", text)
    return "".join(_TEX.get(char, char) for char in " ".join(signed.splitlines()))


def tex_row(cells: Sequence[str]) -> str:
    """Return a row of a LaTeX table."""
    return " & ".join(map(tex, cells)) + " \\\\"
