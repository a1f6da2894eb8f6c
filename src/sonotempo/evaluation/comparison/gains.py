"""What there was to win by remembering, and how much of it each arm won."""

from collections.abc import Mapping, Sequence

import numpy as np

from sonotempo.evaluation.comparison.record import GainShare, Kind, Pair, Settings
from sonotempo.evaluation.comparison.rounding import rounded
from sonotempo.evaluation.comparison.statistics import (
    CONFIDENCE,
    Floats,
    SubjectScores,
    bootstrap,
    drawn_DK,
    estimate_K,
)
from sonotempo.evaluation.metrics.regions import divided

#: Pairs whose difference can be a share of the available gain.
SHARED: tuple[Kind, ...] = ("memory effect", "carrying along motion", "unequal arms")


def gain_shares(
    pairs: Sequence[Pair],
    scores: Mapping[str, SubjectScores],
    settings: Settings,
    times_DS: Floats,
) -> tuple[GainShare, ...]:
    """Return each arm's difference as a share of the available gain, for the primary metrics.

    The available gain is the oracle with memory minus the oracle without one; none, where these
    are not among the arms. Where its interval includes 0, there is nothing to take a share of.

    Args:
        pairs: all pairs of the comparison.
        scores: by arm.
        settings: the primary measures.
        times_DS: drawn subjects, the same for every pair.
    """
    oracles = next((pair for pair in pairs if pair.kind == "available gain"), None)
    if oracles is None:
        return ()
    best, without = scores[oracles.arm], scores[oracles.baseline]
    found = []
    for pair in pairs:
        if pair.kind not in SHARED:
            continue
        arm, baseline = scores[pair.arm], scores[pair.baseline]
        for measure in settings.primary:
            metric = measure.name
            bounds = bootstrap(best, without, metric, times_DS)
            available_K = estimate_K(best, metric) - estimate_K(without, metric)
            won_K = estimate_K(arm, metric) - estimate_K(baseline, metric)
            shares_DK = divided(
                drawn_DK(arm, metric, times_DS) - drawn_DK(baseline, metric, times_DS),
                drawn_DK(best, metric, times_DS) - drawn_DK(without, metric, times_DS),
            )
            tail = 50 * (1 - CONFIDENCE)
            for k, structure in enumerate(arm.structures):
                low, high = bounds[k].low, bounds[k].high
                nothing = not (low > 0 or high < 0)
                share = low_share = high_share = None
                if not nothing:
                    share = rounded(float(won_K[k] / available_K[k]), 2)
                    defined = shares_DK[~np.isnan(shares_DK[:, k]), k]
                    low_share, high_share = (
                        rounded(float(one), 2) for one in np.percentile(defined, [tail, 100 - tail])
                    )
                found.append(
                    GainShare(
                        structure=structure,
                        metric=metric,
                        arm=pair.arm,
                        baseline=pair.baseline,
                        available=rounded(float(available_K[k]), measure.decimals),
                        available_low=rounded(low, measure.decimals),
                        available_high=rounded(high, measure.decimals),
                        share=share,
                        ci_low=low_share,
                        ci_high=high_share,
                        reason="there is nothing to win by remembering" if nothing else "",
                    )
                )
    return tuple(found)
