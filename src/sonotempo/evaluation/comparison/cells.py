"""A comparison's tables as records: the paper's metrics, seeds, temporal metrics, state age."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sonotempo.evaluation.comparison.differences import spread, undefined_in
from sonotempo.evaluation.comparison.lineup import ComparedArm
from sonotempo.evaluation.comparison.record import Cell, SeedSpread, TemporalCell
from sonotempo.evaluation.comparison.rounding import joined, rounded
from sonotempo.evaluation.comparison.statistics import Floats, SubjectScores, subject_scores
from sonotempo.evaluation.metrics.regions import Reading
from sonotempo.evaluation.scoring.frames import per_subject, pooled
from sonotempo.measures import COMPARED, Measure, measure


def paper_cells(
    frames: Mapping[str, Sequence[pd.DataFrame]],
    scores: Mapping[str, SubjectScores],
    structures: Sequence[str],
    measures: Sequence[Measure],
    overlap: Reading,
) -> tuple[Cell, ...]:
    """Return mean ± SD over subjects and the pooled value, structures × arms × measures.

    Args:
        frames: every arm's scored frames with each seed, by the arm's name, in order.
        scores: of every arm's subjects, by its name.
        structures: the rows.
        measures: the columns.
        overlap: which reading's region counts are pooled.

    Source: Smistad et al. 2021, section III and Figs. 1–2.
    """
    over_frames = {arm: _pooled(tables, overlap) for arm, tables in frames.items()}
    cells = []
    for k, structure in enumerate(structures):
        for arm in frames:
            of_arm = scores[arm]
            for one in measures:
                values_S = of_arm.values_SK(one.name)[:, k]
                mean, sd, n, lacks = spread(values_S, one.decimals)
                whole = rounded(float(over_frames[arm][one.name].loc[structure]), one.decimals)
                missing = undefined_in(one, of_arm.subjects, np.isnan(values_S).tolist())
                reason = joined([missing, lacks])
                cells.append(Cell(structure, arm, one.name, mean, sd, n, whole, reason))
    return tuple(cells)


def cells_of_run(
    frames: pd.DataFrame, arms: Sequence[str], structures: Sequence[str], overlap: Reading
) -> tuple[Cell, ...]:
    """Return the cells of every measure for a run's own table; arms may have other subjects."""
    of_arms = {arm: frames[frames["arm"] == arm] for arm in arms}
    scores = {
        arm: subject_scores(
            [per_subject(one, overlap)], sorted(one["subject"].unique()), structures
        )
        for arm, one in of_arms.items()
    }
    tables = {arm: [one] for arm, one in of_arms.items()}
    return paper_cells(tables, scores, structures, COMPARED, overlap)


def seed_spreads(
    arms: Sequence[ComparedArm],
    scores: Mapping[str, Sequence[SubjectScores]],
    structures: Sequence[str],
    measures: Sequence[Measure],
) -> tuple[SeedSpread, ...]:
    """Return the mean over subjects of every seed, and their SD, for arms with several seeds.

    Args:
        arms: in their order.
        scores: of every arm's subjects with each seed, by the arm's name.
        structures: the rows.
        measures: the columns.
    """
    found = []
    for k, structure in enumerate(structures):
        for arm in arms:
            seeds = tuple(each.seed for each in arm.seeds if each.seed is not None)
            if len(seeds) < 2:
                continue
            for one in measures:
                means = np.array(
                    [_mean(of_seed.values_SK(one.name)[:, k]) for of_seed in scores[arm.name]]
                )
                _, sd, n, _ = spread(means, one.decimals)
                lacking = len(seeds) - n
                reason = f"{one.undefined} with {lacking} seeds" if lacking else ""
                shown = tuple(rounded(mean, one.decimals) for mean in means.tolist())
                found.append(SeedSpread(structure, arm.name, one.name, seeds, shown, sd, reason))
    return tuple(found)


def temporal_cells(
    arms: Sequence[ComparedArm], structures: Sequence[str]
) -> tuple[TemporalCell, ...]:
    """Return mean ± SD over subjects of every temporal metric that was scored.

    Recordings are averaged per subject and seed, seeds per subject. Where recordings lack a value,
    their reasons stand beside it with their numbers; an arm without scores says so.
    """
    tables = {
        arm.name: pd.concat(
            [one.scores.temporal.assign(seed=str(one.seed)) for one in arm.seeds],
            ignore_index=True,
        )
        for arm in arms
    }
    metrics = list(dict.fromkeys(name for table in tables.values() for name in table["metric"]))
    cells = []
    for arm, table in tables.items():
        keys = ["structure", "metric", "subject"]
        by_seed = table.groupby([*keys, "seed"], sort=True)["value"].mean()
        values = by_seed.groupby(keys, sort=True).mean()
        of_subjects: dict[object, Floats] = {
            key: of.to_numpy(float) for key, of in values.groupby(level=keys[:2])
        }
        reasons: dict[object, Counter[str]] = {
            key: Counter(of) for key, of in table.groupby(keys[:2], sort=False)["reason"]
        }
        cells += [
            _temporal(structure, arm, metric, of_subjects.get(key), reasons.get(key))
            for structure in structures
            for metric in metrics
            for key in [(structure, metric)]
        ]
    return tuple(sorted(cells, key=lambda cell: structures.index(cell.structure)))


def _pooled(frames: Sequence[pd.DataFrame], overlap: Reading) -> pd.DataFrame:
    """Return the values over all frames, averaged over seeds, by structure."""
    tables = [pooled(one, overlap).set_index("structure").drop(columns="arm") for one in frames]
    return pd.concat(tables).groupby(level=0, sort=False).mean()


def _temporal(
    structure: str,
    arm: str,
    metric: str,
    values_S: Floats | None,
    reasons: Mapping[str, int] | None,
) -> TemporalCell:
    """Return one cell from every subject's value and each recording's reason, empty for none."""
    if values_S is None or reasons is None:
        return TemporalCell(structure, arm, metric, None, None, 0, "not available: not scored")
    mean, sd, n, lacks = spread(values_S, measure(metric).decimals)
    whole = sum(reasons.values())
    lacking = ", ".join(
        text if count == whole else f"{text} in {count} of {whole} recordings"
        for text, count in sorted(reasons.items())
        if text
    )
    reason = joined([f"not available: {lacking}" if lacking else "", lacks])
    return TemporalCell(structure, arm, metric, mean, sd, n, reason)


def _mean(values: Floats) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
