"""The best that any model could do on simulated data, with and without memory.

A simulator knows which structures can be seen in which frame (``truth.csv`` of a cohort). Where a
structure is visible, both oracles draw its reference. Where it is not, the one without memory has
nothing but the place that is best on average, and the one with memory carries the last visible mask
along the true displacement of the tissue. The simulator makes every mask by moving the same anatomy
along that displacement, so the carried mask is the reference itself.

Their difference is the available gain: what there is to win by remembering.
"""

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from sonotempo.config import EvaluateConfig
from sonotempo.data.cache import CachedRecording
from sonotempo.errors import ConfigError
from sonotempo.evaluation.scoring.files import Evaluation
from sonotempo.evaluation.scoring.frames import FrameKey, FrameScore, frame_table
from sonotempo.evaluation.scoring.mask_files import DrawnMasks
from sonotempo.evaluation.scoring.recordings import drawn_masks, score_recording
from sonotempo.evaluation.scoring.temporal_table import TemporalScore, temporal_table
from sonotempo.guard import guarded
from sonotempo.phantom.cohort import COHORT_FILE, TRUTH_FILE
from sonotempo.recording import Image
from sonotempo.structures import StructureSet

#: The column of ``truth.csv`` that tells whether a structure can be seen, before its name.
VISIBLE = "visible: "

_LEVELS = np.linspace(0.05, 0.95, 19)


def score_oracle(
    test: Sequence[CachedRecording],
    train: Sequence[CachedRecording],
    structures: StructureSet,
    config: EvaluateConfig,
    *,
    arm: str,
    fold: int,
    remembers: bool,
    on_masks: Callable[[DrawnMasks], object],
    on_recording: Callable[[], None],
) -> Evaluation:
    """Draw the masks of an oracle and score them as any arm's.

    Args:
        test: the fold's test recordings, of a simulated cohort.
        train: its training recordings: what the best constant guess is made from.
        structures: what the labels mean.
        config: the region rules.
        arm: the oracle's name in the tables.
        fold: the split.
        remembers: whether it has a memory.
        on_masks: called with the masks of each recording.
        on_recording: called after each recording, for progress.

    Raises:
        ConfigError: the recordings are not simulated, or by an earlier version.
    """
    guess_SS = best_constant_guess(train, len(structures))
    frames: list[tuple[FrameKey, list[FrameScore]]] = []
    temporal: list[TemporalScore] = []
    for cached in test:
        recording = cached.as_recording(structures)
        visible = read_visible(cached, structures)
        carries = remembers and not is_shuffled(cached)
        masks: dict[int, Image] = {}
        for segment in recording.segments():
            seen: set[int] = set()
            for index in segment:
                now = visible[int(recording.frame_numbers[index])]
                seen = seen | now if carries else set(now)
                reference_SS = recording.mask(index)
                if reference_SS is not None:
                    masks[index] = oracle_mask(reference_SS, guess_SS, seen, len(structures))
        scores = score_recording(recording, masks, config, arm=arm, fold=fold)
        frames += scores.frames
        temporal += scores.temporal
        on_masks(drawn_masks(recording, masks))
        on_recording()
    return Evaluation(frame_table(frames), temporal_table(temporal))


def oracle_mask(
    reference_SS: Image, guess_SS: Image, known: Iterable[int], structures: int
) -> Image:
    """Draw the reference of known structures, and the guess of the others around them.

    >>> reference, guess = np.array([[1, 2, 0]]), np.array([[0, 2, 2]])
    >>> oracle_mask(reference, guess, {1}, 2).tolist()
    [[1, 2, 2]]
    """
    known = set(known)
    unknown = [label for label in range(1, structures + 1) if label not in known]
    mask_SS = np.where(np.isin(guess_SS, unknown), guess_SS, 0).astype(np.uint8)
    certain_SS = np.isin(reference_SS, list(known))
    mask_SS[certain_SS] = reference_SS[certain_SS]
    return mask_SS


def best_constant_guess(train: Iterable[CachedRecording], structures: int) -> Image:
    """Return the mask that, drawn in every frame, agrees best with the training references.

    Of each structure the share of frames that hold it at a pixel is cut at the level with the best
    Dice over all frames together.
    """
    total: NDArray[np.float64] | None = None
    count = 0
    for recording in train:
        masks_MSS = np.asarray(recording.masks_MSS())
        held = np.stack([(masks_MSS == k).sum(0) for k in range(1, structures + 1)])
        total = held.astype(np.float64) if total is None else total + held
        count += len(masks_MSS)
    if total is None:
        raise ValueError("no training recording; a constant guess needs at least one")
    share_KSS = total / count
    guess_SS = np.zeros(share_KSS.shape[1:], np.uint8)
    for label, share_SS in enumerate(share_KSS, start=1):
        if not share_SS.any():
            continue
        # Of few subjects the shares are a patchwork; a guess in pieces would be many false regions.
        smooth_SS = gaussian_filter(share_SS, len(share_SS) / 24)
        masks = [smooth_SS >= level * smooth_SS.max() for level in _LEVELS]
        dice = [2 * share_SS[mask].sum() / (mask.sum() + share_SS.sum()) for mask in masks]
        guess_SS[masks[int(np.argmax(dice))]] = label
    return guess_SS


_SIMULATE_AGAIN = "simulate the cohort again with `sonotempo phantom`"


def is_shuffled(recording: CachedRecording) -> bool:
    """Return whether every frame is of another subject: then earlier ones tell nothing."""
    path = recording.source.parents[1] / COHORT_FILE
    if not path.is_file():
        return False
    with guarded(f"{path} does not describe a cohort", _SIMULATE_AGAIN, ConfigError):
        return bool(json.loads(path.read_text("utf-8"))["shuffle"])


def read_visible(recording: CachedRecording, structures: StructureSet) -> Mapping[int, set[int]]:
    """Return the labels of the structures that can be seen, by frame number.

    Raises:
        ConfigError: the simulator's ``truth.csv`` is missing or lacks the columns.
    """
    path = recording.source / TRUTH_FILE
    columns = [VISIBLE + name for name in structures.names]
    if not path.is_file():
        raise ConfigError(
            f"the oracles need the truth of a simulation, but {recording.source} has no "
            f"{TRUTH_FILE}: leave oracle_frame and oracle_memory out of arms"
        )
    with (
        guarded(f"{path} cannot be read", _SIMULATE_AGAIN, ConfigError),
        path.open(encoding="utf-8", newline="") as file,
    ):
        rows = list(csv.DictReader(file))
    missing = [name for name in columns if not rows or name not in rows[0]]
    if missing:
        raise ConfigError(
            f"{path} has no column {missing[0]!r}; simulate the cohort again with `sonotempo "
            "phantom` of this version"
        )
    with guarded(f"{path} does not say what is visible", _SIMULATE_AGAIN, ConfigError):
        return {
            int(row["frame"]): {k for k, name in enumerate(columns, start=1) if row[name] == "1"}
            for row in rows
        }
