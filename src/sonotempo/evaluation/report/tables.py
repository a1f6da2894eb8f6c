"""The tables of scores and differences: built once, written for every output.

:class:`TextTable` holds the captions, cells and footnotes; :func:`markdown`, :func:`latex`,
:class:`RunTable` and the report page only lay them out. Digits and headings are those of
:mod:`sonotempo.measures`.

Source of the form: Smistad et al. 2021, section III and Figs. 1–2.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pandas as pd

from sonotempo.config import EvaluateConfig
from sonotempo.evaluation.comparison.cells import cells_of_run
from sonotempo.evaluation.comparison.record import (
    Cell,
    Comparison,
    Pair,
    Settings,
)
from sonotempo.evaluation.comparison.rounding import (
    counted,
    interval,
    joined,
    listed,
    margins,
    mean_sd,
    number,
    p_number,
)
from sonotempo.evaluation.report.text_table import (
    TextTable,
    csv_text,
    escaped,
    markdown_table,
    paragraphs,
)
from sonotempo.measures import COMPARED, Measure, OfFrames, measure

if TYPE_CHECKING:
    from rich.table import Table

_DIVISORS = {"reference": "reference area", "iou": "union (IoU)"}


@dataclass(frozen=True, slots=True)
class RunTable:
    """The scores of arms with their heading, for a terminal and for files.

    Attributes:
        notes: sentences between heading and table.
        table: as shown.
        cells: the numbers, of every measure.
    """

    notes: tuple[str, ...]
    table: TextTable
    cells: tuple[Cell, ...]

    def markdown(self) -> str:
        """Return heading, notes, table and footnotes as Markdown, ending in a line break."""
        above = (f"### {self.table.title}", *self.notes, self.table.caption)
        return paragraphs([*map(escaped, above), markdown_table(self.table)])

    def csv(self) -> str:
        """Return every measure as CSV, one row per structure, arm and metric.

        Undefined values are empty. Title, notes and caption are columns, so that no row loses its
        heading.
        """
        heading = {
            "title": self.table.title,
            "notes": " ".join(self.notes),
            "caption": self.table.caption,
        }
        rows = pd.DataFrame(map(asdict, self.cells)).assign(**heading)
        rows = rows.map(lambda value: csv_text(value) if isinstance(value, str) else value)
        return rows.to_csv(index=False, lineterminator="\n")

    def rich(self) -> "Table":
        """Return the table for a terminal of 80 columns, each arm below its structure."""
        from rich import box  # noqa: PLC0415 (for terminals only)
        from rich.markup import escape  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415

        shown = Table(
            title=escape("\n".join([self.table.title, *self.notes])),
            caption=escape("\n".join([self.table.caption, *self.table.footnotes])),
            caption_justify="left",
            box=box.SIMPLE,
            padding=(0, 1, 0, 0),
            show_edge=False,
        )
        structure, _, *columns = self.table.columns
        longest = max(len(row[1]) for row in self.table.rows)
        shown.add_column(structure, overflow="fold", min_width=1 + longest)
        for column in columns:
            shown.add_column(escape(column), justify="right")
        # With more columns than the paper's, the SD goes below the mean.
        spread = "±" if len(columns) < 6 else "\n±"
        for name, rows in self.table.groups:
            shown.add_row(escape(name), style="bold")
            for arm, *texts in rows:
                cells = [text.replace(" ± ", spread).replace(" (", "\n(") for text in texts]
                shown.add_row(*map(escape, [f" {arm}", *cells]))
            shown.add_section()
        return shown


def run_table(
    frames: pd.DataFrame,
    config: EvaluateConfig,
    arms: Sequence[str],
    structures: Sequence[str],
    *,
    title: str,
    notes: Sequence[str] = (),
) -> RunTable:
    """Return the scores of arms: mean ± SD over subjects, and F1 pooled over frames.

    Args:
        frames: the scored frames of all arms.
        config: the rules that they were scored by; primary metrics are shown too.
        arms: those to show, in this order; each has frames.
        structures: the rows, in their order.
        title: the heading, such as the procedure.
        notes: further sentences above the table, such as 'stills moved into clips'.
    """
    cells = cells_of_run(frames, arms, structures, config.overlap)
    subjects, sizes = {}, []
    for arm in arms:
        shown = frames.loc[frames["arm"] == arm, ["subject", "recording", "frame"]]
        subjects[arm] = shown["subject"].nunique()
        count = len(shown.drop_duplicates())
        sizes.append(f"{counted(subjects[arm], 'subject')}, {counted(count, 'frame')}")
    if len(set(sizes)) > 1:
        sizes = ["; ".join(f"{arm}: {size}" for arm, size in zip(arms, sizes, strict=True))]
    measures = [one for one in COMPARED if one.in_paper or one.name in config.primary_metrics]
    table = scores_table(cells, measures, config, subjects, title=title, sizes=sizes[0])
    return RunTable(tuple(notes), table, cells)


def compared_scores(
    comparison: Comparison, cells: Sequence[Cell], measures: Sequence[Measure], title: str
) -> TextTable:
    """Return the scores of a comparison's arms."""
    sizes = ", ".join(
        [
            counted(len(comparison.subjects), "subject"),
            counted(comparison.recordings, "recording"),
            counted(comparison.labelled_frames, "labelled frame"),
        ]
    )
    subjects = {arm.name: len(comparison.subjects) for arm in comparison.arms}
    return scores_table(cells, measures, comparison.settings, subjects, title=title, sizes=sizes)


def scores_table(
    cells: Sequence[Cell],
    measures: Sequence[Measure],
    rules: EvaluateConfig | Settings,
    subjects: Mapping[str, int],
    *,
    title: str,
    sizes: str,
) -> TextTable:
    """Return mean ± SD of every structure and arm, and F1 pooled over all frames.

    Args:
        cells: of these structures and arms, in order.
        measures: the columns.
        rules: how regions were counted.
        subjects: how many each arm has; a mean of fewer is marked.
        title: the heading.
        sizes: how many subjects and frames, for the caption.
    """
    of_row: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in cells:
        of_row.setdefault((cell.structure, cell.arm), {})[cell.metric] = cell
    rows = []
    for (structure, arm), by_metric in of_row.items():
        texts = [_mean_sd(by_metric[one.name], subjects[arm]) for one in measures]
        f1 = by_metric.get("f1")
        rows.append((structure, arm, *texts, number(f1.pooled if f1 else None)))
    columns = ("Structure", "Arm", *(one.heading for one in measures), "F1 pooled")
    caption = _scores_caption(measures, rules, sizes)
    return TextTable(title, caption, columns, tuple(rows), _footnotes(rows, measures))


def _mean_sd(cell: Cell, subjects: int) -> str:
    """Write a cell, with n where it is not of all subjects."""
    text = mean_sd(cell.mean, cell.sd, measure(cell.metric).decimals)
    return text if cell.n in (0, subjects) else f"{text} (n={cell.n})"


def _scores_caption(
    measures: Sequence[Measure], rules: EvaluateConfig | Settings, sizes: str
) -> str:
    """Say what is shown, under which rules, and of how many subjects and frames."""
    present = [
        one.title
        for one in measures
        if isinstance(one.aggregation, OfFrames) and one.aggregation.only_present
    ]
    sentences = [
        "Mean ± SD over subjects; F1 pooled is of the regions of all frames together.",
        "A predicted region is a true positive if intersection / "
        f"{_DIVISORS[rules.overlap]} is more than {100 * rules.overlap_threshold:g} %, each "
        "reference region matched to at most one.",
        f"Regions smaller than a circle of {rules.ignored_radius_px:g} px radius on a grid 256 px "
        "wide are ignored.",
        f"{listed(present)} {'is' if len(present) == 1 else 'are'} of the frames in which "
        "the structure is present in the reference."
        if present
        else "",
        *(one.caution for one in measures),
        "↓: lower is better." if any(one.better == "lower" for one in measures) else "",
        f"{sizes}.",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _footnotes(rows: Sequence[tuple[str, ...]], measures: Sequence[Measure]) -> tuple[str, ...]:
    """Explain the marks that the cells hold."""
    undefined = "; ".join(f"{one.title}: {one.undefined}" for one in measures)
    marks = {
        ".*± –.*": "± – is a mean of one subject: a standard deviation needs two.",
        r".*\(n=.*": "(n=…) is how many subjects a mean is of; the others have no such value.",
        "–": f"– is an undefined value. {undefined}.",
    }
    texts = [text for row in rows for text in row[2:]]
    return tuple(
        note for mark, note in marks.items() if any(re.fullmatch(mark, text) for text in texts)
    )


def differences_table(
    comparison: Comparison, pair: Pair, *, every_measure: bool = False
) -> TextTable:
    """Return the differences of a pair in the primary metrics, or in all with p and reasons."""
    settings = comparison.settings
    rows = []
    for one in pair.differences:
        if not (one.primary or every_measure):
            continue
        of = settings.measure(one.metric)
        draws = f"{one.undefined_draws} draws without a value" if one.undefined_draws else ""
        marked = " (primary)" if one.primary and every_measure else ""
        rows.append(
            (
                one.structure,
                of.heading + marked,
                number(one.estimate, of.decimals, signed=True),
                interval(one.ci_low, one.ci_high, of.decimals),
                *([p_number(one.p)] if every_measure else []),
                p_number(one.p_holm),
                number(one.detectable, of.decimals),
                str(one.n),
                one.verdict,
                *([joined([one.reason, draws])] if every_measure else []),
            )
        )
    differs = f"They differ in: {'; '.join(pair.differs_in)}. " if pair.differs_in else ""
    confidence = f"{100 * settings.confidence:g} %"
    caption = (
        f"{pair.meaning} {differs}Differences of precision, recall and F1 are of pooled regions, "
        f"others of means over subjects; {confidence} intervals by paired bootstrap over subjects "
        f"({settings.bootstrap_draws} draws); Wilcoxon signed-rank p after Holm; detectable: "
        "the smallest difference that so many subjects would show with 80 % power; equivalence "
        f"margin {margins(settings.primary)}."
    )
    columns = (
        *("Structure", "Metric", "Difference", f"{confidence} CI"),
        *(["p (Wilcoxon)"] if every_measure else []),
        *("p (Holm)", "Detectable", "n", "Verdict"),
        *(["Note"] if every_measure else []),
    )
    title = f"{pair.kind[0].upper()}{pair.kind[1:]}: {pair.arm} − {pair.baseline}"
    return TextTable(title, caption, columns, tuple(rows))


def temporal_table(comparison: Comparison) -> TextTable:
    """Return mean ± SD of every temporal measure, the arms side by side."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for one in comparison.temporal:
        text = _mean_sd(one, len(comparison.subjects))
        cells.setdefault((one.structure, one.metric), {})[one.arm] = text
    arms = [arm.name for arm in comparison.arms]
    rows = tuple(
        (structure, measure(metric).heading, *(of_arm.get(arm, "–") for arm in arms))
        for (structure, metric), of_arm in cells.items()
    )
    return TextTable("Temporal metrics", "", ("Structure", "Metric", *arms), rows)


def seeds_table(comparison: Comparison) -> TextTable:
    """Return every seed's mean over subjects, and how far the seeds are apart."""
    rows = []
    for one in comparison.seed_spread:
        of = measure(one.metric)
        means = ", ".join(
            f"{seed}: {number(mean, of.decimals)}"
            for seed, mean in zip(one.seeds, one.means, strict=True)
        )
        sd = number(one.sd, of.decimals)
        rows.append((one.structure, one.arm, of.heading, means, sd, one.reason))
    columns = ("Structure", "Arm", "Metric", "Mean per seed", "SD", "Note")
    return TextTable("Spread over seeds", "", columns, tuple(rows))
