"""Scores against how long the state has been carried: cold start and drift.

Told per subject, so that long recordings weigh no more than short ones.
"""

import numpy as np
import pandas as pd

from sonotempo.evaluation.metrics.regions import Reading

_KEYS = ["arm", "structure", "age_from", "age_to"]


def state_age_curve(frames: pd.DataFrame, overlap: Reading = "reference") -> pd.DataFrame:
    """Return Dice and F1 against the frames since the last reset, which every arm shares.

    Ages are put into bins that double: 1, 2, 3–4, 5–8, 9–16… Dice is of the frames in which the
    structure is present in the reference, averaged over each subject's, then over subjects; F1 is
    of the regions of all subjects' frames together.

    Args:
        frames: a table of frames, see :data:`sonotempo.evaluation.scoring.frames.FRAME_COLUMNS`;
            rows whose ``state_age`` is 0 (unknown) are left out.
        overlap: which reading's region counts are taken.

    Returns:
        One row per arm, structure and bin: ``arm, structure, age_from, age_to, subjects, frames,
        dice, f1``, in order; ``subjects`` are those with a Dice, NaN where nothing is defined.
    """
    known = frames[frames["state_age"] > 0]
    upper = 2 ** np.ceil(np.log2(known["state_age"].to_numpy(np.float64))).astype(np.int64)
    rows = known[["arm", "structure", "subject"]].assign(
        age_from=np.maximum(upper // 2 + 1, 1),
        age_to=upper,
        dice=known["dice"].where(known["reference_px"] > 0),
        tp2=2 * known[f"tp_{overlap}"],
        wrong=known[f"fp_{overlap}"] + known[f"fn_{overlap}"],
    )
    subjects = rows.groupby([*_KEYS, "subject"], sort=False)["dice"].mean().reset_index()
    dice = subjects.groupby(_KEYS, sort=False)["dice"].agg(subjects="count", dice="mean")
    counts = rows.groupby(_KEYS, sort=False).agg(
        frames=("tp2", "size"), tp2=("tp2", "sum"), wrong=("wrong", "sum")
    )
    table = counts.join(dice).reset_index()
    whole = table["tp2"] + table["wrong"]
    table["f1"] = table["tp2"] / whole.where(whole > 0)
    table["group"] = table.groupby(["arm", "structure"], sort=False).ngroup()
    table = table.sort_values(["group", "age_from"])
    return table[[*_KEYS, "subjects", "frames", "dice", "f1"]].reset_index(drop=True)
