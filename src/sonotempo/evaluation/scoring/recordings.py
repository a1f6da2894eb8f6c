"""One recording's masks against its references: every labelled frame, and every temporal metric."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonotempo.config import EvaluateConfig
from sonotempo.evaluation.metrics.temporal import (
    SPARSE,
    StructureRun,
    dense_run,
    temporal_values,
    without_values,
)
from sonotempo.evaluation.scoring.frames import FrameKey, FrameScore, score_frame
from sonotempo.evaluation.scoring.mask_files import DrawnMasks
from sonotempo.evaluation.scoring.temporal_table import TemporalScore
from sonotempo.recording import Image, Recording


@dataclass(frozen=True, slots=True)
class RecordingScores:
    """What was measured of one recording.

    Attributes:
        frames: the scores of every labelled frame, in order.
        temporal: every metric of every structure.
    """

    frames: list[tuple[FrameKey, list[FrameScore]]]
    temporal: list[TemporalScore]


def score_recording(
    recording: Recording,
    masks: Mapping[int, Image],
    config: EvaluateConfig,
    *,
    arm: str,
    fold: int,
) -> RecordingScores:
    """Score what was drawn of a recording; it does not matter by whom.

    Args:
        recording: frames and references on the evaluation grid.
        masks: uint8 SS of at least the labelled frames, by frame index.
        config: the region rules.
        arm: who drew the masks.
        fold: the fold whose test set this is.
    """
    labelled, structures = recording.labelled, recording.structures
    references = [_reference(recording, index) for index in labelled]
    frames = []
    for index, reference_SS in zip(labelled, references, strict=True):
        spacing_mm = recording.spacing_at(index)
        scores = score_frame(masks[index], reference_SS, structures, config, spacing_mm)
        frames.append((frame_key(recording, index, arm, fold), scores))
    run = dense_run(recording.frame_numbers[list(labelled)])
    temporal = []
    for label, name in enumerate(structures.names, start=1):
        scores = [of_frame[label - 1] for _, of_frame in frames]
        if run is None:
            values = without_values(SPARSE)
        else:
            drawn = [masks[labelled[i]] for i in run]
            of_run = StructureRun(
                np.stack(drawn) == label,
                np.stack([references[i] for i in run]) == label,
                *_counts([scores[i] for i in run], config),
                recording.timestamps_ns[[labelled[i] for i in run]],
            )
            values = temporal_values(of_run)
        for metric, value in values.items():
            number, reason = (math.nan, value) if isinstance(value, str) else (value, "")
            temporal.append(
                TemporalScore(
                    arm, fold, recording.subject, recording.name, name, metric, number, reason
                )
            )
    return RecordingScores(frames, temporal)


def frame_key(recording: Recording, index: int, arm: str, fold: int) -> FrameKey:
    """Return what a frame of a recording is called in the tables."""
    segment = next(run for run in recording.segments() if index in run)
    return FrameKey(
        arm,
        fold,
        recording.subject,
        recording.name,
        int(recording.frame_numbers[index]),
        index - segment.start + 1,
    )


def drawn_masks(recording: Recording, masks: Mapping[int, Image]) -> DrawnMasks:
    """Return a recording's masks as they are kept, in the order of its frames."""
    indices = sorted(masks)
    return DrawnMasks(
        recording.name,
        recording.frame_numbers[indices],
        np.stack([masks[index] for index in indices]),
    )


def _reference(recording: Recording, index: int) -> Image:
    reference_SS = recording.mask(index)
    assert reference_SS is not None  # only labelled frames are asked for
    return reference_SS


def _counts(
    scores: Sequence[FrameScore], config: EvaluateConfig
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return true positives, false positives and misses, one per frame, of the reading shown."""
    by_frame = np.array(
        [
            [getattr(score, f"{kind}_{config.overlap}") for kind in ("tp", "fp", "fn")]
            for score in scores
        ],
        np.int64,
    )
    return by_frame[:, 0], by_frame[:, 1], by_frame[:, 2]
