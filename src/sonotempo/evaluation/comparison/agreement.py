"""How well several readers agree: Dice and NSD per structure, with intervals over subjects.

Each reader in turn is the reference, as the labels are for an arm, so that the numbers are of the
same kind as an arm's. Frames become recordings, recordings subjects; only subjects are drawn.
"""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sonotempo.errors import ConfigError
from sonotempo.evaluation.comparison.rounding import counted, joined, rounded
from sonotempo.evaluation.comparison.statistics import (
    CONFIDENCE,
    draw_subjects,
    drawn_DK,
    estimate_K,
    subject_scores,
)
from sonotempo.evaluation.scoring.frames import per_subject
from sonotempo.evaluation.scoring.readers import ReaderPair

#: What readers are compared by, see :data:`sonotempo.measures.COMPARED`.
AGREEMENT_METRICS = ("dice", "nsd")

_BETWEEN = "; "


@dataclass(frozen=True, slots=True)
class AgreementCell:
    """How well readers agree about one structure.

    Attributes:
        structure: its name.
        readers: two, or all of them for the mean over pairs.
        metric: one of :data:`AGREEMENT_METRICS`.
        mean: over subjects; None if no subject has a value.
        low: of the interval over subjects; None if there is none.
        high: likewise.
        subjects: how many have a value.
        frames: in which at least one of the readers has drawn the structure.
        reason: why there is no interval, or no value.
    """

    structure: str
    readers: tuple[str, ...]
    metric: str
    mean: float | None
    low: float | None
    high: float | None
    subjects: int
    frames: int
    reason: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """Several readers of the same frames.

    Attributes:
        readers: their names.
        cells: structures × pairs (and all of them, if there are several) × metrics.
        notes: sentences that head the table.
        tolerance_mm: of NSD.
    """

    readers: tuple[str, ...]
    cells: tuple[AgreementCell, ...]
    notes: tuple[str, ...]
    tolerance_mm: float

    def csv(self) -> str:
        """Return one row per structure, readers and metric; :func:`read_agreement` reads it."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(_COLUMNS)
        for one in self.cells:
            numbers = ["" if value is None else value for value in (one.mean, one.low, one.high)]
            names = _BETWEEN.join(name.replace(";", ",") for name in one.readers)
            rows.writerow(
                (
                    *(one.structure, names, one.metric, *numbers, one.subjects, one.frames),
                    self.tolerance_mm if one.metric == "nsd" else "",
                    one.reason,
                )
            )
        return text.getvalue()


_COLUMNS = (
    "structure", "readers", "metric", "mean", "low", "high", "subjects", "frames", "tolerance_mm",
    "reason",
)  # fmt: skip


def agreement(
    pairs: Sequence[ReaderPair],
    structures: Sequence[str],
    *,
    tolerance_mm: float,
    draws: int,
    seed: int = 0,
    notes: Sequence[str] = (),
) -> Agreement:
    """Add up the scores of readers against each other.

    Args:
        pairs: of all readers.
        structures: in label order; those that nobody has drawn are left out.
        tolerance_mm: that NSD was scored with.
        draws: how often subjects are drawn.
        seed: of the draws.
        notes: sentences that head the table.
    """
    readers = tuple(dict.fromkeys(name for pair in pairs for name in pair.readers))
    groups: list[tuple[tuple[str, ...], list[ReaderPair]]] = [(one.readers, [one]) for one in pairs]
    if len(pairs) > 1:
        groups.append((readers, list(pairs)))
    cells = [cell for names, of in groups for cell in _cells(names, of, structures, draws, seed)]
    order = {name: place for place, name in enumerate(structures)}
    cells.sort(key=lambda cell: order[cell.structure])
    return Agreement(readers, tuple(cells), tuple(notes), tolerance_mm)


def read_agreement(path: Path) -> dict[str, AgreementCell]:
    """Return the Dice of all readers of a file of :meth:`Agreement.csv`, by structure.

    Raises:
        ConfigError: the file cannot be read, or holds something else.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
        cells = [_cell_from(row) for row in rows]
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); give another file") from error
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"{path} does not say how well readers agree ({error}); give the file that `sonotempo "
            "data agreement --out` wrote"
        ) from error
    found: dict[str, AgreementCell] = {}
    for cell in cells:
        known = found.get(cell.structure)
        if cell.metric != "dice" or cell.mean is None:
            continue
        if known is None or len(cell.readers) > len(known.readers):
            found[cell.structure] = cell
    if not found:
        raise ConfigError(
            f"{path} holds no Dice between readers; give the file that `sonotempo data agreement "
            "--out` wrote"
        )
    return found


def _cells(
    readers: tuple[str, ...],
    pairs: Sequence[ReaderPair],
    structures: Sequence[str],
    draws: int,
    seed: int,
) -> list[AgreementCell]:
    # One table for each reader as the reference of another: averaged like the seeds of an arm.
    frames = [of_arm for pair in pairs for _, of_arm in pair.frames.groupby("arm", sort=False)]
    subjects = sorted({str(subject) for table in frames for subject in table["subject"]})
    scores = subject_scores(
        [_complete(per_subject(table), subjects, structures) for table in frames],
        subjects,
        structures,
    )
    times_DS = draw_subjects(len(subjects), draws, seed)
    found = []
    for metric in AGREEMENT_METRICS:
        estimates_K, drawn = estimate_K(scores, metric), drawn_DK(scores, metric, times_DS)
        for k, structure in enumerate(structures):
            shown = _frames_with(pairs, structure)
            if not shown:
                continue
            count = int((~np.isnan(scores.values_SK(metric)[:, k])).sum())
            low, high, reason = _interval(drawn[:, k], count, metric)
            found.append(
                AgreementCell(
                    structure,
                    readers,
                    metric,
                    rounded(float(estimates_K[k])),
                    low,
                    high,
                    count,
                    shown,
                    reason,
                )
            )
    return found


def _complete(
    table: pd.DataFrame, subjects: Sequence[str], structures: Sequence[str]
) -> pd.DataFrame:
    """Add the subjects that other pairs have labelled, without counts and values."""
    order = pd.MultiIndex.from_product([subjects, structures], names=["subject", "structure"])
    whole = table.set_index(["subject", "structure"]).reindex(order).reset_index()
    counts = ["tp", "fp", "fn"]
    whole[counts] = whole[counts].fillna(0)
    return whole


def _frames_with(pairs: Sequence[ReaderPair], structure: str) -> int:
    """Count the frames in which a reader has drawn a structure, each once."""
    keys: set[tuple[object, ...]] = set()
    for pair in pairs:
        of = pair.frames[pair.frames["structure"] == structure]
        drawn = of[(of["reference_px"] > 0) | (of["predicted_px"] > 0)]
        keys.update(drawn[["subject", "recording", "frame"]].itertuples(index=False, name=None))
    return len(keys)


def _interval(
    drawn_D: np.ndarray, subjects: int, metric: str
) -> tuple[float | None, float | None, str]:
    if not subjects:
        return None, None, "the spacing is unknown" if metric == "nsd" else "no value"
    if subjects < 2:
        return None, None, "one subject: no interval"
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.nanpercentile(drawn_D, [tail, 100 - tail])
    return rounded(float(low)), rounded(float(high)), ""


def _cell_from(row: dict[str, str]) -> AgreementCell:
    def share(text: str) -> float | None:
        if text == "":
            return None
        value = float(text)
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise ValueError(f"{text} is no share from 0 to 1")
        return value

    return AgreementCell(
        structure=row["structure"],
        readers=tuple(row["readers"].split(_BETWEEN)),
        metric=row["metric"],
        mean=share(row["mean"]),
        low=share(row["low"]),
        high=share(row["high"]),
        subjects=int(row["subjects"]),
        frames=int(row["frames"]),
        reason=row["reason"],
    )


def pair_notes(pairs: Sequence[ReaderPair]) -> list[str]:
    """Say which frames were matched, and which only one reader has labelled or were left out."""
    notes = []
    for pair in pairs:
        one, other = pair.readers
        alone = [
            f"{count} by {name} alone"
            for name, count in zip(pair.readers, pair.alone, strict=True)
            if count
        ]
        notes.append(
            f"{one} and {other}: {counted(pair.both, 'frame')} labelled by both"
            + (f"; not compared: {', '.join(alone)}" if alone else "")
        )
        if pair.unusable:
            notes.append(
                f"{one} and {other}: {counted(len(pair.unusable), 'frame')} left out: "
                f"{joined(pair.unusable[:2])}"
            )
        if pair.other_spacing:
            notes.append(
                f"{one} and {other}: their files give {counted(pair.other_spacing, 'frame')} "
                "different spacings, so nothing in millimetres is compared there"
            )
    return notes
