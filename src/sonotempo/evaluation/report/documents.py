"""All tables of a comparison as one document, in Markdown or LaTeX."""

from sonotempo.evaluation.comparison.record import Comparison
from sonotempo.evaluation.comparison.rounding import number
from sonotempo.evaluation.report.tables import (
    compared_scores,
    differences_table,
)
from sonotempo.evaluation.report.temporal_outcomes import (
    calibration_table,
    gains_table,
    stress_differences_table,
    stress_table,
)
from sonotempo.evaluation.report.text_table import (
    TextTable,
    escaped,
    markdown_table,
    paragraphs,
    tex,
    tex_row,
)

# The seed contradicts itself; whoever compares these tables with its numbers has to know.
_PAPER_NOTE = (
    "Smistad et al. 2021 give the median nerve's Dice as 0.67 in the abstract and as 0.57 in the "
    "results."
)


def tables_of(comparison: Comparison) -> tuple[TextTable, ...]:
    """Return the paper's table and one of differences for each pair, as every output shows them."""
    settings = comparison.settings
    measures = [one for one in settings.measures if one.in_paper or one in settings.primary]
    tables = [compared_scores(comparison, comparison.cells, measures, "Scores")]
    if comparison.streaming:
        title = "Scores of what was on screen"
        tables.append(compared_scores(comparison, comparison.streaming, measures, title))
    tables += [differences_table(comparison, pair) for pair in comparison.pairs]
    outcomes = (
        gains_table(comparison),
        stress_differences_table(comparison),
        stress_table(comparison),
        calibration_table(comparison),
    )
    return (*tables, *(table for table in outcomes if table is not None))


def markdown(comparison: Comparison) -> str:
    """Return title, notes, summary and all tables as Markdown."""
    parts = [
        f"# {escaped(comparison.title)}",
        "\n".join(f"- {escaped(note)}" for note in comparison.notes),
        f"**{escaped(comparison.answer)}**",
        " ".join(map(escaped, comparison.summary)),
    ]
    for table in tables_of(comparison):
        parts += [f"## {escaped(table.title)}", escaped(table.caption), markdown_table(table)]
    parts += [
        f"{line.structure}: {'' if line.measured else f'{line.tissue} '}{number(line.dice)}, "
        f"{line.source}."
        for line in comparison.human
    ]
    parts.append("`comparison.json` records why a value is missing.")
    if any("median" in name for name in comparison.structures):
        parts.append(_PAPER_NOTE)
    return paragraphs(parts)


def latex(comparison: Comparison) -> str:
    """Return all tables as LaTeX; they need the package booktabs."""
    heading = [comparison.title, comparison.answer, *comparison.notes, *comparison.summary]
    # Every line: what follows a line break would be no comment.
    parts = ["\n".join(f"% {line}" for text in heading for line in text.splitlines())]
    above = " ".join(f"{note[0].upper()}{note[1:]}." for note in _short(comparison))
    for place, table in enumerate(tables_of(comparison), start=1):
        caption = " ".join(text for text in (f"{table.title}.", above, table.caption) if text)
        body = "\n\\midrule\n".join(
            "\n".join(tex_row((structure, *row)) for row in rows)
            for structure, rows in table.groups
        )
        parts.append(
            "\\begin{table}\n\\centering\n"
            f"\\caption{{{tex(caption)}}}\n\\label{{tab:sonotempo-{place}}}\n"
            f"\\begin{{tabular}}{{ll{'r' * (len(table.columns) - 2)}}}\n\\toprule\n"
            f"{tex_row(table.columns)}\n\\midrule\n{body}\n"
            "\\bottomrule\n\\end{tabular}\n\\end{table}"
        )
    return paragraphs(parts)


def _short(comparison: Comparison) -> list[str]:
    """Return the notes that no table may lack, even without its page."""
    return list(comparison.data.sentences())
