"""A comparison on disk: JSON for programs, CSV in long form, tables for LaTeX and Markdown.

All of them write the comparison's rounded numbers with the same digits. The JSON has its keys in
alphabetical order and no time stamp: the same comparison is the same bytes.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from sonotempo.evaluation.comparison.record import (
    Cell,
    Comparison,
    Difference,
    SeedSpread,
    SubjectDifference,
)
from sonotempo.evaluation.comparison.rounding import DECIMALS, P_DECIMALS, number
from sonotempo.evaluation.report.documents import latex, markdown
from sonotempo.evaluation.report.text_table import csv_text
from sonotempo.folders import make_folder, writing
from sonotempo.measures import measure

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
    """Return the whole record as JSON; values that do not exist are null, next to their reason."""
    record = asdict(comparison)
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n"


def to_csv(comparison: Comparison) -> str:
    """Return every number in long form, one a row; values that do not exist are empty.

    The column ``table`` names what a row belongs to: ``notes`` (texts), ``scores``, ``streaming``,
    ``differences``, ``subjects``, ``gain``, ``stress``, ``calibration``, ``seeds``, ``temporal`` or
    ``state_age``.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    simulated = {"simulated": "yes" if comparison.data.simulated else "no"}
    for row in _rows(comparison):
        writer.writerow({key: csv_text(value) for key, value in (simulated | row).items()})
    return text.getvalue()


def _rows(comparison: Comparison) -> Iterator[dict[str, str]]:
    for note in (comparison.title, comparison.answer, *comparison.notes, *comparison.summary):
        yield {"table": "notes", "statistic": "note", "value": note}
    for table, cells in (("scores", comparison.cells), ("streaming", comparison.streaming)):
        for cell in cells:
            yield from _statistics(_key(table, cell), cell, ("mean", "sd", "n", "pooled"))
    yield from _differences(comparison)
    yield from _outcomes(comparison)
    for spread in comparison.seed_spread:
        key, decimals = _key("seeds", spread), measure(spread.metric).decimals
        for seed, mean in zip(spread.seeds, spread.means, strict=True):
            yield key | {"statistic": f"mean of seed {seed}", "value": _text(mean, decimals)}
        yield from _statistics(key, spread, ("sd",))
    for one in comparison.temporal:
        yield from _statistics(_key("temporal", one), one, ("mean", "sd", "n"))
    for age in comparison.state_age:
        key = {"table": "state_age", "structure": age.structure, "arm": age.arm}
        for name in ("dice", "f1", "subjects", "frames"):
            yield key | {
                "metric": name,
                "statistic": f"frames {age.first} to {age.last} since reset",
                "value": _text(getattr(age, name)),
            }


def _outcomes(comparison: Comparison) -> Iterator[dict[str, str]]:
    for share in comparison.gain_shares:
        key = {
            "table": "gain",
            "structure": share.structure,
            "arm": share.arm,
            "baseline": share.baseline,
            "metric": share.metric,
        }
        for name in ("available", "available_low", "available_high", "share", "ci_low", "ci_high"):
            yield key | {
                "statistic": name,
                "value": _text(getattr(share, name)),
                "reason": share.reason,
            }
    for cell in comparison.stress:
        key = {"table": "stress", "arm": cell.arm}
        for name in (
            *("misses", "misses_low", "misses_high", "dice", "dice_low", "dice_high"),
            *("invented", "frames_until_back", "back_within_3"),
        ):
            statistic = f"{name}, {cell.phase}, {cell.kind}"
            yield key | {"statistic": statistic, "value": _text(getattr(cell, name))}
    for one in comparison.stress_differences:
        key = {"table": "stress", "arm": one.arm, "baseline": one.baseline}
        for name in ("fewer_misses", "ci_low", "ci_high"):
            yield key | {
                "statistic": f"{name}, inside, {one.kind}",
                "value": _text(getattr(one, name)),
            }
    for of in comparison.calibration:
        key = {"table": "calibration", "structure": of.structure, "arm": of.arm}
        for name in ("pixels", "confidence", "right", "error", "error_low", "error_high"):
            yield key | {"statistic": name, "value": _text(getattr(of, name))}


def _differences(comparison: Comparison) -> Iterator[dict[str, str]]:
    for pair in comparison.pairs:
        for one in pair.differences:
            key = {
                "table": "differences",
                "structure": one.structure,
                "arm": pair.arm,
                "baseline": pair.baseline,
                "metric": one.metric,
            }
            yield from _statistics(key, one, ("estimate", "ci_low", "ci_high", "n", "detectable"))
            if one.primary:
                for name in ("p", "p_holm"):
                    value = _text(getattr(one, name), P_DECIMALS)
                    yield key | {"statistic": name, "value": value, "reason": one.reason}
                yield key | {"statistic": "verdict", "value": one.verdict, "reason": one.reason}
            for subject in one.subjects:
                of_subject = key | {"table": "subjects", "subject": subject.subject}
                yield from _statistics(of_subject, subject, ("arm", "baseline", "difference"))


def _statistics(
    key: dict[str, str],
    one: Cell | SeedSpread | Difference | SubjectDifference,
    names: Sequence[str],
) -> Iterator[dict[str, str]]:
    """Yield a row for each number of a record that is rounded as its measure is."""
    decimals = measure(key["metric"]).decimals
    for name in names:
        value = _text(getattr(one, name), decimals)
        yield key | {"statistic": name, "value": value, "reason": one.reason}


def _key(table: str, one: Cell | SeedSpread) -> dict[str, str]:
    return {"table": table, "structure": one.structure, "arm": one.arm, "metric": one.metric}


def _text(value: float | None, decimals: int = DECIMALS) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else number(value, decimals)
