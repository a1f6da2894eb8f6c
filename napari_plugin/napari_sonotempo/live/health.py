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
        verdict: latency and frames a second for the line above the pictures.
    """

    source: str
    rows: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    advice: str
    verdict: str = ""


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
        if which >= len(statistics.predictors):
            break  # the models are being opened
        one, card = statistics.predictors[which], session.models.cards[which]
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
        f"{latency.p50_ms:.0f} ms · {statistics.fps_out:.0f} frames/s" if session.names else "",
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
        f"frame, and frames are left out. {_remedy(session, statistics)}"
    )


def _remedy(session: LiveSession, statistics: PipelineStatistics) -> str:
    """Return only what would change something here."""
    remedies = []
    if any(card.precision != "int8" for card in session.models.cards):
        remedies.append("export the model with --precision int8")
    if len(session.predictors) > 1:
        remedies.append("use a pair in one file, whose encoder runs once")
    if len(session.names) > 1:
        remedies.append("show one model instead of two")
    remedies.append("close other programs")
    if all("CPU" in one.engine.upper() for one in statistics.predictors):
        remedies.append("use a computer with a GPU")
    first, *others = remedies
    return ", or ".join([first[0].upper() + first[1:], *others]) + "."


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
