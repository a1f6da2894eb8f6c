"""Write the figures of docs/does-memory-help.md from the comparison.json files of the controls.

    .venv/bin/python scripts/memory_figures.py REPORT [REPORT …]

REPORT is a folder that `sonotempo compare` wrote. Prints Markdown: for each report its answer, the
differences of the temporal arms, their share of the available gain, and the arms under stress.
"""

import argparse
import json
from pathlib import Path
from typing import Any

KINDS = ("memory effect", "carrying along motion", "training beyond motion", "available gain")


def main() -> None:
    """Print the figures of every report."""
    parser = argparse.ArgumentParser(description="Figures of the controls as Markdown.")
    parser.add_argument("reports", nargs="+", type=Path)
    for folder in parser.parse_args().reports:
        print(figures_of(folder))


def figures_of(folder: Path) -> str:
    """Return the figures of one report as Markdown."""
    record = json.loads((folder / "comparison.json").read_text("utf-8"))
    parts = [f"**{record['answer']}**", _table(_differences(record))]
    if record["gain_shares"]:
        parts.append(_table(_shares(record)))
    if record["stress"]:
        parts += [_table(_stress(record)), _table(_fewer(record))]
    return "\n\n".join(parts) + "\n"


def _differences(record: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("arm − control", "structure", "measure", "difference", "p (Holm)", "verdict")
    ]
    for pair in record["pairs"]:
        if pair["kind"] not in KINDS:
            continue
        for one in pair["differences"]:
            if one["primary"] and one["estimate"] is not None:
                rows.append(
                    (
                        f"`{pair['arm']}` − `{pair['baseline']}`",
                        one["structure"],
                        one["metric"],
                        f"{one['estimate']:+.3f} {_bounds(one)}",
                        "–" if one["p_holm"] is None else f"{one['p_holm']:.4f}",
                        one["verdict"],
                    )
                )
    return rows


def _shares(record: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("arm − control", "structure", "measure", "available gain", "share won")
    ]
    for one in record["gain_shares"]:
        if one["share"] is not None:
            rows.append(
                (
                    f"`{one['arm']}` − `{one['baseline']}`",
                    one["structure"],
                    one["metric"],
                    f"{one['available']:+.3f}",
                    f"{one['share']:.0%} [{one['ci_low']:.0%}, {one['ci_high']:.0%}]",
                )
            )
    return rows


def _stress(record: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("arm", "frames", "misses", "Dice", "frames until back")]
    for one in record["stress"]:
        if one["kind"] == "all" and one["misses"] is not None:
            back = one["frames_until_back"]
            rows.append(
                (
                    f"`{one['arm']}`",
                    one["phase"],
                    f"{one['misses']:.1%} [{one['misses_low']:.1%}, {one['misses_high']:.1%}]",
                    f"{one['dice']:.3f}",
                    "–" if back is None else f"{back:.1f} ({one['back_within_3']:.0%} within 3)",
                )
            )
    return rows


def _fewer(record: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("arm − control", "fewer misses inside disturbed frames")]
    for one in record["stress_differences"]:
        if one["kind"] == "all" and one["fewer_misses"] is not None:
            rows.append(
                (
                    f"`{one['arm']}` − `{one['baseline']}`",
                    f"{one['fewer_misses']:+.0%} [{one['ci_low']:+.0%}, {one['ci_high']:+.0%}]",
                )
            )
    return rows


def _bounds(one: dict[str, Any]) -> str:
    if one["ci_low"] is None:
        return ""
    return f"[{one['ci_low']:+.3f}, {one['ci_high']:+.3f}]"


def _table(rows: list[tuple[str, ...]]) -> str:
    head, *body = rows
    lines = [head, tuple("---" for _ in head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


if __name__ == "__main__":
    main()
