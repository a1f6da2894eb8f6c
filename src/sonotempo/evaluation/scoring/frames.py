"""Scores per frame, pooled over frames, per subject, and over subjects.

One table of frames is the source of every number; the functions here only add it up. Precision,
recall and F1 come from summed region counts (Smistad et al. 2021, section E), never from averages
of per-frame ratios. Undefined values are NaN, by these rules:

- ``precision``: nothing was predicted (tp + fp = 0);
- ``recall``: nothing is there (tp + fn = 0);
- ``f1`` = 2·tp / (2·tp + fp + fn): neither (it is 0, not NaN, if all predictions are false);
- ``dice``, the mean over frames in which the structure is present in the reference: no such frame;
- ``dice_all``, the mean over all frames but those where it is neither predicted nor there: no such
  frame. A false prediction on a frame without the structure counts as 0 here, not in ``dice``;
- ``nsd``, the mean surface Dice over the frames that ``dice`` is of: no such frame, or no frame
  whose spacing is known.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sonotempo.config import EvaluateConfig
from sonotempo.evaluation.metrics.boundary import surface_dice
from sonotempo.evaluation.metrics.overlap import pixel_overlaps
from sonotempo.evaluation.metrics.regions import Reading, find_regions, smallest_area_px
from sonotempo.recording import Spacing
from sonotempo.structures import StructureSet

#: The metrics of the aggregated tables, each in 0 to 1.
METRICS = ("precision", "recall", "f1", "dice", "dice_all", "nsd")

#: Those that are means over frames; the others come from region counts.
AVERAGED = ("dice", "dice_all", "nsd")


@dataclass(frozen=True, slots=True)
class FrameKey:
    """Which frame was scored, and who predicted it.

    Attributes:
        arm: the model's name in the comparison.
        fold: the split whose test set the frame is in.
        subject: who was scanned: the unit of all statistics.
        recording: the recording's name, unique within its subject.
        frame: the frame's number within its recording.
        state_age: how many frames the recording has shown since it began or went on after a gap
            (where every state is reset), this one included; 0 if unknown.
    """

    arm: str
    fold: int
    subject: str
    recording: str
    frame: int
    state_age: int = 0


@dataclass(frozen=True, slots=True)
class FrameScore:
    """One structure's scores in one frame, under both readings of the overlap.

    ``dice`` is NaN where the structure is neither predicted nor there, and so is ``nsd``, which is
    also NaN where the spacing is unknown. Areas are in pixels of the fitted network grid.
    """

    structure: str
    tp_reference: int
    fp_reference: int
    fn_reference: int
    tp_iou: int
    fp_iou: int
    fn_iou: int
    dice: float
    intersection_px: int
    predicted_px: int
    reference_px: int
    nsd: float = math.nan


_KEY_COLUMNS = tuple(field.name for field in fields(FrameKey))
_SCORE_COLUMNS = tuple(field.name for field in fields(FrameScore))

#: The columns of a table of frames, in order: one row per arm, frame and structure.
FRAME_COLUMNS = _KEY_COLUMNS + _SCORE_COLUMNS

#: Columns that tables of earlier versions lack; they count as unknown there.
LATER_COLUMNS = {"state_age": 0, "nsd": math.nan}


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
        spacing_mm: millimetres a pixel on the network grid; None leaves NSD undefined.

    >>> from sonotempo.structures import FEMORAL
    >>> reference_HW = np.zeros((256, 256), np.uint8)
    >>> reference_HW[100:120, 100:120] = FEMORAL.label("femoral nerve")
    >>> nerve = score_frame(reference_HW, reference_HW, FEMORAL, EvaluateConfig())[-1]
    >>> nerve.structure, nerve.tp_reference, nerve.fp_reference, nerve.dice
    ('femoral nerve', 1, 0, 1.0)

    Raises:
        ValueError: the masks differ in shape, are no images, or hold labels beyond the structures.

    Source: Smistad et al. 2021, section E.
    """
    overlaps = pixel_overlaps(prediction_HW, reference_HW, len(structures))
    area_px = smallest_area_px(config.ignored_radius_px, reference_HW.shape[-1])
    scores = []
    for label, (name, pixels) in enumerate(zip(structures.names, overlaps, strict=True), start=1):
        regions = find_regions(prediction_HW == label, reference_HW == label, area_px)
        wording = regions.counts(config.overlap_threshold, "reference")
        iou = regions.counts(config.overlap_threshold, "iou")
        scores.append(
            FrameScore(
                name,
                *(wording.tp, wording.fp, wording.fn),
                *(iou.tp, iou.fp, iou.fn),
                dice=pixels.dice,
                intersection_px=pixels.intersection_px,
                predicted_px=pixels.predicted_px,
                reference_px=pixels.reference_px,
                nsd=_nsd(prediction_HW == label, reference_HW == label, spacing_mm, config),
            )
        )
    return scores


def _nsd(
    prediction_HW: NDArray[np.bool_],
    reference_HW: NDArray[np.bool_],
    spacing_mm: Spacing | None,
    config: EvaluateConfig,
) -> float:
    if spacing_mm is None:
        return math.nan
    return surface_dice(prediction_HW, reference_HW, spacing_mm, config.nsd_tolerance_mm)


def frame_table(scored: Iterable[tuple[FrameKey, Sequence[FrameScore]]]) -> pd.DataFrame:
    """Collect scored frames into a table with :data:`FRAME_COLUMNS`, in the order given."""
    key_of, score_of = attrgetter(*_KEY_COLUMNS), attrgetter(*_SCORE_COLUMNS)
    rows = [key_of(key) + score_of(score) for key, scores in scored for score in scores]
    table = pd.DataFrame(rows, columns=list(FRAME_COLUMNS))
    # Typed even when empty, so that the parquet files of all folds agree.
    kinds = {"arm": "str", "subject": "str", "recording": "str", "structure": "str"}
    kinds |= {"dice": "float64", "nsd": "float64"}
    return table.astype({name: kinds.get(name, "int64") for name in FRAME_COLUMNS})


def pooled(frames: pd.DataFrame, overlap: Reading = "reference") -> pd.DataFrame:
    """Pool all frames of each arm and structure.

    Args:
        frames: a table with :data:`FRAME_COLUMNS`.
        overlap: which reading's region counts are taken.

    Returns:
        One row per arm and structure, in the order of first appearance: ``arm, structure,
        subjects, frames, tp, fp, fn, precision, recall, f1, dice, dice_frames, dice_all,
        dice_all_frames, nsd, nsd_frames``; the last of each Dice and of NSD is how many frames it
        is the mean of. Undefined values are NaN, see the module.

    Raises:
        ValueError: columns are missing, a key is empty, or a frame was scored twice.
    """
    table = _pool(frames, ["arm", "structure"], overlap)
    subjects = frames.groupby(["arm", "structure"], sort=False)["subject"].nunique()
    table.insert(2, "subjects", subjects.to_numpy())
    return table


def per_subject(frames: pd.DataFrame, overlap: Reading = "reference") -> pd.DataFrame:
    """Bring the frames of each arm, subject and structure together: frame → recording → subject.

    Region counts are summed over all frames of the subject, and precision, recall and F1 follow
    from the sums. Dice is averaged over the frames of each recording, then over the recordings, so
    that a long recording weighs as much as a short one: frames of one sweep are near copies.

    Returns:
        One row per arm, subject and structure: the columns of :func:`pooled` with ``subject`` in
        place of ``subjects``. Undefined values are NaN, see the module.

    Raises:
        ValueError: columns are missing, a key is empty, or a frame was scored twice.
    """
    keys = ["arm", "subject", "structure"]
    table = _pool(frames, keys, overlap)
    recordings = _pool(frames, ["arm", "subject", "recording", "structure"], overlap)
    means = recordings.groupby(keys, sort=False)[list(AVERAGED)].mean()
    table[list(AVERAGED)] = means.loc[pd.MultiIndex.from_frame(table[keys])].to_numpy()
    return table


def summary(frames: pd.DataFrame, config: EvaluateConfig) -> pd.DataFrame:
    """Summarise each arm and structure: pooled over frames, and mean and SD over subjects.

    The mean, the SD (n − 1 in the denominator) and n of a metric leave out the subjects in which it
    is undefined; n says how many are left. The SD is NaN when n < 2, the mean when n = 0.

    Args:
        frames: a table with :data:`FRAME_COLUMNS`.
        config: the reading to show, and the threshold and radius that the frames were scored with.

    Returns:
        One row per arm and structure: ``arm, structure, overlap, overlap_threshold,
        ignored_radius_px, subjects, frames, tp, fp, fn, dice_frames, dice_all_frames,
        nsd_frames`` and, for each of :data:`METRICS`, ``<metric>_pooled, <metric>_mean,
        <metric>_sd, <metric>_n``.

    Raises:
        ValueError: columns are missing, a key is empty, or a frame was scored twice.
    """
    keys = ["arm", "structure"]
    table = pooled(frames, config.overlap)
    table.insert(2, "overlap", config.overlap)
    table.insert(3, "overlap_threshold", config.overlap_threshold)
    table.insert(4, "ignored_radius_px", config.ignored_radius_px)
    subjects = per_subject(frames, config.overlap).groupby(keys, sort=False)
    for metric in METRICS:
        values = subjects[metric].agg(["mean", "std", "count"]).reset_index()
        values.columns = [*keys, f"{metric}_mean", f"{metric}_sd", f"{metric}_n"]
        table[f"{metric}_pooled"] = table.pop(metric)
        table = table.merge(values, on=keys, how="left", validate="one_to_one")
    return table


def _pool(frames: pd.DataFrame, keys: list[str], overlap: Reading) -> pd.DataFrame:
    _check(frames)
    counts = {name: frames[f"{name}_{overlap}"] for name in ("tp", "fp", "fn")}
    present = frames["reference_px"] > 0
    nsd = frames["nsd"] if "nsd" in frames.columns else pd.Series(math.nan, frames.index)
    rows = frames[keys].assign(
        **counts,
        dice=frames["dice"].where(present),
        dice_all=frames["dice"],
        nsd=nsd.where(present),
    )
    # Mean and count leave out NaN: absent structures for `dice` and `nsd`, empty-empty for
    # `dice_all`.
    table = rows.groupby(keys, sort=False).agg(
        frames=("tp", "size"),
        tp=("tp", "sum"),
        fp=("fp", "sum"),
        fn=("fn", "sum"),
        dice=("dice", "mean"),
        dice_frames=("dice", "count"),
        dice_all=("dice_all", "mean"),
        dice_all_frames=("dice_all", "count"),
        nsd=("nsd", "mean"),
        nsd_frames=("nsd", "count"),
    )
    table = table.reset_index()
    tp, fp, fn = table["tp"], table["fp"], table["fn"]
    at = list(table.columns).index("dice")
    table.insert(at, "precision", _ratio(tp, tp + fp))
    table.insert(at + 1, "recall", _ratio(tp, tp + fn))
    table.insert(at + 2, "f1", _ratio(2 * tp, 2 * tp + fp + fn))
    return table


def _ratio(part: "pd.Series[int]", whole: "pd.Series[int]") -> "pd.Series[float]":
    return part / whole.where(whole > 0)


def _check(frames: pd.DataFrame) -> None:
    needed = [name for name in FRAME_COLUMNS if name not in LATER_COLUMNS]
    missing = [name for name in needed if name not in frames.columns]
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
