"""A comparison on disk: JSON for programs, CSV in long form, tables for LaTeX and Markdown.

All of them write the comparison's rounded numbers with the same digits. The JSON has its keys in
alphabetical order and no time stamp: the same comparison is the same bytes.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from sonotempo.evaluation.comparison.record import Cell, Comparison
from sonotempo.evaluation.comparison.rounding import DECIMALS, P_DECIMALS
from sonotempo.evaluation.report.tables import latex, markdown
from sonotempo.folders import make_folder, writing

#: The columns of ``comparison.csv``.
CSV_COLUMNS = (
    *("table", "structure", "arm", "baseline", "metric", "subject"),
    *("statistic", "value", "reason", "simulated"),
)


def write_comparison(comparison: Comparison, out: Path) -> tuple[Path, ...]:
    """Write ``comparison.json``, ``comparison.csv``, ``tables.tex`` and ``tables.md``.

    Args:
        comparison: what to write.
        out: the folder; made if missing.

    Returns:
        The files.

    Raises:
        SonotempoError: the folder cannot be written.
    """
    texts = {
        "comparison.json": to_json(comparison),
        "comparison.csv": to_csv(comparison),
        "tables.tex": latex(comparison),
        "tables.md": markdown(comparison),
    }
    make_folder(out, "--out")
    with writing(out, "--out"):
        for name, text in texts.items():
            (out / name).write_text(text, encoding="utf-8", newline="\n")
    return tuple(out / name for name in texts)


def to_json(comparison: Comparison) -> str:
    """Return the whole record as JSON; values that do not exist are null beside their reason."""
    return (
        json.dumps(
            asdict(comparison), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False
        )
        + "\n"
    )


def to_csv(comparison: Comparison) -> str:
    """Return every number in long form, one a row; values that do not exist are empty.

    The column ``table`` says what a row is of: ``notes`` (texts), ``scores``, ``streaming``,
    ``differences``, ``subjects``, ``seeds``, ``temporal`` or ``state_age``.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    simulated = {"simulated": "yes" if comparison.data.simulated else "no"}
    for row in _rows(comparison):
        writer.writerow(simulated | row)
    return text.getvalue()


def _rows(comparison: Comparison) -> Iterator[dict[str, str]]:
    for note in (comparison.title, *comparison.notes, *comparison.summary):
        yield {"table": "notes", "statistic": "note", "value": note}
    yield from _cells("scores", comparison.cells)
    yield from _cells("streaming", comparison.streaming)
    yield from _differences(comparison)
    for spread in comparison.seed_spread:
        key = _key("seeds", spread.structure, spread.arm, spread.metric)
        for seed, mean in zip(spread.seeds, spread.means, strict=True):
            yield key | {"statistic": f"mean of seed {seed}", "value": _text(mean)}
        yield key | {"statistic": "sd", "value": _text(spread.sd), "reason": spread.reason}
    for one in comparison.temporal:
        key = _key("temporal", one.structure, one.arm, one.metric)
        for name in ("mean", "sd", "n"):
            yield key | {
                "statistic": name,
                "value": _text(getattr(one, name)),
                "reason": one.reason,
            }
    for age in comparison.state_age:
        for name in ("dice", "f1", "subjects", "frames"):
            statistic = f"frames {age.first} to {age.last} since reset"
            yield _key("state_age", age.structure, age.arm, name) | {
                "statistic": statistic,
                "value": _text(getattr(age, name)),
            }


def _cells(table: str, cells: tuple[Cell, ...]) -> Iterator[dict[str, str]]:
    for cell in cells:
        key = _key(table, cell.structure, cell.arm, cell.metric)
        for name in ("mean", "sd", "n", "pooled"):
            yield key | {
                "statistic": name,
                "value": _text(getattr(cell, name)),
                "reason": cell.reason,
            }


def _differences(comparison: Comparison) -> Iterator[dict[str, str]]:
    for pair in comparison.pairs:
        for one in pair.differences:
            key = {"baseline": pair.baseline}
            key |= _key("differences", one.structure, pair.arm, one.metric)
            for name in ("estimate", "ci_low", "ci_high", "n"):
                yield key | {
                    "statistic": name,
                    "value": _text(getattr(one, name)),
                    "reason": one.reason,
                }
            if one.primary:
                for name in ("p", "p_holm"):
                    value = _text(getattr(one, name), P_DECIMALS)
                    yield key | {"statistic": name, "value": value, "reason": one.reason}
                yield key | {"statistic": "verdict", "value": one.verdict, "reason": one.reason}
            for subject in one.subjects:
                of_subject = key | {"table": "subjects", "subject": subject.subject}
                for name in ("arm", "baseline", "difference"):
                    yield of_subject | {
                        "statistic": name,
                        "value": _text(getattr(subject, name)),
                        "reason": subject.reason,
                    }


def _key(table: str, structure: str, arm: str, metric: str) -> dict[str, str]:
    return {"table": table, "structure": structure, "arm": arm, "metric": metric}


def _text(value: float | None, decimals: int = DECIMALS) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.{decimals}f}"
