"""Whether a state that was carried for long does harm: the same weights, carried and reset."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sonotempo.evaluation.comparison.record import Drift
from sonotempo.evaluation.comparison.rounding import number, rounded
from sonotempo.evaluation.comparison.statistics import CONFIDENCE, draw_subjects

_BANDS = ((1, 4), (5, 16), (17, 64), (65, 256), (257, 10**9))
_DRAWS = 2000
_SMALLEST = 6


def drifts(
    arm: str, carried: pd.DataFrame, reset: pd.DataFrame, structures: Sequence[str]
) -> tuple[Drift, ...]:
    """Return where carrying the state lowers Dice, by an interval that leaves out 0.

    Args:
        arm: whose frames these are.
        carried: its table of frames.
        reset: of the same weights on the same frames, the state reset before each.
        structures: which to look at.
    """
    keys = ["structure", "subject", "recording", "frame"]
    both = carried[[*keys, "state_age", "dice", "reference_px"]].merge(
        reset[[*keys, "dice"]], on=keys, suffixes=("", "_reset")
    )
    both = both[both["reference_px"] > 0]
    found = []
    for structure in structures:
        for first, last in _BANDS:
            band = both[(both["structure"] == structure) & both["state_age"].between(first, last)]
            means = band.groupby("subject")[["dice", "dice_reset"]].mean()
            if len(means) < _SMALLEST:
                continue
            difference_S = (means["dice"] - means["dice_reset"]).to_numpy(np.float64)
            times_DS = draw_subjects(len(difference_S), _DRAWS, 0)
            tail = 50 * (1 - CONFIDENCE)
            drawn = times_DS @ difference_S / len(difference_S)
            low, high = (float(one) for one in np.percentile(drawn, [tail, 100 - tail]))
            if high < 0:
                found.append(
                    Drift(
                        structure=structure,
                        arm=arm,
                        first=first,
                        last=min(last, int(band["state_age"].max())),
                        carried=rounded(float(means["dice"].mean())),
                        reset=rounded(float(means["dice_reset"].mean())),
                        ci_low=rounded(low),
                        ci_high=rounded(high),
                    )
                )
    return tuple(found)


def drift_sentence(one: Drift) -> str:
    """Say what was found and what helps.

    >>> drift_sentence(Drift("nerve", "sequence", 17, 64, 0.473, 0.536, -0.09, -0.03))
    "sequence: memory does harm to 'nerve' 17 to 64 frames after a reset: Dice 0.473 carried, \
0.536 with the state reset before every frame (difference [-0.090, -0.030]); train with a longer \
sequence.clip_frames or sequence.foreign_state_probability above 0"
    """
    return (
        f"{one.arm}: memory does harm to {one.structure!r} {one.first} to {one.last} frames after "
        f"a reset: Dice {number(one.carried)} carried, {number(one.reset)} with the state reset "
        f"before every frame (difference [{number(one.ci_low, signed=True)}, "
        f"{number(one.ci_high, signed=True)}]); train with a longer sequence.clip_frames or "
        "sequence.foreign_state_probability above 0"
    )
