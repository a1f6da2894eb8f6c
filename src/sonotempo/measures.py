"""Every measure once: its name, unit and range, how it is averaged, and when two arms are equal.

Settings, table columns, CSV, LaTeX, figures, JSON and the report page are derived from these
records. A new measure is a function in :mod:`sonotempo.evaluation.metrics`, a record here and, if
it is measured per frame, a line in :mod:`sonotempo.evaluation.scoring.frames`.
"""

from dataclasses import dataclass
from typing import Literal

from sonotempo.errors import ConfigError, unknown_option

#: Weights of true positives, false positives and false negatives.
Weights = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class OfCounts:
    """A ratio of region counts that are summed over all frames first; ratios are never averaged."""

    part: Weights
    whole: Weights


@dataclass(frozen=True, slots=True)
class OfFrames:
    """A mean over the frames of a recording, then over the recordings of a subject.

    Attributes:
        column: where a table of frames holds the values.
        only_present: leave out frames without the structure in the reference.
    """

    column: str
    only_present: bool = True


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of segmentation quality.

    Attributes:
        name: in settings, tables and files.
        title: in headings and sentences.
        unit: of its values; empty for shares and ratios.
        lowest: the smallest possible value; None if there is none.
        highest: the largest possible value; None if there is none.
        better: which values are good.
        aggregation: how frames become the value of a subject; None for a measure of a whole
            recording, which is averaged over the subject's recordings.
        undefined: why there is no value; empty if there always is one.
        caution: a sentence for captions, on what the values cannot tell.
        margin: differences inside ± this, in its unit, do not matter, unless
            ``evaluate.equivalence_margins`` sets another; None for measures that are not tested,
            which cannot be primary.
        decimals: to which values are rounded and shown.
        in_paper: whether every table of scores shows it; others only as primary measures.
    """

    name: str
    title: str
    unit: str = ""
    lowest: float | None = 0.0
    highest: float | None = 1.0
    better: Literal["higher", "lower", "nearer to 0"] = "higher"
    aggregation: OfCounts | OfFrames | None = None
    undefined: str = ""
    caution: str = ""
    margin: float | None = None
    decimals: int = 3
    in_paper: bool = False

    @property
    def worst(self) -> float | None:
        """The worst possible value; None if there is none."""
        return self.highest if self.better == "lower" else self.lowest

    @property
    def heading(self) -> str:
        """Title and unit, with an arrow where higher is not better.

        >>> measure("dice").heading, measure("onset_delay_ms").heading
        ('Dice', 'Onset delay, ms ↓')
        """
        arrow = {"higher": "", "lower": " ↓", "nearer to 0": " →0"}[self.better]
        return (f"{self.title}, {self.unit}" if self.unit else self.title) + arrow


#: Measures that arms are compared by, in the order of tables.
COMPARED = (
    Measure(
        "precision",
        "Precision",
        aggregation=OfCounts(part=(1, 0, 0), whole=(1, 1, 0)),
        undefined="nothing predicted",
        margin=0.02,
        in_paper=True,
    ),
    Measure(
        "recall",
        "Recall",
        aggregation=OfCounts(part=(1, 0, 0), whole=(1, 0, 1)),
        undefined="no reference region",
        margin=0.02,
        in_paper=True,
    ),
    Measure(
        "f1",
        "F1",
        aggregation=OfCounts(part=(2, 0, 0), whole=(2, 1, 1)),
        undefined="neither predicted nor there",
        margin=0.02,
        in_paper=True,
    ),
    Measure(
        "dice",
        "Dice",
        aggregation=OfFrames("dice"),
        undefined="structure absent",
        margin=0.02,
        in_paper=True,
    ),
    Measure(
        "dice_all",
        "Dice, all frames",
        aggregation=OfFrames("dice", only_present=False),
        undefined="neither predicted nor there",
        margin=0.02,
    ),
    Measure(
        "nsd",
        "NSD",
        aggregation=OfFrames("nsd"),
        undefined="structure absent or spacing unknown",
        margin=0.02,
    ),
    Measure(
        "hd95",
        "HD95",
        unit="mm",
        highest=None,
        better="lower",
        aggregation=OfFrames("hd95"),
        undefined="structure absent or not predicted, or spacing unknown",
        caution="HD95 leaves out missed structures: read it together with recall.",
        margin=0.5,
        decimals=2,
    ),
)

#: Measures of a recording over time, in the order of tables; described, not tested.
TEMPORAL = (
    Measure(
        "flicker_per_s", "Flicker", unit="1/s", lowest=None, highest=None, better="nearer to 0"
    ),
    Measure(
        "onset_delay_ms",
        "Onset delay",
        unit="ms",
        highest=None,
        better="lower",
        undefined="never found",
    ),
    Measure(
        "dropouts_per_min",
        "Dropouts",
        unit="1/min",
        highest=None,
        better="lower",
        undefined="never found",
    ),
    Measure(
        "dropout_p95_ms",
        "Dropout, 95th percentile",
        unit="ms",
        highest=None,
        better="lower",
        undefined="never found",
    ),
    Measure("continuity", "Continuity"),
    Measure(
        "ghosting_ms",
        "Ghosting",
        unit="ms",
        highest=None,
        better="lower",
        undefined="the reference never ends",
    ),
    Measure("vc_correct_8", "VC correct (8)", undefined="no pixel keeps its label for 8 frames"),
    Measure("vc_correct_16", "VC correct (16)", undefined="no pixel keeps its label for 16 frames"),
    Measure("dtssd", "dtSSD", highest=None, better="lower"),
    Measure(
        "area_inconsistency",
        "Area inconsistency",
        better="lower",
        undefined="never in three consecutive frames",
    ),
    Measure(
        "centroid_inconsistency",
        "Centroid inconsistency",
        better="lower",
        undefined="never in three consecutive frames",
    ),
    Measure(
        "lag_frames",
        "Lag",
        unit="frames",
        lowest=None,
        highest=None,
        better="nearer to 0",
        undefined="never overlaps, or too short",
    ),
)

_BY_NAME = {one.name: one for one in (*COMPARED, *TEMPORAL)}


def measure(name: str) -> Measure:
    """Return a measure by its name.

    Raises:
        ConfigError: there is none; the message lists the names.
    """
    if name not in _BY_NAME:
        raise ConfigError(unknown_option("measure", name, _BY_NAME))
    return _BY_NAME[name]


#: The measures of the paper's figures, in the order of its bars.
PAPER_BARS = tuple(map(measure, ("f1", "recall", "precision", "dice")))

#: The measures that may be primary: what a comparison can test.
TESTABLE = tuple(one.name for one in COMPARED if one.margin is not None)
