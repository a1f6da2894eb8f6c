"""The tables of a comparison for LaTeX and Markdown, in the form of the seed paper's.

First precision, recall, F1 and Dice of every structure and arm as mean ± SD over subjects, then one
table of differences for each pair of arms.

Source: Smistad et al. 2021, section III and Figs. 1–2.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sonotempo.evaluation.comparison.differences import as_shown
from sonotempo.evaluation.comparison.record import TITLES, Cell, Comparison, Pair
from sonotempo.evaluation.comparison.rounding import interval, number, p_number

#: The metrics of the paper's figures.
PAPER_METRICS = ("precision", "recall", "f1", "dice")

_DIVISORS = {"reference": "reference area", "iou": "union (IoU)"}

# The seed contradicts itself; whoever holds these tables against its numbers has to know.
_PAPER_NOTE = (
    "Smistad et al. 2021 give the median nerve's Dice as 0.67 in the abstract and as 0.57 in the "
    "results."
)


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table as text: its heading, its caption, its columns and its rows.

    ``rules`` are the numbers of rows that a line stands before: where another structure begins.
    """

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    rules: tuple[int, ...]


def tables_of(comparison: Comparison) -> tuple[TextTable, ...]:
    """Return the paper's table and one of differences for each pair, as every output shows them."""
    tables = [_scores(comparison, comparison.cells, "Scores")]
    if comparison.streaming:
        tables.append(_scores(comparison, comparison.streaming, "Scores of what was on screen"))
    return (*tables, *(_differences(comparison, pair) for pair in comparison.pairs))


def markdown(comparison: Comparison) -> str:
    """Return title, notes, summary and all tables as Markdown."""
    parts = [
        f"# {_escaped(comparison.title)}",
        "\n".join(f"- {_escaped(note)}" for note in comparison.notes),
        " ".join(_escaped(sentence) for sentence in comparison.summary),
    ]
    for table in tables_of(comparison):
        rows = [table.columns, *table.rows]
        lines = ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in rows]
        lines.insert(1, "| --- | --- |" + " ---: |" * (len(table.columns) - 2))
        parts += [f"## {_escaped(table.title)}", _escaped(table.caption), "\n".join(lines)]
    return "\n\n".join([part for part in parts if part] + [_footnotes(comparison)]) + "\n"


def latex(comparison: Comparison) -> str:
    """Return all tables as LaTeX; they need the package booktabs."""
    heading = [comparison.title, *comparison.notes, *comparison.summary]
    parts = ["\n".join(f"% {line}" for line in heading)]
    above = " ".join(f"{note[0].upper()}{note[1:]}." for note in _short(comparison))
    for number_of, table in enumerate(tables_of(comparison), start=1):
        body = []
        for place, row in enumerate(table.rows):
            if place in table.rules:
                body.append("\\midrule")
            body.append(" & ".join(_tex(cell) for cell in row) + " \\\\")
        caption = " ".join([f"{table.title}.", above, table.caption]).replace("  ", " ")
        parts.append(
            "\n".join(
                [
                    "\\begin{table}",
                    "\\centering",
                    f"\\caption{{{_tex(caption)}}}",
                    f"\\label{{tab:sonotempo-{number_of}}}",
                    f"\\begin{{tabular}}{{ll{'r' * (len(table.columns) - 2)}}}",
                    "\\toprule",
                    " & ".join(_tex(column) for column in table.columns) + " \\\\",
                    "\\midrule",
                    *body,
                    "\\bottomrule",
                    "\\end{tabular}",
                    "\\end{table}",
                ]
            )
        )
    return "\n\n".join(parts) + "\n"


def _scores(comparison: Comparison, cells: Sequence[Cell], title: str) -> TextTable:
    settings = comparison.settings
    metrics = [name for name in PAPER_METRICS if any(cell.metric == name for cell in cells)]
    shown: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in cells:
        shown.setdefault((cell.structure, cell.arm), {})[cell.metric] = cell
    rows = []
    for (structure, arm), of_arm in shown.items():
        texts = [_cell(of_arm[metric], comparison) for metric in metrics]
        rows.append((structure, arm, *texts, number(of_arm["f1"].pooled)))
    caption = (
        f"Mean ± SD over {len(comparison.subjects)} subjects; F1 pooled is of the regions of all "
        "frames together. A predicted region is a true positive if intersection / "
        f"{_DIVISORS[settings.overlap]} is more than {100 * settings.overlap_threshold:g} %; "
        f"regions smaller than a circle of {settings.ignored_radius_px:g} px radius on a grid "
        f"256 px wide are ignored. {comparison.labelled_frames} labelled frames of "
        f"{comparison.recordings} recordings."
    )
    columns = ("Structure", "Arm", *(TITLES[name] for name in metrics), "F1 pooled")
    return TextTable(title, caption, columns, tuple(rows), _rules(rows))


def _cell(cell: Cell, comparison: Comparison) -> str:
    text = as_shown(cell.mean, cell.sd)
    return text if cell.n in (0, len(comparison.subjects)) else f"{text} (n={cell.n})"


def _differences(comparison: Comparison, pair: Pair) -> TextTable:
    settings = comparison.settings
    rows = [
        (
            one.structure,
            TITLES[one.metric],
            number(one.estimate, signed=True),
            interval(one.ci_low, one.ci_high),
            p_number(one.p_holm),
            str(one.n),
            one.verdict,
        )
        for one in pair.differences
        if one.primary
    ]
    differs = "; ".join(pair.differs_in)
    caption = (
        f"{pair.meaning} "
        + (f"They differ in: {differs}. " if differs else "")
        + "Differences of precision, recall and F1 are of pooled regions, others of means over "
        f"subjects; {100 * settings.confidence:g} % intervals by paired bootstrap over subjects "
        f"({settings.bootstrap_draws} draws); Wilcoxon signed-rank p after Holm; equivalence "
        f"margin {number(settings.equivalence_margin)}."
    )
    percent = f"{100 * settings.confidence:g} % CI"
    columns = ("Structure", "Metric", "Difference", percent, "p (Holm)", "n", "Verdict")
    title = f"{pair.kind[0].upper()}{pair.kind[1:]}: {pair.arm} − {pair.baseline}"
    return TextTable(title, caption, columns, tuple(rows), _rules(rows))


def _rules(rows: Sequence[tuple[str, ...]]) -> tuple[int, ...]:
    return tuple(i for i in range(1, len(rows)) if rows[i][0] != rows[i - 1][0])


def _short(comparison: Comparison) -> list[str]:
    """Return the notes that no table may lack, even without its page."""
    return list(comparison.data.sentences())


def _footnotes(comparison: Comparison) -> str:
    lines = ["– is a value that does not exist; `comparison.json` says why."]
    lines += [
        f"{line.structure}: {line.tissue} {number(line.dice)}, {line.source}."
        for line in comparison.human
    ]
    if any("median" in name for name in comparison.structures):
        lines.append(_PAPER_NOTE)
    return "\n\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("_", "\\_")


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
    "≥": "$\\ge$",
}


def _tex(text: str) -> str:
    """Escape a text; the minus of a number becomes a minus sign, not a hyphen."""
    signed = re.sub(r"(?<![\w.])-(?=\d)", "−", text)
    return "".join(_TEX.get(char, char) for char in signed)
