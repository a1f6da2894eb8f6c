"""The one place where a comparison's numbers are rounded and written.

Metrics are rounded to :data:`DECIMALS`, p values to :data:`P_DECIMALS`, once, when the comparison
is made. Verdicts are drawn from the rounded numbers, so that what is concluded follows from what
is shown, and every output writes the same digits.
"""

import math
from collections.abc import Iterable

#: Decimals of every metric, difference and bound, in every output.
DECIMALS = 3

#: Decimals of every p value, in every output.
P_DECIMALS = 4


def rounded(value: float | None, decimals: int = DECIMALS) -> float | None:
    """Round a number for every output at once; NaN becomes None, and −0 becomes 0.

    >>> rounded(0.12345), rounded(-0.0001), rounded(float("nan"))
    (0.123, 0.0, None)
    """
    if value is None or math.isnan(value):
        return None
    return round(float(value), decimals) + 0.0


def number(value: float | None, *, signed: bool = False) -> str:
    """Write a rounded metric as every table and sentence does.

    >>> number(0.12), number(0.12, signed=True), number(None)
    ('0.120', '+0.120', '–')
    """
    if value is None:
        return "–"
    return f"{value:+.{DECIMALS}f}" if signed else f"{value:.{DECIMALS}f}"


def p_number(value: float | None) -> str:
    """Write a rounded p value as every table and sentence does.

    >>> p_number(0.0312), p_number(0.0), p_number(None)
    ('0.0312', '<0.0001', '–')
    """
    if value is None:
        return "–"
    smallest = 10**-P_DECIMALS
    return f"<{smallest:.{P_DECIMALS}f}" if value < smallest else f"{value:.{P_DECIMALS}f}"


def interval(low: float | None, high: float | None) -> str:
    """Write an interval as every table and sentence does.

    >>> interval(-0.01, 0.07)
    '[-0.010, +0.070]'
    """
    if low is None or high is None:
        return "–"
    return f"[{number(low, signed=True)}, {number(high, signed=True)}]"


def joined(reasons: Iterable[str]) -> str:
    """Join reasons to one text, each once and in order."""
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason))
