"""Writes a comparison as one self-contained page that works offline, clips included.

The page loads nothing: styles, script, figures and frames are in it, and its content security
policy forbids the rest. Every text is escaped by the template engine; every number is written by
:mod:`sonotempo.evaluation.comparison.rounding`, as in the other outputs.
"""

import platform
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import jinja2
from markupsafe import Markup

from sonotempo.evaluation.comparison.drift import drift_sentence
from sonotempo.evaluation.comparison.record import (
    Cell,
    Comparison,
    Difference,
    Pair,
)
from sonotempo.evaluation.comparison.rounding import (
    counted,
    listed,
    margins,
    number,
    rounded,
)
from sonotempo.evaluation.report.page.figures import draw_figures, latency_words
from sonotempo.evaluation.report.page.viewer import Clips, PackedClip, json_for_html, pack_clips
from sonotempo.evaluation.report.tables import (
    compared_scores,
    differences_table,
    seeds_table,
    temporal_table,
)
from sonotempo.evaluation.report.temporal_outcomes import (
    calibration_table,
    gains_table,
    stress_differences_table,
    stress_table,
)
from sonotempo.folders import writing
from sonotempo.measures import measure
from sonotempo.structures import StructureSet

_HERE = Path(__file__).parent
_SECTIONS = {
    "summary": "In three sentences",
    "gain": "What there was to win",
    "stress": "Under stress",
    "calibration": "Are probabilities right?",
    "conclusions": "What may be concluded",
    "bars": "Bars",
    "differences": "Differences",
    "time": "Over time",
    "tables": "Tables",
    "made": "How this was made",
}
_PACKAGES = ("sonotempo", "numpy", "scipy", "pandas", "torch", "matplotlib")


def write_report(
    comparison: Comparison, clips: Clips | str, out_html: Path, *, command: str = ""
) -> None:
    """Write the page.

    Args:
        comparison: what was found.
        clips: the recordings for the viewer, or a sentence on why there are none.
        out_html: where to write; its folder exists.
        command: what was typed, for the reader to repeat it.

    Raises:
        SonotempoError: the file cannot be written.
    """
    packed = clips if isinstance(clips, str) else pack_clips(clips, _written)
    if not packed:
        packed = "no recording could be packed into it."
    page = _render(comparison, clips, packed, command)
    with writing(out_html, "--out"):
        out_html.write_text(page, encoding="utf-8")


def _render(
    comparison: Comparison, clips: Clips | str, packed: Sequence[PackedClip] | str, command: str
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number_of": _written,
        "counted": counted,
        "listed": listed,
        "latency": latency_words,
        "findings": _findings,
        "heading": lambda metric: measure(metric).heading,
    }
    viewer = {}
    if isinstance(clips, Clips):
        structures = _colored(clips.structures)
        viewer = {
            "structures": structures,
            "structures_json": json_for_html(structures),
            "of": clips.of,
            "limits": clips.limits,
            "note": clips.note,
            "viewed": _first_viewed(comparison),
        }
    measures = comparison.settings.measures
    outcomes = {
        "gain": gains_table(comparison),
        "stress": stress_table(comparison),
        "calibration": calibration_table(comparison),
    }
    return environment.get_template("page.html.jinja").render(
        c=comparison,
        clips=packed,
        figures=draw_figures(comparison),
        sections=[
            (anchor, heading)
            for anchor, heading in _SECTIONS.items()
            if anchor not in outcomes or outcomes[anchor] is not None
        ],
        drifts=[drift_sentence(one) for one in comparison.drifts],
        gains=outcomes["gain"],
        stress=outcomes["stress"],
        calibration=outcomes["calibration"],
        stress_differences=stress_differences_table(comparison),
        margins=margins(comparison.settings.primary),
        scores=compared_scores(comparison, comparison.cells, measures, "Scores"),
        streaming=compared_scores(comparison, comparison.streaming, measures, "As streamed"),
        differences=[
            differences_table(comparison, pair, every_measure=True) for pair in comparison.pairs
        ],
        seeds=seeds_table(comparison),
        temporal=temporal_table(comparison),
        gaps=_reasons(comparison.temporal),
        human=_human_lines(comparison),
        reasons=_reasons(comparison.cells),
        versions=_versions(),
        command=command,
        css=Markup(_file("report.css")),
        js=Markup(_file("report.js")),
        **viewer,
    )


def _written(value: float) -> str:
    """Write a number that was not rounded yet as all the others are."""
    return number(rounded(value))


def _colored(structures: StructureSet) -> list[dict[str, str]]:
    return [
        {"name": one.name, "color": "#{:02x}{:02x}{:02x}".format(*one.color_rgb)}
        for one in structures
    ]


def _human_lines(comparison: Comparison) -> list[str]:
    """Say once per source and tissue how well people agree."""
    sources: dict[str, dict[tuple[str, float], list[str]]] = {}
    for one in comparison.human:
        tissues = sources.setdefault(one.source, {})
        tissues.setdefault((one.tissue, one.dice), []).append(one.structure)
    return [
        "; ".join(
            f"{dice:.2f} on {tissue}"
            + (f", drawn for {', '.join(structures)}" if structures != [tissue] else "")
            for (tissue, dice), structures in tissues.items()
        )
        + f" ({source})"
        for source, tissues in sources.items()
    ]


def _first_viewed(comparison: Comparison) -> tuple[int, int | None]:
    """Return the two arms that the viewer begins with: those of the first pair."""
    names = [arm.name for arm in comparison.arms]
    if comparison.pairs:
        return names.index(comparison.pairs[0].baseline), names.index(comparison.pairs[0].arm)
    return 0, 1 if len(names) > 1 else None


def _findings(pair: Pair) -> list[tuple[str, list[Difference]]]:
    """Return what was found in the primary metrics, and under a heading what was not shown."""
    primary = [one for one in pair.differences if one.primary]
    found = [one for one in primary if one.verdict in ("better", "worse", "equivalent")]
    other = [one for one in primary if one not in found]
    kinds = Counter(one.verdict for one in other)
    words = {"not shown": "neither a difference nor equivalence was shown"}
    heading = "; ".join(f"{kinds[kind]}: {words.get(kind, kind)}" for kind in kinds)
    return [part for part in (("", found), (heading, other)) if part[1]]


def _reasons(cells: Sequence[Cell]) -> list[str]:
    """Say once why values of a table are missing or of fewer subjects, and where."""
    arms: dict[tuple[str, str, str], list[str]] = {}
    for one in cells:
        if one.reason:
            key = (one.reason, measure(one.metric).title, one.structure)
            arms.setdefault(key, []).append(one.arm)
    places: dict[tuple[str, str], list[str]] = {}
    for (reason, title, structure), of_arms in arms.items():
        places.setdefault((reason, title), []).append(f"{structure}: {', '.join(of_arms)}")
    titles: dict[tuple[str, str], list[str]] = {}
    for (reason, title), where in places.items():
        titles.setdefault((reason, "; ".join(where)), []).append(title)
    return [f"{listed(of)}: {reason} ({where})" for (reason, where), of in titles.items()]


def _versions() -> list[tuple[str, str]]:
    found = [("Python", platform.python_version())]
    for package in _PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:  # the page can be made without torch
            continue
    return found


def _file(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
