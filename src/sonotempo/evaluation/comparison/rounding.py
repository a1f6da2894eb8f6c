"""The one place where a comparison's numbers are rounded and written.

Values are rounded to their measure's decimals, p values to :data:`P_DECIMALS`, once, when the
comparison is made. Verdicts are drawn from the rounded numbers, so that what is concluded follows
from what is shown, and every output writes the same digits.
"""

import math
from collections.abc import Iterable, Sequence

from sonotempo.measures import Measure

#: Decimals of numbers that are of no measure, such as latencies.
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


def number(value: float | None, decimals: int = DECIMALS, *, signed: bool = False) -> str:
    """Write a rounded number as every table and sentence does.

    >>> number(0.12), number(0.12, 2, signed=True), number(None)
    ('0.120', '+0.12', '–')
    """
    if value is None:
        return "–"
    return f"{value:+.{decimals}f}" if signed else f"{value:.{decimals}f}"


def p_number(value: float | None) -> str:
    """Write a rounded p value as every table and sentence does.

    >>> p_number(0.0312), p_number(0.0), p_number(None)
    ('0.0312', '<0.0001', '–')
    """
    if value is None:
        return "–"
    smallest = 10**-P_DECIMALS
    return f"<{smallest:.{P_DECIMALS}f}" if value < smallest else f"{value:.{P_DECIMALS}f}"


def interval(low: float | None, high: float | None, decimals: int = DECIMALS) -> str:
    """Write an interval as every table and sentence does.

    >>> interval(-0.01, 0.07)
    '[-0.010, +0.070]'
    """
    if low is None or high is None:
        return "–"
    return f"[{number(low, decimals, signed=True)}, {number(high, decimals, signed=True)}]"


def mean_sd(mean: float | None, sd: float | None, decimals: int = DECIMALS) -> str:
    """Write mean ± SD as every table does.

    >>> mean_sd(0.6, 0.141), mean_sd(0.5, None), mean_sd(None, None)
    ('0.600 ± 0.141', '0.500 ± –', '–')
    """
    return "–" if mean is None else f"{number(mean, decimals)} ± {number(sd, decimals)}"


def with_unit(text: str, measure: Measure) -> str:
    """Add a measure's unit to a number that is written; shares have none."""
    return f"{text} {measure.unit}" if measure.unit else text


def margins(measures: Iterable[Measure]) -> str:
    """Write the equivalence margins of measures, each number once.

    >>> from dataclasses import replace
    >>> from sonotempo.measures import measure
    >>> margins([measure("f1"), measure("dice")])
    '0.020'
    >>> margins([replace(measure("f1"), margin=0.05), measure("dice")])
    '0.050 (F1) and 0.020 (Dice)'
    """
    titles: dict[str, list[str]] = {}
    for one in measures:
        written = with_unit(number(one.margin, one.decimals), one)
        titles.setdefault(written, []).append(one.title)
    if len(titles) == 1:
        return next(iter(titles))
    return listed([f"{text} ({', '.join(of)})" for text, of in titles.items()])


def listed(texts: Sequence[str]) -> str:
    """Write a list as in a sentence.

    >>> listed(["F1"]), listed(["F1", "Dice", "NSD"])
    ('F1', 'F1, Dice and NSD')
    """
    return " and ".join(part for part in (", ".join(texts[:-1]), texts[-1]) if part)


def counted(count: int, what: str) -> str:
    """Write a number of things.

    >>> counted(1, "subject"), counted(2, "subject")
    ('1 subject', '2 subjects')
    """
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def joined(reasons: Iterable[str]) -> str:
    """Join reasons to one text, each once and in order."""
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason))
