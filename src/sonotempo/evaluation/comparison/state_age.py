"""Scores against how long the state has been carried: cold start and drift."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sonotempo.evaluation.comparison.lineup import ComparedArm
from sonotempo.evaluation.comparison.record import StateAge
from sonotempo.evaluation.comparison.rounding import rounded
from sonotempo.evaluation.metrics.regions import Reading


def state_ages(
    arms: Sequence[ComparedArm], structures: Sequence[str], overlap: Reading
) -> tuple[StateAge, ...]:
    """Return the curves of all arms whose frames have more than one age, by structure."""
    ages = []
    for arm in arms:
        frames = pd.concat([one.scores.frames for one in arm.seeds])
        if frames["state_age"].nunique() > 1:
            ages += state_age_curve(arm.name, frames, overlap)
    return tuple(age for name in structures for age in ages if age.structure == name)


def state_age_curve(arm: str, frames: pd.DataFrame, overlap: Reading) -> list[StateAge]:
    """Return Dice and F1 against the frames since the last reset.

    Ages are put into bins that double: 1, 2, 3–4, 5–8, 9–16… Dice is of the frames in which the
    structure is present in the reference, averaged over each subject's, then over subjects, so that
    long recordings weigh no more than short ones; F1 is of the regions of all frames together.

    Args:
        arm: whose frames these are.
        frames: with the columns :data:`sonotempo.evaluation.scoring.frames.FRAME_COLUMNS`.
        overlap: which reading's region counts are taken.
    """
    upper = 2 ** np.ceil(np.log2(frames["state_age"].to_numpy(np.float64))).astype(np.int64)
    rows = frames[["structure", "subject"]].assign(
        last=upper,
        dice=frames["dice"].where(frames["reference_px"] > 0),
        found=2 * frames[f"tp_{overlap}"],
        wrong=frames[f"fp_{overlap}"] + frames[f"fn_{overlap}"],
    )
    ages = []
    for structure, of_structure in rows.groupby("structure"):
        for last in sorted(set(of_structure["last"].tolist())):
            of_age = of_structure[of_structure["last"] == last]
            dice = of_age.groupby("subject")["dice"].mean()
            found, wrong = of_age["found"].sum(), of_age["wrong"].sum()
            ages.append(
                StateAge(
                    structure=str(structure),
                    arm=arm,
                    first=last // 2 + 1,
                    last=last,
                    dice=rounded(float(dice.mean())),
                    f1=rounded(found / (found + wrong)) if found + wrong else None,
                    subjects=int(dice.count()),
                    frames=len(of_age),
                )
            )
    return ages
