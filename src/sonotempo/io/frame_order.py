"""The order of frames that are stored as one file each, from the names of the files.

Numbers in a name compare as numbers, from left to right (``b2`` before ``b10``). The first number
that differs is the frame number; names that differ in a date or time of day are in the order of the
clock; names of two series, several of which share the first number that differs, are refused.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import RecordingError

# At most 18 digits: anything longer (a date with time and serial number) exceeds int64.
_TRAILING_NUMBER = re.compile(r"(?<!\d)\d{1,18}$")
_NUMBER = re.compile(r"(\d+)")
_SIGNED_NUMBER = re.compile(r"((?<!\d)-\d+|\d+)")
_LARGEST = 10**18

_DATE = r"(?:19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d"
_TIME = r"[0-2]\d[-_.:h]?[0-5]\d[-_.:m]?[0-5]\d(?:[-_., ]\d+)?"
_CLOCK = re.compile(rf"(?<!\d)(?:{_DATE}(?:[-_.T ]*{_TIME})?|{_TIME})(?!\d)")
_DECIMAL = re.compile(r"(?<![\d.])\d+[.,]\d+(?![\d.])")

# Numbers of so many digits that lie between the years 2001 and 2100 are Unix times.
_UNIX_UNITS_NS = {13: 1_000_000, 16: 1_000, 19: 1}
_UNIX_SECONDS = (978_307_200, 4_102_444_800)


@dataclass(frozen=True, slots=True, eq=False)
class FrameOrder:
    """The files of one recording in temporal order.

    Attributes:
        paths: the files.
        numbers: int64, the frame numbers, increasing.
        are_numbered: whether the names hold those numbers; if not, they count the files.
        times_ns: one per file, where the names are Unix times.
    """

    paths: tuple[Path, ...]
    numbers: NDArray[np.int64]
    are_numbered: bool
    times_ns: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Name:
    """A file's name, split into numbers and the texts around them."""

    path: Path
    texts: tuple[str, ...]
    numbers: tuple[int, ...]

    @classmethod
    def of(cls, path: Path, pattern: re.Pattern[str]) -> "_Name":
        parts = pattern.split(path.stem)
        return cls(path, tuple(parts[::2]), tuple(int(part) for part in parts[1::2]))

    @property
    def natural(self) -> list[int | str]:
        """For sorting: texts and numbers alternate, so equal positions can be compared."""
        mixed: list[int | str] = [self.texts[0]]
        for number, text in zip(self.numbers, self.texts[1:], strict=True):
            mixed += [number, text]
        return mixed


def frame_number(path: Path) -> int | None:
    """Return the number at the end of a file's name, or None.

    >>> frame_number(Path("US-2D_017.mhd"))
    17
    >>> frame_number(Path("still.png")) is None
    True
    """
    found = _TRAILING_NUMBER.search(path.stem)
    return int(found.group()) if found else None


def in_order(paths: Iterable[Path]) -> FrameOrder:
    """Sort the files of one recording by time.

    >>> order = in_order([Path("img_010_v2.png"), Path("img_009_v2.png")])
    >>> order.numbers.tolist(), order.are_numbered
    ([9, 10], True)
    >>> order = in_order([Path("10.16.00.png"), Path("10.15.59.png")])
    >>> [path.name for path in order.paths], order.are_numbered
    (['10.15.59.png', '10.16.00.png'], False)

    Raises:
        RecordingError: the names are those of two series, or two files have the same number.
    """
    files = list(paths)
    names = [_Name.of(path, _NUMBER) for path in files]
    if len({name.texts for name in names}) > 1:
        signed = [_Name.of(path, _SIGNED_NUMBER) for path in files]
        names = signed if len({name.texts for name in signed}) == 1 else names
    _check_one_kind(names)
    names.sort(key=lambda name: (name.natural, name.path.name))
    ordered = tuple(name.path for name in names)
    same_texts = len({name.texts for name in names}) == 1
    differing = _differing(names) if same_texts else []
    if len(names) == 1 and names[0].numbers:
        differing = [len(names[0].numbers) - 1]
    for first, second in pairwise(names):
        if same_texts and names[0].numbers and first.numbers == second.numbers:
            number = first.numbers[differing[-1] if differing else -1]
            raise RecordingError(
                f"{first.path} and {second.path.name} both have the frame number {number}; move "
                "the files of each recording into a separate folder"
            )
    if not _holds_frame_number(names, differing):
        counted = np.arange(len(names), dtype=np.int64)
        return FrameOrder(ordered, counted, are_numbered=False)
    times_ns = next((t for i in differing if (t := _unix_times_ns(_column(names, i)))), None)
    numbers = _column(names, differing[0])
    if _unix_times_ns(numbers) is not None or max(map(abs, numbers)) >= _LARGEST:
        counted = np.arange(len(names), dtype=np.int64)
        return FrameOrder(ordered, counted, are_numbered=False, times_ns=times_ns)
    return FrameOrder(ordered, np.array(numbers, np.int64), are_numbered=True, times_ns=times_ns)


def _holds_frame_number(names: Sequence[_Name], differing: Sequence[int]) -> bool:
    """Whether the first number that differs is that of the frame.

    Raises:
        RecordingError: it is that of a series.
    """
    if not differing:
        return False
    if len(differing) == 1:
        return True
    if all(_is_one_value(name, differing) for name in names):
        return False  # a date, a time of day or a decimal
    leading = _column(names, differing[0])
    if len(set(leading)) < len(leading):
        first = names[0]
        other = next(n for n in names if n.numbers[differing[0]] != leading[0])
        raise _two_series(first, other)
    return True


def _column(names: Sequence[_Name], place: int) -> list[int]:
    return [name.numbers[place] for name in names]


def _differing(names: Sequence[_Name]) -> list[int]:
    """Return which of the numbers differ between names of the same texts."""
    columns = zip(*(name.numbers for name in names), strict=True)
    return [i for i, column in enumerate(columns) if len(set(column)) > 1]


def _check_one_kind(names: Sequence[_Name]) -> None:
    """Refuse names that are built in two ways, such as ``a_1, a_2, b_1``."""
    kinds: dict[tuple[str, ...], list[_Name]] = defaultdict(list)
    for name in names:
        if name.numbers:
            kinds[name.texts].append(name)
    series = sorted(kinds.values(), key=len, reverse=True)
    ends = [frame_number(name.path) for name in names]
    repeats = len(set(ends)) < len(ends)
    if len(series) > 1 and (len(series[0]) > 1 or repeats):
        raise _two_series(series[0][0], series[1][0])


def _is_one_value(name: _Name, differing: Sequence[int]) -> bool:
    """Whether the numbers that differ form one date, time of day or decimal number."""
    stem = name.path.stem
    spans = [found.span() for found in _NUMBER.finditer(stem)]
    begin, end = spans[differing[0]][0], spans[differing[-1]][1]
    matches = [*_CLOCK.finditer(stem), *_DECIMAL.finditer(stem)]
    return any(found.start() <= begin and end <= found.end() for found in matches)


def _two_series(one: _Name, other: _Name) -> RecordingError:
    return RecordingError(
        f"{one.path.parent} holds the frames of two series, {one.path.name} and "
        f"{other.path.name} among them; move the files of each series into a separate folder"
    )


def _unix_times_ns(values: Sequence[int]) -> tuple[int, ...] | None:
    digits = {len(str(value)) for value in values}
    unit_ns = _UNIX_UNITS_NS.get(digits.pop()) if len(digits) == 1 else None
    if unit_ns is None:
        return None
    times_ns = tuple(value * unit_ns for value in values)
    low, high = (second * 10**9 for second in _UNIX_SECONDS)
    return times_ns if low <= min(times_ns) and max(times_ns) < high else None
