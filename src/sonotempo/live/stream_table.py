"""The statistics of a stream as a table for the terminal."""

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from sonotempo.live.history import StepResult
from sonotempo.live.pipeline import Pipeline
from sonotempo.live.stream_statistics import PipelineStatistics, Timing


def stream_table(title: str, pipeline: Pipeline) -> RenderableType:
    """Draw the present statistics of a pipeline."""
    statistics = pipeline.statistics()
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    facts.add_row("source", escape(title))
    for predictor in pipeline.predictors:
        card = predictor.model
        note = f" ({card.note})" if card.note else ""
        facts.add_row("model", escape(f"{card.name}{note}: {predictor.engine}"))
    facts.add_row("state", f"{_state(pipeline)}, {statistics.seconds:.1f} s")
    facts.add_row("picture", _picture(pipeline.newest()))
    facts.add_row("frames a second", f"{statistics.fps_in:.1f} in, {statistics.fps_out:.1f} out")
    facts.add_row("frames", _frames(statistics))
    facts.add_row("resets", _resets(statistics))
    return Group(facts, "", _times(statistics))


def _state(pipeline: Pipeline) -> str:
    return f"{pipeline.state}, late" if pipeline.is_stale() else pipeline.state


def _picture(newest: StepResult | None) -> str:
    if newest is None:
        return "none yet"
    height, width = newest.frame.image_HW.shape
    spacing_mm = newest.frame.spacing_mm
    spacing = f"{spacing_mm[0]:.3f}x{spacing_mm[1]:.3f} mm" if spacing_mm else "unknown size"
    return f"{height}x{width} pixels (rows x columns) of {spacing}"


def _frames(statistics: PipelineStatistics) -> str:
    return (
        f"{statistics.captured} captured, {statistics.segmented} segmented, "
        f"{statistics.skipped} skipped, {statistics.overruns} overrun, {statistics.waiting} waiting"
    )


def _resets(statistics: PipelineStatistics) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in statistics.resets.items()) or "none"


def _times(statistics: PipelineStatistics) -> Table:
    """Milliseconds by stage, each model's inference below the sum."""
    table = Table(title=f"milliseconds, the last {statistics.latency.count} frames")
    table.add_column("stage")
    for name in ("mean", "p50", "p95", "p99", "state age"):
        table.add_column(name, justify="right")
    for name, timing in statistics.stages.items():
        table.add_row(name, *_cells(timing), "")
        if name == "inference":
            for one in statistics.predictors:
                table.add_row(f"  {escape(one.model)}", *_cells(one.inference), str(one.state_age))
    table.add_section()
    table.add_row("capture to ready", *_cells(statistics.latency), "")
    return table


def _cells(timing: Timing) -> tuple[str, ...]:
    times_ms = (timing.mean_ms, timing.p50_ms, timing.p95_ms, timing.p99_ms)
    return tuple(f"{time_ms:.2f}" for time_ms in times_ms)
