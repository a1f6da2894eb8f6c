"""The statistics of a stream: time in every stage, frames left out, state ages, frame rates.

Times are kept for the last frames only, so that memory use is constant; counts cover the whole
stream.
"""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_WINDOW_FRAMES = 9000  # five minutes at 30 frames a second
_RATE_WINDOW_NS = 2_000_000_000
_MINIMUM_NS = 1  # avoids a division by zero

#: The stages of a frame in their order. See :class:`StepTimes`.
STAGES = ("buffer", "preprocess", "inference", "ready")


@dataclass(frozen=True, slots=True)
class Timing:
    """How long something took, in milliseconds: mean and percentiles of ``count`` frames.

    Without frames, all are 0.
    """

    count: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, times_ns: NDArray[np.int64]) -> "Timing":
        """Summarise durations.

        >>> Timing.of(np.array([1_000_000, 3_000_000])).mean_ms
        2.0
        """
        if not len(times_ns):
            return cls(0, 0.0, 0.0, 0.0, 0.0)
        percentiles = np.percentile(times_ns, (50, 95, 99)) / 1e6
        return cls(len(times_ns), float(times_ns.mean()) / 1e6, *map(float, percentiles))


@dataclass(frozen=True, slots=True)
class StepTimes:
    """When one frame went through the stages; all on the host's monotonic clock.

    Attributes:
        number: of the frame in its stream.
        captured_ns: when the source wrote it into the buffer.
        taken_ns: when the engine took it from there; the stage ``buffer`` lies between the two.
        preprocess_ns: the time of all models together to fit it to their grids.
        inference_ns: the time of each model's network.
        ready_ns: when the result could be shown. The rest of the time since ``taken_ns`` (masks,
            history, bookkeeping) is the stage ``ready``.
    """

    number: int
    captured_ns: int
    taken_ns: int
    preprocess_ns: int
    inference_ns: tuple[int, ...]
    ready_ns: int


@dataclass(frozen=True, slots=True)
class PredictorStatistics:
    """The statistics of one model.

    Attributes:
        model: its name.
        engine: what really computes, for the user.
        inference: time of its network alone.
        state_age: frames since its last reset, at the newest result.
    """

    model: str
    engine: str
    inference: Timing
    state_age: int


@dataclass(frozen=True, slots=True)
class PipelineStatistics:
    """The statistics of a stream; counts are since the start, times of the last 9000 frames.

    Attributes:
        seconds: since the start.
        captured: frames that the source wrote since then.
        segmented: frames that all models have segmented.
        skipped: frames left out because a newer one was available (policy ``newest``).
        overruns: frames overwritten before they could be read (policy ``every``).
        waiting: frames written but not yet processed.
        fps_in: frames a second that the source writes, over the last two seconds.
        fps_out: frames a second that are segmented, over the last two seconds.
        stages: time in each of :data:`STAGES`.
        latency: from capture to ready, the sum of the stages.
        predictors: in the given order.
        resets: how often the states were reset, by reason.
    """

    seconds: float
    captured: int
    segmented: int
    skipped: int
    overruns: int
    waiting: int
    fps_in: float
    fps_out: float
    stages: Mapping[str, Timing]
    latency: Timing
    predictors: tuple[PredictorStatistics, ...]
    resets: Mapping[str, int] = field(default_factory=dict)

    @property
    def dropped(self) -> int:
        """Frames that no model will see: skipped or overrun."""
        return self.skipped + self.overruns


class Meter:
    """Collects the times of the engine's steps; one thread records, any thread reads.

    Args:
        predictors: how many models are measured.
        window_frames: for how many of the last frames times are kept.
    """

    def __init__(self, predictors: int, window_frames: int = _WINDOW_FRAMES) -> None:
        self._lock = threading.Lock()
        self._window = window_frames
        # One row a frame: number, captured, ready, the stages, then every model's inference.
        self._rows = np.zeros((window_frames, 3 + len(STAGES) + predictors), np.int64)
        self._segmented = 0
        self._skipped = 0
        self._resets: Counter[str] = Counter()
        self._state_ages = [0] * predictors

    def record(self, times: StepTimes, state_ages: Sequence[int], skipped: int) -> None:
        """Record one step: its times, each model's state age, and the frames left out before."""
        inference_ns = sum(times.inference_ns)
        took_ns = times.ready_ns - times.taken_ns
        stages_ns = (
            times.taken_ns - times.captured_ns,
            times.preprocess_ns,
            inference_ns,
            took_ns - times.preprocess_ns - inference_ns,
        )
        row = (times.number, times.captured_ns, times.ready_ns, *stages_ns, *times.inference_ns)
        with self._lock:
            self._rows[self._segmented % self._window] = row
            self._segmented += 1
            self._skipped += skipped
            self._state_ages[:] = state_ages

    def reset(self, reason: str) -> None:
        """Count a reset of the states."""
        with self._lock:
            self._resets[reason] += 1

    def statistics(
        self,
        *,
        now_ns: int,
        started_ns: int,
        captured: int,
        overruns: int,
        waiting: int,
        models: Sequence[tuple[str, str]],
    ) -> PipelineStatistics:
        """Summarise the stream.

        Args:
            now_ns: the host's monotonic clock.
            started_ns: the start of the stream on that clock.
            captured: frames written since then.
            overruns: frames overwritten before they could be read.
            waiting: frames written but not yet processed.
            models: name and engine of every model.
        """
        with self._lock:
            rows = self._rows[: min(self._segmented, self._window)].copy()
            segmented, skipped = self._segmented, self._skipped
            resets, state_ages = dict(self._resets), tuple(self._state_ages)
        first = 3 + len(STAGES)
        return PipelineStatistics(
            seconds=(now_ns - started_ns) / 1e9,
            captured=captured,
            segmented=segmented,
            skipped=skipped,
            overruns=overruns,
            waiting=waiting,
            fps_in=_written_per_second(rows, now_ns),
            fps_out=_ready_per_second(rows, now_ns, started_ns),
            stages={name: Timing.of(rows[:, 3 + i]) for i, name in enumerate(STAGES)},
            latency=Timing.of(rows[:, 2] - rows[:, 1]),
            predictors=tuple(
                PredictorStatistics(model, engine, Timing.of(rows[:, first + i]), state_ages[i])
                for i, (model, engine) in enumerate(models)
            ),
            resets=resets,
        )


def _written_per_second(rows: NDArray[np.int64], now_ns: int) -> float:
    """The source's rate; frame numbers have no gaps, so their difference counts all frames."""
    recent = rows[rows[:, 1] > now_ns - _RATE_WINDOW_NS]
    if len(recent) < 2:
        return 0.0
    numbers, captured_ns = recent[:, 0], recent[:, 1]
    return float(np.ptp(numbers)) * 1e9 / max(int(np.ptp(captured_ns)), _MINIMUM_NS)


def _ready_per_second(rows: NDArray[np.int64], now_ns: int, started_ns: int) -> float:
    window_ns = max(min(_RATE_WINDOW_NS, now_ns - started_ns), _MINIMUM_NS)
    return float(np.count_nonzero(rows[:, 2] > now_ns - window_ns)) * 1e9 / window_ns
