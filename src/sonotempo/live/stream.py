"""Streams a source through models without a window, and shows the statistics."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live

from sonotempo import __version__
from sonotempo.errors import SonotempoError, SourceError
from sonotempo.live.continuity import MAX_GAP_MS
from sonotempo.live.history import StepResult
from sonotempo.live.pipeline import LivePredictor, Pipeline, PipelineState, Policy
from sonotempo.live.recording.masks import MaskTap
from sonotempo.live.recording.recorder import Recorder, RecorderStatistics
from sonotempo.live.sources.address import source_name, without_places
from sonotempo.live.sources.open import buffer_for
from sonotempo.live.sources.source import FrameSource, SourceEvent
from sonotempo.live.stream_statistics import PipelineStatistics
from sonotempo.live.stream_table import stream_table

_LOOK_S = 0.02
_DRAW_S = 0.25


@dataclass(frozen=True, slots=True)
class Streamed:
    """The outcome of a stream.

    Attributes:
        state: how it ended: "stopped" by time or by the user, "finished" with its source, "failed".
        statistics: of the whole stream.
        events: how often the source reported each kind of event.
        recorded: what the recorder wrote, or None without one.
        error: why a model or the recorder failed, or None.
    """

    state: PipelineState
    statistics: PipelineStatistics
    events: dict[str, int]
    recorded: RecorderStatistics | None
    error: SonotempoError | None


def run_stream(
    title: str,
    source: FrameSource,
    predictors: Sequence[LivePredictor],
    console: Console,
    *,
    policy: Policy = "newest",
    max_gap_ms: float = MAX_GAP_MS,
    seconds: float | None = None,
    record: Path | None = None,
    record_predictions: bool = False,
    publish: Callable[[StepResult], None] | None = None,
) -> Streamed:
    """Stream until the time is up, the source ends, Ctrl-C is pressed or a model fails.

    Args:
        title: the source's name in the table.
        source: is started and stopped.
        predictors: stay open.
        console: for the table and for the source's events. On a terminal the table is redrawn four
            times a second, elsewhere it is printed only at the end.
        policy: see :data:`~sonotempo.live.pipeline.Policy`.
        max_gap_ms: a longer gap between two segmented frames resets the states.
        seconds: the duration, or None for no limit.
        record: a ``.mkv`` file or a new folder for all frames, see
            :class:`~sonotempo.live.recording.recorder.Recorder`, or None.
        record_predictions: whether the masks are recorded too.
        publish: gets the newest result, again and again; it must not wait.

    Raises:
        SourceError: the source or the recorder cannot start.
    """
    events: Counter[str] = Counter()
    with buffer_for(source) as buffer, ExitStack() as parts:
        recorder = None
        if record is not None:
            reader = parts.enter_context(buffer.reader("now"))
            is_with_masks = record_predictions and predictors
            structures = predictors[0].model.structures if is_with_masks else None
            recorder = parts.enter_context(Recorder(reader, record, structures=structures))
        pipeline = Pipeline(buffer, source, predictors, policy, max_gap_ms)
        masks = MaskTap(pipeline.history, recorder) if recorder and record_predictions else None

        def look() -> None:
            for event in pipeline.events():
                events[event.kind] += 1
                _say(console, "source", event)
                if recorder is not None:
                    recorder.note(replace(event, detail=without_places(event.detail, title)))
            for event in recorder.events() if recorder is not None else ():
                _say(console, "recorder", event)
            if masks is not None:
                masks.record()
            newest = pipeline.newest()
            if publish is not None and newest is not None:
                publish(newest)

        pipeline.start()
        # From here on the statistics are printed whatever happens; the live table is gone then.
        parts.callback(lambda: console.print(stream_table(title, pipeline)))
        parts.callback(look)
        parts.callback(pipeline.stop)
        parts.callback(look)  # the pipeline drops its results when it stops
        try:
            with _live_table(console) as draw:
                _watch(pipeline, seconds, look, lambda: draw(stream_table(title, pipeline)))
        except KeyboardInterrupt:
            console.print("stopped by Ctrl-C")
    error: SonotempoError | None = pipeline.error
    if error is None and recorder is not None and recorder.problem is not None:
        error = SourceError(recorder.problem)
    return Streamed(
        pipeline.state,
        pipeline.statistics(),
        dict(events),
        recorder.statistics if recorder is not None else None,
        error,
    )


def stream_report(
    title: str, policy: Policy, predictors: Sequence[LivePredictor], streamed: Streamed
) -> dict[str, Any]:
    """Return the outcome as plain values for a JSON file."""
    return {
        "made_by": f"sonotempo {__version__}",
        "source": source_name(title),
        "policy": policy,
        "state": streamed.state,
        "error": without_places(str(streamed.error), title) if streamed.error else None,
        "models": [
            {
                "name": predictor.model.name,
                "arms": predictor.model.arms,
                "precision": predictor.model.precision,
                "input_size": predictor.model.input_size,
                "engine": predictor.engine,
            }
            for predictor in predictors
        ],
        "events": streamed.events,
        "recorded": asdict(streamed.recorded) if streamed.recorded else None,
        "statistics": asdict(streamed.statistics) | {"dropped": streamed.statistics.dropped},
    }


@contextmanager
def _live_table(console: Console) -> Iterator[Callable[[RenderableType], object]]:
    """Yield a function that replaces the table on the terminal; elsewhere it does nothing."""
    if not console.is_terminal:
        yield lambda table: None
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda table: live.update(table, refresh=True)


def _watch(
    pipeline: Pipeline,
    seconds: float | None,
    look: Callable[[], object],
    draw: Callable[[], object],
) -> None:
    """Watch a pipeline until its time is up or it has nothing more to do."""
    end = time.monotonic() + (seconds if seconds is not None else math.inf)
    drawn = 0.0
    while pipeline.state == "running" and time.monotonic() < end:
        look()
        if time.monotonic() - drawn >= _DRAW_S:
            drawn = time.monotonic()
            draw()
        time.sleep(_LOOK_S)


def _say(console: Console, who: str, event: SourceEvent) -> None:
    detail = f", {event.detail}" if event.detail else ""
    console.print(f"{who}: {event.kind}{detail}", markup=False, highlight=False, soft_wrap=True)
