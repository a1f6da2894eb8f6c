"""Streaming accuracy: what was on screen at the moment that each frame was shown.

At that moment, the frame's own mask does not exist yet: it is scored against the newest output that
was finished by then. One worker takes, whenever it is free, the newest frame that it has not seen
(the policy ``newest``); frames that arrive meanwhile are never processed, so a predictor with state
is run again on those that would have been processed: masks made from all frames do not apply.

Source: streaming accuracy (sAP), Li, Wang and Ramanan, "Towards Streaming Perception", ECCV 2020.
Each run of frames without a gap is a separate stream that begins with an empty screen.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sonotempo.config import EvaluateConfig
from sonotempo.evaluation.scoring.frames import (
    FRAME_COLUMNS,
    FrameKey,
    FrameScore,
    frame_table,
    score_frame,
)
from sonotempo.evaluation.scoring.prediction import predict_frame
from sonotempo.evaluation.scoring.recordings import frame_key
from sonotempo.recording import Image, Predictor, Recording

#: What the table of streaming scores adds to :data:`FRAME_COLUMNS`: the number of the frame
#: whose mask was on screen (−1: none yet) and how long ago that frame had been shown (else NaN).
SCREEN_COLUMNS = ("shown_frame", "shown_age_ms")


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """Which frames of a stream are processed, and when each is done.

    Attributes:
        processed: int64 [N], their indices, increasing.
        finished_ns: int64 [N], the moments at which their masks are on screen.
    """

    processed: NDArray[np.int64]
    finished_ns: NDArray[np.int64]

    def on_screen(self, timestamps_ns: ArrayLike) -> NDArray[np.int64]:
        """Return, for each moment, the index of the frame whose mask is on screen; −1 if none."""
        position = np.searchsorted(self.finished_ns, np.asarray(timestamps_ns), side="right") - 1
        return np.where(position >= 0, self.processed[position], -1)


def schedule(
    timestamps_ns: NDArray[np.int64], latencies_ms: Sequence[float], random: np.random.Generator
) -> Schedule:
    """Work out what one worker that always takes the newest frame gets done.

    Args:
        timestamps_ns: int64 [T], when each frame is shown, increasing.
        latencies_ms: from taking a frame to its mask; one is drawn for each frame that is taken.
        random: draws them.

    >>> frames_ns = np.arange(6) * 50_000_000
    >>> done = schedule(frames_ns, [70.0], np.random.default_rng(0))
    >>> done.processed.tolist(), (done.finished_ns // 1_000_000).tolist()
    ([0, 1, 2, 4, 5], [70, 140, 210, 280, 350])
    >>> done.on_screen(frames_ns).tolist()
    [-1, -1, 0, 1, 1, 2]
    """
    processed: list[int] = []
    finished_ns: list[int] = []
    free_ns, newest = int(timestamps_ns[0]), -1
    while newest < len(timestamps_ns) - 1:
        arrived = int(np.searchsorted(timestamps_ns, free_ns, side="right")) - 1
        # Without a new frame, the worker waits for the next one.
        newest = max(arrived, newest + 1)
        start_ns = max(free_ns, int(timestamps_ns[newest]))
        free_ns = start_ns + round(float(random.choice(latencies_ms)) * 1e6)
        processed.append(newest)
        finished_ns.append(free_ns)
    return Schedule(np.array(processed, np.int64), np.array(finished_ns, np.int64))


def latencies_of(setting: object, arm: str) -> tuple[float, ...] | None:
    """Return the latencies in ms that a setting ``evaluate.streaming_latency_ms`` gives an arm.

    >>> latencies_of({"frame": 20, "sequence": [24, 31]}, "sequence")
    (24.0, 31.0)
    >>> latencies_of({"frame": 20}, "sequence") is None
    True
    """
    if isinstance(setting, Mapping):
        setting = setting.get(arm)
    if setting is None:
        return None
    return tuple(float(ms) for ms in np.atleast_1d(np.asarray(setting, np.float64)))


def score_stream(
    predictor: Predictor,
    recording: Recording,
    latencies_ms: Sequence[float],
    config: EvaluateConfig,
    *,
    arm: str,
    fold: int,
    seed: int = 0,
    known: Mapping[int, Image] | None = None,
) -> pd.DataFrame:
    """Score what would have been on screen of a recording.

    Args:
        predictor: it is stepped on the frames that would have been processed.
        recording: frames and references on the evaluation grid.
        latencies_ms: measured ones to draw from, or one that is always the same.
        config: the region rules.
        arm: the predictor's name in the table.
        fold: the fold whose test set this is.
        seed: of the latencies; with the recording's name, so that arms draw alike.
        known: masks by frame index that a predictor without state need not draw again.

    Returns:
        One row per labelled frame and structure: :data:`FRAME_COLUMNS` and :data:`SCREEN_COLUMNS`.

    Raises:
        SonotempoError: the predictor gave values that are not numbers.
    """
    random = np.random.default_rng([seed, *recording.name.encode()])
    rows: list[tuple[FrameKey, list[FrameScore]]] = []
    shown_frames: list[int] = []
    shown_ages_ms: list[float] = []
    for segment in recording.segments():
        times_ns = recording.timestamps_ns[segment.start : segment.stop]
        done = schedule(times_ns, latencies_ms, random)
        reusable = {} if predictor.stateful or known is None else known
        predictor.reset()
        masks = {}
        for place in done.processed.tolist():
            mask_SS = reusable.get(segment.start + place)
            if mask_SS is None:
                index = segment.start + place
                mask_SS = predict_frame(predictor, recording, index, arm).mask_HW
            masks[place] = mask_SS
        for shown, time_ns, index in zip(done.on_screen(times_ns), times_ns, segment, strict=True):
            reference_SS = recording.mask(index)
            if reference_SS is None:
                continue
            mask_SS = masks[int(shown)] if shown >= 0 else np.zeros_like(reference_SS)
            scores = score_frame(
                mask_SS, reference_SS, recording.structures, config, recording.spacing_at(index)
            )
            rows.append((frame_key(recording, index, arm, fold), scores))
            number = int(recording.frame_numbers[segment.start + shown]) if shown >= 0 else -1
            age_ms = (time_ns - times_ns[shown]) / 1e6 if shown >= 0 else math.nan
            shown_frames += [number] * len(scores)
            shown_ages_ms += [float(age_ms)] * len(scores)
    return screen_table(rows, shown_frames, shown_ages_ms)


def screen_table(
    scored: Sequence[tuple[FrameKey, list[FrameScore]]],
    shown_frames: Sequence[int],
    shown_ages_ms: Sequence[float],
) -> pd.DataFrame:
    """Collect scored screens into a table; one value of each column a row."""
    table = frame_table(scored)
    table["shown_frame"] = np.asarray(shown_frames, np.int64)
    table["shown_age_ms"] = np.asarray(shown_ages_ms, np.float64)
    return table[[*FRAME_COLUMNS, *SCREEN_COLUMNS]]
