"""Scores per frame, pooled over frames, and per subject.

One table of frames is the source of every number; the functions here only add it up, as the
records of :mod:`sonotempo.measures` define. Precision, recall and F1 come from summed region counts
(Smistad et al. 2021, section E), never from averages of per-frame ratios. Undefined values are NaN:

- a ratio of counts whose denominator is 0 (F1 is 0, not NaN, if all predictions are false);
- a mean over frames of which none has a value. ``dice_all`` counts a false prediction on a frame
  without the structure as 0; ``dice`` leaves such frames out.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from operator import attrgetter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sonotempo.config import EvaluateConfig
from sonotempo.evaluation.metrics import boundary
from sonotempo.evaluation.metrics.overlap import pixel_overlaps
from sonotempo.evaluation.metrics.regions import (
    Reading,
    count_ratio,
    find_regions,
    smallest_area_px,
)
from sonotempo.measures import COMPARED, OfCounts, OfFrames
from sonotempo.recording import Spacing
from sonotempo.structures import StructureSet

Mask = NDArray[np.bool_]

#: The ratios of region counts, by name.
RATIOS = {one.name: of for one in COMPARED if isinstance(of := one.aggregation, OfCounts)}

#: The means over frames, by name.
MEANS = {one.name: of for one in COMPARED if isinstance(of := one.aggregation, OfFrames)}


@dataclass(frozen=True, slots=True)
class FrameKey:
    """Which frame was scored, and who predicted it.

    Attributes:
        arm: the model's name in the comparison.
        fold: the split whose test set the frame is in.
        subject: who was scanned: the unit of all statistics.
        recording: the recording's name, unique within its subject.
        frame: the frame's number within its recording.
        state_age: how many frames the recording has shown since it began or continued after a gap
            (where every state is reset), this one included.
    """

    arm: str
    fold: int
    subject: str
    recording: str
    frame: int
    state_age: int = 1


@dataclass(frozen=True, slots=True)
class FrameScore:
    """One structure's scores in one frame; region counts under both readings of the overlap.

    Areas are in pixels of the fitted network grid. ``values`` holds a number for each column that
    a measure averages; NaN where it is undefined.
    """

    structure: str
    tp_reference: int
    fp_reference: int
    fn_reference: int
    tp_iou: int
    fp_iou: int
    fn_iou: int
    intersection_px: int
    predicted_px: int
    reference_px: int
    values: Mapping[str, float]


_KEY_COLUMNS = tuple(field.name for field in fields(FrameKey))
_COUNT_COLUMNS = tuple(field.name for field in fields(FrameScore) if field.name != "values")
_VALUE_COLUMNS = tuple(dict.fromkeys(of.column for of in MEANS.values()))

#: The columns of a table of frames, in order: one row per arm, frame and structure.
FRAME_COLUMNS = _KEY_COLUMNS + _COUNT_COLUMNS + _VALUE_COLUMNS


def score_frame(
    prediction_HW: NDArray[np.integer],
    reference_HW: NDArray[np.integer],
    structures: StructureSet,
    config: EvaluateConfig,
    spacing_mm: Spacing | None = None,
) -> list[FrameScore]:
    """Score every structure of one frame, in the structure set's order.

    Args:
        prediction_HW: integer labels on the fitted network grid, 0 for background.
        reference_HW: the reference's labels on the same grid, fitted with nearest neighbours.
        structures: what the labels mean.
        config: the overlap threshold, and the radius below which regions are ignored. Its
            ``overlap`` plays no part here: both readings are counted.
        spacing_mm: millimetres per pixel on the network grid; None leaves what is in mm undefined.

    >>> from sonotempo.structures import FEMORAL
    >>> reference_HW = np.zeros((256, 256), np.uint8)
    >>> reference_HW[100:120, 100:120] = FEMORAL.label("femoral nerve")
    >>> nerve = score_frame(reference_HW, reference_HW, FEMORAL, EvaluateConfig())[-1]
    >>> nerve.structure, nerve.tp_reference, nerve.fp_reference, nerve.values["dice"]
    ('femoral nerve', 1, 0, 1.0)

    Raises:
        ValueError: the masks differ in shape, are not images, or hold labels beyond the structures.

    Source: Smistad et al. 2021, section E.
    """
    overlaps = pixel_overlaps(prediction_HW, reference_HW, len(structures))
    area_px = smallest_area_px(config.ignored_radius_px, reference_HW.shape[-1])
    in_mm = _in_mm(config)
    scores = []
    for label, (name, pixels) in enumerate(zip(structures.names, overlaps, strict=True), start=1):
        masks = (prediction_HW == label, reference_HW == label)
        regions = find_regions(*masks, area_px)
        wording = regions.counts(config.overlap_threshold, "reference")
        iou = regions.counts(config.overlap_threshold, "iou")
        boundaries = {
            column: math.nan if spacing_mm is None else value_of(*masks, spacing_mm)
            for column, value_of in in_mm.items()
        }
        scores.append(
            FrameScore(
                name,
                *(wording.tp, wording.fp, wording.fn),
                *(iou.tp, iou.fp, iou.fn),
                *(pixels.intersection_px, pixels.predicted_px, pixels.reference_px),
                values={"dice": pixels.dice, **boundaries},
            )
        )
    return scores


def _in_mm(config: EvaluateConfig) -> dict[str, Callable[[Mask, Mask, Spacing], float]]:
    """Return what is measured of one structure's masks where the spacing is known, by column."""
    return {
        "nsd": partial(boundary.surface_dice, tolerance_mm=config.nsd_tolerance_mm),
        "hd95": boundary.hausdorff_95,
    }


def frame_table(scored: Iterable[tuple[FrameKey, Sequence[FrameScore]]]) -> pd.DataFrame:
    """Collect scored frames into a table with :data:`FRAME_COLUMNS`, in the order given."""
    key_of, counts_of = attrgetter(*_KEY_COLUMNS), attrgetter(*_COUNT_COLUMNS)
    rows = [
        (*key_of(key), *counts_of(score), *(score.values[name] for name in _VALUE_COLUMNS))
        for key, scores in scored
        for score in scores
    ]
    table = pd.DataFrame(rows, columns=list(FRAME_COLUMNS))
    # Typed even when empty, so that the parquet files of all folds agree.
    kinds = dict.fromkeys(("arm", "subject", "recording", "structure"), "str")
    kinds |= dict.fromkeys(_VALUE_COLUMNS, "float64")
    return table.astype({name: kinds.get(name, "int64") for name in FRAME_COLUMNS})


def pooled(frames: pd.DataFrame, overlap: Reading = "reference") -> pd.DataFrame:
    """Pool all frames of each arm and structure.

    Args:
        frames: a table with :data:`FRAME_COLUMNS`.
        overlap: which reading's region counts are taken.

    Returns:
        One row per arm and structure, in the order of first appearance: ``arm, structure, frames,
        tp, fp, fn`` and every measure of :data:`sonotempo.measures.COMPARED`; NaN where undefined.

    Raises:
        ValueError: columns are missing, a key is empty, or a frame was scored twice.
    """
    return _pool(frames, ["arm", "structure"], overlap)


def per_subject(frames: pd.DataFrame, overlap: Reading = "reference") -> pd.DataFrame:
    """Bring the frames of each arm, subject and structure together: frame → recording → subject.

    Region counts are summed over all frames of the subject, and precision, recall and F1 follow
    from the sums. Other measures are averaged over the frames of each recording, then over the
    recordings, so that a long recording weighs as much as a short one: frames of one sweep are
    near copies.

    Returns:
        One row per arm, subject and structure, with the columns of :func:`pooled`.

    Raises:
        ValueError: columns are missing, a key is empty, or a frame was scored twice.
    """
    keys = ["arm", "subject", "structure"]
    table = _pool(frames, keys, overlap)
    recordings = _pool(frames, ["arm", "subject", "recording", "structure"], overlap)
    means = recordings.groupby(keys, sort=False)[list(MEANS)].mean()
    table[list(MEANS)] = means.loc[pd.MultiIndex.from_frame(table[keys])].to_numpy()
    return table


def _pool(frames: pd.DataFrame, keys: list[str], overlap: Reading) -> pd.DataFrame:
    _check(frames)
    present = frames["reference_px"] > 0
    values = {
        name: frames[of.column].where(present) if of.only_present else frames[of.column]
        for name, of in MEANS.items()
    }
    counts = {name: frames[f"{name}_{overlap}"] for name in ("tp", "fp", "fn")}
    groups = frames[keys].assign(**counts, **values).groupby(keys, sort=False)
    table = groups[list(counts)].sum()
    table.insert(0, "frames", groups.size())
    for name, of in RATIOS.items():
        table[name] = count_ratio(table[list(counts)].to_numpy(float).T, of.part, of.whole)
    # The mean leaves out NaN.
    return table.join(groups[list(MEANS)].mean()).reset_index()


def _check(frames: pd.DataFrame) -> None:
    missing = [name for name in FRAME_COLUMNS if name not in frames.columns]
    if missing:
        raise ValueError(
            f"the table of frames lacks {', '.join(missing)}; make it with frame_table"
        )
    unit = ["arm", "subject", "recording", "frame", "structure"]
    empty = [name for name in unit if frames[name].isna().any()]
    if empty:
        raise ValueError(
            f"the table of frames has rows without {', '.join(empty)}; they would be lost when "
            "adding up: give every row all its keys"
        )
    twice = frames.loc[frames.duplicated(unit), unit]
    if len(twice):
        first = ", ".join(f"{name} {value}" for name, value in twice.iloc[0].items())
        raise ValueError(
            f"{len(twice)} rows score a frame a second time, the first of them {first}; "
            "score every frame in one test fold only"
        )
