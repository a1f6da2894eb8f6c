"""Whether arms are as often right as their probabilities say, with intervals over subjects."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sonotempo.calibration import calibration_error, mean_confidence
from sonotempo.evaluation.comparison.lineup import ComparedArm
from sonotempo.evaluation.comparison.record import CalibrationCell
from sonotempo.evaluation.comparison.rounding import rounded
from sonotempo.evaluation.comparison.statistics import CONFIDENCE, Floats
from sonotempo.evaluation.scoring.calibration_table import counts_of


def calibration_cells(
    arms: Sequence[ComparedArm],
    structures: Sequence[str],
    subjects: Sequence[str],
    times_DS: Floats,
) -> tuple[CalibrationCell, ...]:
    """Return a cell for each structure and arm whose probabilities were scored.

    Args:
        arms: with all seeds, which count together.
        structures: in label order.
        subjects: the order of the draws.
        times_DS: how often each subject was drawn.
    """
    tables = {
        arm.name: pd.concat([one.scores.calibration for one in arm.seeds])
        for arm in arms
        if all(one.scores.calibration is not None for one in arm.seeds)
    }
    return tuple(
        _cell(structure, name, table[table["structure"] == structure], subjects, times_DS)
        for structure in structures
        for name, table in tables.items()
    )


def _cell(
    structure: str, arm: str, table: pd.DataFrame, subjects: Sequence[str], times_DS: Floats
) -> CalibrationCell:
    predicted_SB, right_SB = counts_of(table, subjects)
    pixels = int(predicted_SB.sum())
    if not pixels:
        return CalibrationCell(structure, arm, 0, None, None, None, None, None)
    drawn_D = calibration_error(times_DS @ predicted_SB, times_DS @ right_SB)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.nanpercentile(drawn_D, [tail, 100 - tail])
    whole = predicted_SB.sum(axis=0)
    error = calibration_error(whole[None], right_SB.sum(axis=0)[None])[0]
    return CalibrationCell(
        structure=structure,
        arm=arm,
        pixels=pixels,
        confidence=rounded(mean_confidence(whole)),
        right=rounded(float(right_SB.sum() / pixels)),
        error=rounded(float(error)),
        error_low=rounded(float(low)),
        error_high=rounded(float(high)),
    )
