"""How arms fare on disturbed recordings: inside a disturbance, after it, and on sound frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sonotempo.evaluation.comparison.lineup import ComparedArm
from sonotempo.evaluation.comparison.record import (
    Kind,
    Pair,
    StressCell,
    StressDifference,
    StressPhase,
)
from sonotempo.evaluation.comparison.rounding import rounded
from sonotempo.evaluation.comparison.statistics import CONFIDENCE, Floats
from sonotempo.evaluation.metrics.regions import divided

#: A sound frame again, so many frames after a disturbance.
SOUND_AFTER = 10
#: Pairs whose arms are compared under stress.
_COMPARED: tuple[Kind, ...] = (
    "memory effect",
    "unequal arms",
    "carrying along motion",
    "training beyond motion",
)
_ALL = "all"


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """One row per labelled frame and structure of one arm, over all seeds."""

    table: pd.DataFrame
    subjects: tuple[str, ...]

    def sums_SX(self, phase: StressPhase, kind: str) -> Floats:
        """Return, by subject: frames with the structure, misses, Dice, all frames, inventions."""
        rows = self.table[self.table["phase"] == phase]
        if kind != _ALL:
            rows = rows[rows["kind"] == kind]
        columns = ["there", "missed", "dice", "one", "invented"]
        sums = rows.groupby("subject")[columns].sum().reindex(list(self.subjects), fill_value=0.0)
        return sums.to_numpy(np.float64)

    def back_S(self, kind: str) -> tuple[Floats, Floats, Floats]:
        """Return, by subject: disturbances, frames until back (summed), those back within 3."""
        rows = self.table.dropna(subset=["back"])
        if kind != _ALL:
            rows = rows[rows["kind"] == kind]
        count_S, total_S, soon_S = np.zeros((3, len(self.subjects)))
        for place, subject in enumerate(self.subjects):
            back = rows.loc[rows["subject"] == subject, "back"].to_numpy(np.float64)
            count_S[place], total_S[place], soon_S[place] = len(back), back.sum(), (back <= 3).sum()
        return count_S, total_S, soon_S


def stress_cells(
    arms: Sequence[ComparedArm],
    subjects: Sequence[str],
    *,
    overlap: str,
    back_within: float,
    times_DS: Floats,
    pairs: Sequence[Pair],
) -> tuple[tuple[StressCell, ...], tuple[StressDifference, ...]]:
    """Return what was measured on disturbed recordings, for the arms that were.

    All structures count together, each frame of each once.

    Args:
        arms: with all seeds.
        subjects: the order of the statistics.
        overlap: which reading's region counts are taken.
        back_within: a structure is back at the arm's own level within this much Dice.
        times_DS: drawn subjects.
        pairs: all pairs of the comparison.
    """
    rows = {
        arm.name: _rows(arm, subjects, overlap, back_within)
        for arm in arms
        if all(one.scores.stress is not None for one in arm.seeds)
    }
    if not rows:
        return (), ()
    first = next(iter(rows.values())).table
    kinds = (_ALL, *sorted(set(first.loc[first["phase"] == "inside", "kind"])))
    cells = [
        _cell(name, phase, kind, of, times_DS)
        for name, of in rows.items()
        for phase, of_phase in (("inside", kinds), ("after", (_ALL,)), ("sound", (_ALL,)))
        for kind in of_phase
    ]
    differences = [
        _difference(pair, kind, rows, times_DS)
        for pair in pairs
        if pair.kind in _COMPARED and pair.arm in rows and pair.baseline in rows
        for kind in kinds
    ]
    return tuple(cells), tuple(differences)


def _rows(arm: ComparedArm, subjects: Sequence[str], overlap: str, back_within: float) -> _Rows:
    tables = []
    for number, one in enumerate(arm.seeds):
        assert one.scores.stress is not None
        stressed = one.scores.stress.copy()
        keys = ["subject", "recording", "frame", "structure"]
        own = one.scores.frames[[*keys, "dice"]].rename(columns={"dice": "own_dice"})
        table = stressed.merge(own, on=keys, how="left")
        there = table["reference_px"] > 0
        table["there"] = there.astype(float)
        table["missed"] = (there & (table[f"tp_{overlap}"] == 0)).astype(float)
        table["dice"] = table["dice"].where(there, 0.0).fillna(0.0)
        table["one"] = 1.0
        table["invented"] = table[f"fp_{overlap}"].astype(float)
        table["back"] = _frames_until_back(table, there, back_within)
        late = (table["phase"] == "after") & (table["offset"] >= SOUND_AFTER)
        table.loc[late, "phase"] = "sound"
        tables.append(table.assign(seed=number))
    return _Rows(pd.concat(tables, ignore_index=True), tuple(subjects))


def _frames_until_back(
    table: pd.DataFrame, there: "pd.Series[bool]", back_within: float
) -> NDArray[np.float64]:
    """Return, in the first row after each disturbance, how many frames until the arm is back.

    The arm is back at the first frame whose Dice is not more than ``back_within`` below that of
    the same frame undisturbed; if it never is, the number of frames that were seen.
    """
    back = np.full(len(table), np.nan)
    after = table[(table["phase"] == "after") & there].copy()
    # The first sound frame after it identifies a disturbance.
    after["ended"] = after["frame"] - after["offset"]
    after["is_back"] = after["dice"] >= after["own_dice"] - back_within
    for _, of_one in after.groupby(["recording", "structure", "ended"], sort=False):
        rows = of_one.sort_values("offset")
        if rows["offset"].iloc[0] != 0:
            continue  # the structure was not there when the disturbance ended
        returned = np.flatnonzero(rows["is_back"].to_numpy())
        taken = rows["offset"].to_numpy()[returned[0]] if len(returned) else len(rows)
        back[rows.index[0]] = float(taken)
    return back


def _cell(arm: str, phase: str, kind: str, rows: _Rows, times_DS: Floats) -> StressCell:
    shown: StressPhase = "inside" if phase == "inside" else "after" if phase == "after" else "sound"
    sums_SX = rows.sums_SX(shown, kind)
    misses, misses_low, misses_high = _ratio(sums_SX[:, 1], sums_SX[:, 0], times_DS)
    dice, dice_low, dice_high = _ratio(sums_SX[:, 2], sums_SX[:, 0], times_DS)
    invented, _, _ = _ratio(sums_SX[:, 4], sums_SX[:, 3], times_DS)
    back = within_3 = None
    if shown == "after":
        count_S, total_S, soon_S = rows.back_S(kind)
        back, _, _ = _ratio(total_S, count_S, times_DS)
        within_3, _, _ = _ratio(soon_S, count_S, times_DS)
    return StressCell(
        arm=arm,
        phase=shown,
        kind=kind,
        frames=int(sums_SX[:, 0].sum()),
        misses=misses,
        misses_low=misses_low,
        misses_high=misses_high,
        dice=dice,
        dice_low=dice_low,
        dice_high=dice_high,
        invented=invented,
        frames_until_back=back,
        back_within_3=within_3,
    )


def _difference(
    pair: Pair, kind: str, rows: Mapping[str, _Rows], times_DS: Floats
) -> StressDifference:
    """Return by what share an arm misses less than its baseline inside disturbances."""
    arm_SX = rows[pair.arm].sums_SX("inside", kind)
    baseline_SX = rows[pair.baseline].sums_SX("inside", kind)

    def fewer(weights: Floats) -> Floats:
        ours = divided(weights @ arm_SX[:, 1], weights @ arm_SX[:, 0])
        theirs = divided(weights @ baseline_SX[:, 1], weights @ baseline_SX[:, 0])
        share: Floats = divided(theirs - ours, theirs)
        return share

    estimate = fewer(np.ones((1, len(arm_SX))))[0]
    drawn = fewer(times_DS)
    drawn = drawn[~np.isnan(drawn)]
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(drawn, [tail, 100 - tail]) if len(drawn) else (np.nan, np.nan)
    return StressDifference(
        arm=pair.arm,
        baseline=pair.baseline,
        kind=kind,
        fewer_misses=rounded(float(estimate)),
        ci_low=rounded(float(low)),
        ci_high=rounded(float(high)),
    )


def _ratio(
    part_S: Floats, whole_S: Floats, times_DS: Floats
) -> tuple[float | None, float | None, float | None]:
    """Return a pooled ratio and its interval over subjects."""
    if not whole_S.sum():
        return None, None, None
    drawn = divided(times_DS @ part_S, times_DS @ whole_S)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.nanpercentile(drawn, [tail, 100 - tail])
    return (
        rounded(float(part_S.sum() / whole_S.sum())),
        rounded(float(low)),
        rounded(float(high)),
    )
