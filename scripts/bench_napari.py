"""Measure the live comparison in a real napari window: painting, latency and responsiveness.

    python scripts/bench_napari.py
    python scripts/bench_napari.py --model a.onnx --model b.onnx
    python scripts/bench_napari.py --memory-minutes 10

On Linux without a screen: ``xvfb-run -a python scripts/bench_napari.py``. The source plays
simulated frames of 640x480 from memory at 30 Hz, so that the simulation's own work is not measured.
The window is 1280x800, both pictures side by side with masks and names. Rounds with and without a
window alternate. Latency is from capture to the masks being ready. ``--memory-minutes`` instead
prints the window's memory every half a minute, while views change and the picture is frozen for
half a minute in every two.
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from _window import open_viewer, settings_apart, wait, wait_for
from sonotempo import __version__

if TYPE_CHECKING:
    from napari_sonotempo.live.session import LiveRequest, LiveSession
    from sonotempo.recording import Frame, Recording

SHAPE_HW = (480, 640)
FRAMES = 120
RATE_HZ = 30.0
WARM_UP_S = 3.0
POST_S = 0.02
HALF_MINUTE_S = 30.0


def main() -> None:
    """Measure in rounds; print each and their medians."""
    from sonotempo.live.models.ready import models_for_source  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, action="append", help="an .onnx file; twice for two")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="each with and without a window")
    parser.add_argument("--engine", default="auto", help="as `sonotempo live` takes it")
    parser.add_argument("--memory-minutes", type=float, help="follow the memory instead")
    given = parser.parse_args()
    models = tuple(given.model or models_for_source("phantom://axillary"))
    request = looped(simulated(), models, given.engine)
    print(f"sonotempo {__version__}, models: {', '.join(path.name for path in models)}")
    print("latency: p50 / p95 ms")
    if given.memory_minutes:
        with settings_apart():
            follow_memory(request, given.memory_minutes)
        return
    alone: list[dict[str, float]] = []
    window: list[dict[str, float]] = []
    with settings_apart():
        for number in range(given.rounds):
            alone.append(engine_alone(request, given.seconds))
            window.append(in_window(request, given.seconds))
            show(f"round {number + 1}", alone[-1], window[-1])
    show("median", medians(alone), medians(window))


def follow_memory(request: LiveRequest, minutes: float) -> None:
    """Print the resident memory of the window's process while it is used."""
    import psutil  # noqa: PLC0415

    from napari_sonotempo.live.widget import LiveWidget  # noqa: PLC0415
    from napari_sonotempo.shared.docks import main_window_of  # noqa: PLC0415

    viewer = open_viewer()
    widget = LiveWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Live comparison")
    widget.playback_box.loop.setChecked(True)
    widget.link.start(request, main_window_of(widget))
    act, own = widget.actions_by_name, psutil.Process()
    began = time.monotonic()
    for look in range(round(minutes * 2) + 1):
        megabytes = own.memory_info().rss / 1e6
        state = widget.link.state
        print(f"{time.monotonic() - began:5.0f} s  {megabytes:7.1f} MB  {state}", flush=True)
        if look % 4 == 1:
            act["next view"]()
        elif look % 4 in (2, 3):
            act["freeze"]()
        wait(HALF_MINUTE_S)
    widget.cleanup()
    viewer.close()


def show(what: str, alone: dict[str, float], window: dict[str, float]) -> None:
    """Print one line of figures."""
    growth = window["p50"] / max(alone["p50"], 1e-9) - 1
    print(
        f"{what:8} engine alone {alone['fps']:5.1f} frames/s, {alone['p50']:5.1f} / "
        f"{alone['p95']:5.1f} ms;  in the window {window['fps']:5.1f} frames/s, "
        f"{window['p50']:5.1f} / {window['p95']:5.1f} ms ({growth:+.0%});  painted "
        f"{window['painted']:5.1f} frames/s;  events p50 {window['event p50']:5.1f}, "
        f"p95 {window['event p95']:5.1f} ms;  window's thread {window['cpu']:.1f} ms a frame",
        flush=True,
    )


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure over the rounds."""
    return {key: float(np.median([one[key] for one in rounds])) for key in rounds[0]}


def simulated() -> Recording:
    """Return a recording of frames that the simulated stream gives, in memory."""
    from sonotempo.live.buffer.ring_buffer import RingBuffer  # noqa: PLC0415
    from sonotempo.live.sources.simulated import SimulatedSource  # noqa: PLC0415
    from sonotempo.recording import Recording  # noqa: PLC0415
    from sonotempo.structures import AXILLARY  # noqa: PLC0415

    source = SimulatedSource("axillary")
    frames: list[Frame] = []
    with RingBuffer(FRAMES, 1, *SHAPE_HW) as buffer, buffer.reader() as reader:
        source.start(buffer)
        while len(frames) < FRAMES:
            reader.wait(0.1)
            while (streamed := reader.next()) is not None:
                frames.append(streamed.frame)
        source.stop()
    return Recording(
        source=Path("simulated"),
        subject="simulated",
        name="simulated",
        images=np.stack([frame.image_HW for frame in frames]),
        timestamps_ns=(np.arange(len(frames)) * 1e9 / RATE_HZ).astype(np.int64),
        structures=AXILLARY,
        spacing_mm=frames[-1].spacing_mm,
    )


def looped(recording: Recording, models: tuple[Path, ...], engine: str) -> LiveRequest:
    """Return what the widget would be asked to open."""
    from napari_sonotempo.live.session import LiveRequest  # noqa: PLC0415
    from sonotempo.live.sources.playback import PlaybackSource  # noqa: PLC0415

    return LiveRequest(
        "simulated", lambda: PlaybackSource(recording, loop=True), models, engine=engine
    )


def latencies(session: LiveSession, seconds: float) -> dict[str, float]:
    """Return frames a second and latencies over the last seconds of a session."""
    from sonotempo.live.stream_statistics import Timing  # noqa: PLC0415

    history, now_ns = session.pipeline.history, time.monotonic_ns()
    results = [history.get(number) for number in history.numbers()]
    latencies_ns = [
        result.ready_ns - result.captured_ns
        for result in results
        if result is not None and now_ns - result.ready_ns < seconds * 1e9
    ]
    timing = Timing.of(np.array(latencies_ns, np.int64))
    return {"fps": timing.count / seconds, "p50": timing.p50_ms, "p95": timing.p95_ms}


def engine_alone(request: LiveRequest, seconds: float) -> dict[str, float]:
    """Measure the session without a window."""
    from napari_sonotempo.live.session import LiveSession  # noqa: PLC0415

    session = LiveSession(request)
    try:
        session.open_models()
        time.sleep(WARM_UP_S + seconds)
        return latencies(session, seconds)
    finally:
        session.close()


def in_window(request: LiveRequest, seconds: float) -> dict[str, float]:
    """Measure it in the widget; count what is really painted, and how late events arrive."""
    from napari_sonotempo.live.view import ViewStyle  # noqa: PLC0415
    from napari_sonotempo.live.widget import LiveWidget  # noqa: PLC0415
    from napari_sonotempo.shared.docks import main_window_of  # noqa: PLC0415

    viewer = open_viewer()
    widget = LiveWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Live comparison")
    link = widget.link
    link.set_style(ViewStyle(view="side"))
    widget.playback_box.loop.setChecked(True)
    painted: list[int] = []

    def count(number: int) -> None:
        if not painted or painted[-1] != number:
            painted.append(number)

    link.stage.canvas.painted.connect(count)
    link.start(request, main_window_of(widget))
    wait_for(lambda: link.shown is not None and bool(link.shown.predictions), "masks")
    wait(WARM_UP_S)
    painted.clear()
    cpu_s = time.thread_time()
    with Events() as events:
        wait(seconds)
    cpu_s = time.thread_time() - cpu_s
    assert link.session is not None
    found = latencies(link.session, seconds)
    found["painted"] = len(painted) / seconds
    found["cpu"] = cpu_s * 1e3 / max(1, len(painted))
    found["event p50"], found["event p95"] = np.percentile(events.delays_ms, (50, 95)).tolist()
    widget.cleanup()
    viewer.close()
    wait(0.2)
    return found


class Events:
    """Posts an event to the GUI thread fifty times a second and notes how late it is heard."""

    def __init__(self) -> None:
        from qtpy.QtCore import QObject, Qt, Signal  # noqa: PLC0415

        class Post(QObject):
            posted = Signal(float)

        self.delays_ms: list[float] = []
        self._post = Post()
        self._post.posted.connect(self._hear, Qt.ConnectionType.QueuedConnection)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _hear(self, posted_s: float) -> None:
        self.delays_ms.append((time.perf_counter() - posted_s) * 1e3)

    def _run(self) -> None:
        while not self._stopping.wait(POST_S):
            self._post.posted.emit(time.perf_counter())

    def __enter__(self) -> Events:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()


if __name__ == "__main__":
    main()
