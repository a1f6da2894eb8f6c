"""The health of the stream: state, rates, latencies, dropped frames, and advice."""

from dataclasses import dataclass
from html import escape

from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_sonotempo.live.session import SIDES, LiveSession
from sonotempo.live.stream_statistics import PipelineStatistics

_KEEPS_UP = 0.8  # frames segmented of frames captured
_WARM_S = 3.0


@dataclass(frozen=True, slots=True)
class Health:
    """How the stream is doing, in words.

    Attributes:
        source: its name and state.
        rows: what was measured, each with its value.
        notes: shown with every result, such as what the models were trained on.
        advice: what to do if the models do not keep up; empty if they do.
    """

    source: str
    rows: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    advice: str


def health_of(session: LiveSession, drawn_per_s: float) -> Health:
    """Return the health of a stream. Takes a few milliseconds: too slow for every frame.

    Args:
        session: what is running.
        drawn_per_s: frames drawn per second.
    """
    statistics = session.pipeline.statistics()
    latency = statistics.latency
    rates = f"{statistics.fps_in:.0f} in, {statistics.fps_out:.0f} out, {drawn_per_s:.0f} drawn"
    share = statistics.dropped / max(1, statistics.captured)
    rows = [
        ("frames/s", rates),
        ("p50 / p95", f"{latency.p50_ms:.0f} / {latency.p95_ms:.0f} ms from capture to mask"),
        ("left out", f"{statistics.dropped} of {statistics.captured} ({share:.0%})"),
    ]
    for side, name, which in zip(SIDES, session.names, session.predictor_of, strict=False):
        one, card = statistics.predictors[which], session.predictors[which].model
        stateful = next((m.stateful for m in card.members if m.arm == name), card.stateful)
        times = f"{one.inference.p50_ms:.0f} / {one.inference.p95_ms:.0f} ms"
        together = " (both)" if len(card.members) == 2 else ""
        state = f"{one.state_age} frames" if stateful else "no state"
        rows.append((f"model {side}", f"{times}{together}, {state}"))
    engines = dict.fromkeys(one.engine for one in statistics.predictors)
    rows += [("engine", engine) for engine in engines]
    return Health(
        f"{session.title}: {session.source.state}",
        tuple(rows),
        session.notes,
        _advice(session, statistics),
    )


def _advice(session: LiveSession, statistics: PipelineStatistics) -> str:
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


class HealthBox(QLabel):
    """Shows how the stream is doing."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.show_health(None)

    def show_health(self, health: Health | None) -> None:
        """Show the rows as a table; None while nothing is running."""
        if health is None:
            self.setText("not running")
            return
        cells = "".join(
            f"<tr><td style='padding-right:8px'>{escape(name)}</td><td>{escape(value)}</td></tr>"
            for name, value in health.rows
        )
        notes = "".join(f"<br><i>{escape(note)}</i>" for note in health.notes)
        self.setText(f"<b>{escape(health.source)}</b>{notes}<table>{cells}</table>")
