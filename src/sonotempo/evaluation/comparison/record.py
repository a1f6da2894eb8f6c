"""What a comparison found: the one record that every table, sentence and page is made from.

Its numbers are rounded (:mod:`sonotempo.evaluation.comparison.rounding`). A value that does not
exist is None, next to the reason.
"""

from dataclasses import dataclass
from typing import Literal

from sonotempo.evaluation.comparison.rounding import P_DECIMALS
from sonotempo.evaluation.scoring.scored_data import DataFacts
from sonotempo.measures import Measure

#: The version of ``comparison.json``; raised when a key changes its meaning.
SCHEMA = 1

Verdict = Literal["better", "worse", "equivalent", "not shown", "not judged"]

#: What the difference of two arms is evidence of; see :mod:`sonotempo.evaluation.comparison.pairs`.
Kind = Literal[
    "memory effect",
    "recipe gain",
    "use of state at test time",
    "smoothing",
    "carrying along motion",
    "training beyond motion",
    "available gain",
    "another method",
    "other settings",
    "unequal arms",
]


@dataclass(frozen=True, slots=True)
class RunSource:
    """A folder that scores came from: its name without its path, its experiment, seed and note.

    Arms that were scored outside a run have no experiment, and None for a seed.
    """

    folder: str
    experiment: str
    seed: int | None
    note: str


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of the comparison.

    Attributes:
        name: in every table; arms of the same name with other settings carry their run's.
        role: the name that the run gave it: what it is, such as ``sequence``.
        runs: the folders that hold it, one per seed.
        seeds: of its runs; empty for masks of another tool.
        folds: how many.
        external: whether it is masks of another tool.
        parameters: of its network; None where unknown.
        facts: each fact that all its folds and seeds share, in plain words; empty if unknown.
    """

    name: str
    role: str
    runs: tuple[str, ...]
    seeds: tuple[int, ...]
    folds: int
    external: bool
    parameters: int | None
    facts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Cell:
    """One measure of one arm in one structure (after Smistad et al. 2021, Figs. 1–2).

    Attributes:
        structure: the anatomical class.
        arm: by name.
        metric: the name of one of :mod:`sonotempo.measures`.
        mean: over subjects, each the mean over its seeds (and, over time, its recordings).
        sd: over subjects, n − 1 in the denominator.
        n: subjects in which the measure is defined.
        reason: why ``mean`` or ``sd`` does not exist, or why n is not all subjects.
        pooled: from the summed region counts of all subjects, for precision, recall and F1; of
            Dice and distances the mean over all frames; None for measures over time.
    """

    structure: str
    arm: str
    metric: str
    mean: float | None
    sd: float | None
    n: int
    reason: str
    pooled: float | None = None


@dataclass(frozen=True, slots=True)
class SubjectDifference:
    """One subject's value in both arms, and arm − baseline."""

    subject: str
    arm: float | None
    baseline: float | None
    difference: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Arm − baseline in one structure and metric, with its evidence.

    Attributes:
        structure: the anatomical class.
        metric: the name of one of :data:`sonotempo.measures.COMPARED`.
        primary: whether conclusions are drawn from this metric; only these are tested.
        estimate: of precision, recall and F1 from the pooled counts of all subjects, of others the
            mean over subjects.
        ci_low: lower end of the 95 % interval: paired cluster bootstrap over subjects.
        ci_high: its upper end.
        p: Wilcoxon signed-rank over the subjects' differences.
        p_holm: the same, corrected over structures × primary metrics of this pair.
        n: subjects with a value in both arms.
        detectable: the smallest true difference that so many subjects would have shown with 80 %
            power; None if it is not known.
        verdict: what follows.
        sentence: the verdict in words with its numbers.
        reason: why an estimate, interval or p value does not exist; empty if all do.
        undefined_draws: bootstrap draws in which the metric has no value, left out of the interval.
        subjects: every subject's difference, for primary metrics.
    """

    structure: str
    metric: str
    primary: bool
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None
    p_holm: float | None
    n: int
    detectable: float | None
    verdict: Verdict
    sentence: str
    reason: str
    undefined_draws: int
    subjects: tuple[SubjectDifference, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two arms on the same subjects and labelled frames.

    Attributes:
        arm: the one whose gain is asked for.
        baseline: what it is compared with.
        kind: what the difference is evidence of.
        meaning: the same in a sentence for readers.
        differs_in: each fact in which the two differ, in words.
        refused: why the difference is not what this pair was made to show; empty if it is.
        differences: in the order structures × metrics.
    """

    arm: str
    baseline: str
    kind: Kind
    meaning: str
    differs_in: tuple[str, ...]
    refused: tuple[str, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class GainShare:
    """How much of what the best memory could win an arm has won, in one structure and metric.

    Attributes:
        structure: the anatomical class.
        metric: a primary metric.
        arm: whose gain over ``baseline`` is taken as a share.
        baseline: its control.
        available: oracle with memory − oracle without.
        available_low: lower end of its 95 % interval.
        available_high: its upper end.
        share: (arm − baseline) / available; None where there is nothing to win.
        ci_low: lower end of the share's interval.
        ci_high: its upper end.
        reason: why there is no share.
    """

    structure: str
    metric: str
    arm: str
    baseline: str
    available: float | None
    available_low: float | None
    available_high: float | None
    share: float | None
    ci_low: float | None
    ci_high: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Drift:
    """Where carrying the state lowers Dice, ``first`` to ``last`` frames after a reset.

    ``carried`` and ``reset`` are means over subjects; the interval is of their difference.
    """

    structure: str
    arm: str
    first: int
    last: int
    carried: float | None
    reset: float | None
    ci_low: float | None
    ci_high: float | None


StressPhase = Literal["inside", "after", "sound"]


@dataclass(frozen=True, slots=True)
class StressCell:
    """One arm on disturbed recordings, all structures together.

    Attributes:
        arm: by name.
        phase: ``inside`` disturbances, ``after`` them, or ``sound``: before the first, or 10 frames
            or more after one.
        kind: of the disturbance, or ``all``.
        frames: how many frames with a structure, each structure counted.
        misses: share of them in which it is not found.
        misses_low: lower end of the 95 % interval over subjects.
        misses_high: its upper end.
        dice: mean, misses counted as 0.
        dice_low: lower end of its interval.
        dice_high: its upper end.
        invented: false regions per frame and structure.
        frames_until_back: after a disturbance, until the arm is back at its own level, on average.
        back_within_3: share of disturbances after which it is back within 3 frames.
    """

    arm: str
    phase: StressPhase
    kind: str
    frames: int
    misses: float | None
    misses_low: float | None
    misses_high: float | None
    dice: float | None
    dice_low: float | None
    dice_high: float | None
    invented: float | None
    frames_until_back: float | None
    back_within_3: float | None


@dataclass(frozen=True, slots=True)
class StressDifference:
    """By what share an arm misses less than its baseline inside disturbances, with its interval."""

    arm: str
    baseline: str
    kind: str
    fewer_misses: float | None
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True, slots=True)
class CalibrationCell:
    """Whether the pixels of a structure that an arm predicts are right as often as it says.

    Attributes:
        structure: which one.
        arm: by name.
        pixels: that the arm predicted in labelled frames; the rest is None if there are none.
        confidence: the mean of their probabilities.
        right: the share of them that the reference confirms.
        error: the expected calibration error, see :mod:`sonotempo.calibration`.
        error_low: lower end of its 95 % interval over subjects.
        error_high: its upper end.
    """

    structure: str
    arm: str
    pixels: int
    confidence: float | None
    right: float | None
    error: float | None
    error_low: float | None
    error_high: float | None


@dataclass(frozen=True, slots=True)
class SeedSpread:
    """One metric of one arm per seed: the mean over subjects of each, and their SD."""

    structure: str
    arm: str
    metric: str
    seeds: tuple[int, ...]
    means: tuple[float | None, ...]
    sd: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class StateAge:
    """Dice and F1 from the ``first`` to the ``last`` frame since the last reset, counted from 1.

    As :func:`sonotempo.evaluation.comparison.state_age.state_age_curve` defines them; ``subjects``
    have a Dice. None where nothing is predicted or there.
    """

    structure: str
    arm: str
    first: int
    last: int
    dice: float | None
    f1: float | None
    subjects: int
    frames: int


@dataclass(frozen=True, slots=True)
class Latency:
    """How long an arm took per frame: ``source`` records how that was measured."""

    arm: str
    source: str
    samples_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class HumanReference:
    """A line to compare arms with: how well people agree.

    Attributes:
        structure: which it is drawn for.
        tissue: what people labelled.
        dice: between people.
        source: who they were.
        measured: by readers of the user's own data; else from the literature, and never from this
            data.
    """

    structure: str
    tissue: str
    dice: float
    source: str
    measured: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A structure without a reference in any frame: nothing can be concluded about it."""

    structure: str
    reason: str


@dataclass(frozen=True, slots=True)
class Settings:
    """How the numbers were made.

    Attributes:
        overlap: what a region's intersection is divided by: ``reference`` or ``iou``.
        overlap_threshold: a true positive overlaps by more than this share.
        ignored_radius_px: regions smaller than a circle of this radius do not count.
        measures: those that have values, in the order of tables, with the margins in force.
        primary_metrics: the names of those that conclusions are drawn from.
        bootstrap_draws: how many.
        seed: of the bootstrap.
        confidence: of the intervals.
        alpha: of the tests, after Holm.
        p_decimals: of p values.
    """

    overlap: str
    overlap_threshold: float
    ignored_radius_px: float
    measures: tuple[Measure, ...]
    primary_metrics: tuple[str, ...]
    bootstrap_draws: int
    seed: int
    confidence: float
    alpha: float
    p_decimals: int = P_DECIMALS

    @property
    def primary(self) -> tuple[Measure, ...]:
        """The measures that conclusions are drawn from, in the order of the settings."""
        return tuple(map(self.measure, self.primary_metrics))

    def measure(self, name: str) -> Measure:
        """Return one of the measures, with the margin in force."""
        return next(one for one in self.measures if one.name == name)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two or more arms, scored on the same labelled frames.

    Attributes:
        title: the heading of every output.
        answer: one sentence on whether memory helps.
        summary: three sentences with numbers.
        notes: sentences that head every table, those of the data first.
        data: what readers must know of the data: simulated, unknown subjects, stills in motion.
        settings: how the numbers were made.
        runs: where the scores came from.
        arms: in the order of every table.
        structures: in label order; those with a reference.
        left_out: structures without one.
        subjects: everyone who was scored.
        recordings: how many were scored.
        labelled_frames: how many were scored.
        cells: structures × arms × metrics.
        pairs: what was compared with what.
        streaming: as ``cells``, of the masks that were on screen when each frame was shown; of the
            arms that were scored as streamed, with ``latencies``.
        seed_spread: with several seeds only.
        temporal: structures × arms × temporal metrics, if scored.
        state_age: structures × arms × ages, if scored.
        gain_shares: with the oracles among the arms: what was available, and who won how much.
        drifts: where a carried state does harm.
        stress: arms on disturbed recordings, if scored.
        stress_differences: of the pairs, inside disturbances.
        calibration: structures × arms whose probabilities are known.
        latencies: that arms were streamed with.
        human: how well people agree, measured or from the literature.
        schema: version of this record's JSON.
    """

    title: str
    answer: str
    summary: tuple[str, str, str]
    notes: tuple[str, ...]
    data: DataFacts
    settings: Settings
    runs: tuple[RunSource, ...]
    arms: tuple[Arm, ...]
    structures: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    subjects: tuple[str, ...]
    recordings: int
    labelled_frames: int
    cells: tuple[Cell, ...]
    streaming: tuple[Cell, ...]
    pairs: tuple[Pair, ...]
    seed_spread: tuple[SeedSpread, ...]
    temporal: tuple[Cell, ...]
    state_age: tuple[StateAge, ...]
    gain_shares: tuple[GainShare, ...]
    drifts: tuple[Drift, ...]
    stress: tuple[StressCell, ...]
    stress_differences: tuple[StressDifference, ...]
    calibration: tuple[CalibrationCell, ...]
    latencies: tuple[Latency, ...]
    human: tuple[HumanReference, ...]
    schema: int = SCHEMA

    def cell(self, structure: str, arm: str, metric: str) -> Cell:
        """Return one cell of the paper's table."""
        return next(
            one
            for one in self.cells
            if (one.structure, one.arm, one.metric) == (structure, arm, metric)
        )
