"""How the stream is doing, in words: states, rates, latencies, and what falls behind."""

from dataclasses import dataclass

from napari_sonotempo.live.session import SIDES, LiveSession
from sonotempo.live.stream_statistics import PipelineStatistics

#: What is shown is marked as stale when it was captured longer ago than this.
STALE_LIMIT_MS = 500.0

_KEEPS_UP = 0.8  # frames segmented of frames captured
_WARM_S = 3.0


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """How one model is doing.

    Attributes:
        side: A or B.
        latency: p50 and p95 of its network.
        state: how many frames its memory holds, in words.
        engine: what computes it.
    """

    side: str
    latency: str
    state: str
    engine: str


@dataclass(frozen=True, slots=True)
class Health:
    """How the stream is doing.

    Attributes:
        source: what it is and does.
        rates: frames a second: captured, segmented, painted.
        latency: from capture to ready.
        dropped: frames that no model saw.
        models: in the order of the predictions.
        notes: what belongs beside every result, such as what the models were trained on.
        advice: what to do if the models do not keep up, or nothing.
    """

    source: str
    rates: str
    latency: str
    dropped: str
    models: tuple[ModelHealth, ...]
    notes: tuple[str, ...]
    advice: str


def health_of(session: LiveSession, painted_per_s: float) -> Health:
    """Sum up; takes a few milliseconds, so not for every frame."""
    statistics = session.pipeline.statistics()
    latency = statistics.latency
    models = []
    for side, name, which in zip(SIDES, session.names, session.predictor_of, strict=False):
        one, card = statistics.predictors[which], session.predictors[which].model
        stateful = next((m.stateful for m in card.members if m.arm == name), card.stateful)
        together = " (both)" if len(card.members) == 2 else ""
        models.append(
            ModelHealth(
                side,
                f"{one.inference.p50_ms:.0f} / {one.inference.p95_ms:.0f} ms{together}",
                f"{one.state_age} frames" if stateful else "no state",
                one.engine,
            )
        )
    share = statistics.dropped / max(1, statistics.captured)
    return Health(
        f"{session.title}: {session.source.state}",
        f"{statistics.fps_in:.0f} in, {statistics.fps_out:.0f} out, {painted_per_s:.0f} drawn",
        f"{latency.p50_ms:.0f} / {latency.p95_ms:.0f} ms",
        f"{statistics.dropped} of {statistics.captured} ({share:.0%})",
        tuple(models),
        session.notes,
        _advice(session, statistics),
    )


def _advice(session: LiveSession, statistics: PipelineStatistics) -> str:
    """Say that the models do not keep up with the source, and what helps."""
    is_late = statistics.fps_out < _KEEPS_UP * statistics.fps_in
    if not statistics.predictors or not is_late or statistics.seconds < _WARM_S:
        return ""
    if session.source.state != "running":
        return ""
    slowest = max(statistics.predictors, key=lambda one: one.inference.p50_ms)
    return (
        f"The models do not keep up: {slowest.model!r} takes {slowest.inference.p50_ms:.0f} ms a "
        "frame, and frames are left out. Choose an int8 model, one model instead of two, or a "
        "computer with a GPU."
    )
