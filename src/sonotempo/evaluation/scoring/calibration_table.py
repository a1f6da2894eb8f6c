"""How often a predictor's probabilities are right, by recording and structure, as a table."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sonotempo.calibration import BINS, Counts, Reliability
from sonotempo.recording import Recording

_BY = ("arm", "fold", "subject", "recording", "structure")
#: The columns of the table ``calibration``: a row for each bin of probability that has pixels.
CALIBRATION_COLUMNS = (*_BY, "bin", "predicted", "right")


@dataclass(frozen=True, slots=True, eq=False)
class RecordingReliability:
    """The counted pixels of one recording's labelled frames.

    Attributes:
        arm: the predictor's name in the tables.
        fold: the fold whose test set this is.
        recording: which one.
        table: the counts of its structures.
    """

    arm: str
    fold: int
    recording: Recording
    table: Reliability


def calibration_table(counted: Iterable[RecordingReliability]) -> pd.DataFrame:
    """Collect counts into a table with :data:`CALIBRATION_COLUMNS`; empty bins are left out."""
    rows: list[tuple[object, ...]] = []
    for one in counted:
        for label, name in enumerate(one.recording.structures.names):
            predicted_B, right_B = one.table.predicted_KB[label], one.table.right_KB[label]
            key = (one.arm, one.fold, one.recording.subject, one.recording.name, name)
            rows += [
                (*key, int(number), int(predicted_B[number]), int(right_B[number]))
                for number in np.flatnonzero(predicted_B)
            ]
    table = pd.DataFrame(rows, columns=list(CALIBRATION_COLUMNS))
    kinds = {"fold": "int64", "bin": "int64", "predicted": "int64", "right": "int64"}
    return table.astype({name: kinds.get(name, "str") for name in CALIBRATION_COLUMNS})


def counts_of(table: pd.DataFrame, subjects: Iterable[str]) -> tuple[Counts, Counts]:
    """Return the pixels of a part of the table by subject and bin: predicted, and right ones."""
    place = {subject: number for number, subject in enumerate(subjects)}
    counts = np.zeros((2, len(place), BINS), np.int64)
    rows = table["subject"].map(place).to_numpy(np.int64)
    for number, column in enumerate(("predicted", "right")):
        np.add.at(counts[number], (rows, table["bin"].to_numpy()), table[column].to_numpy())
    return counts[0], counts[1]
