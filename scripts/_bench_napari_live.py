"""The part "live" of bench_napari.py: painted frames, event latency, and the engine's latency."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

SHAPE_HW = (480, 640)
_FRAMES = 120
_RATE_HZ = 30.0
_WARM_S = 3.0
_POST_S = 0.02


def bench_live(models: tuple[Path, ...], seconds: float, rounds: int, engine: str) -> None:
    """Print, alternating with and without a window, what each round measures; then medians.

    The source plays simulated frames of 640x480 from memory at 30 Hz, so that the simulation's own
    work is not measured. The window is 1280x800, both pictures side by side with masks and names.
    """
    from sonotempo import __version__  # noqa: PLC0415

    recording = simulated()
    print(f"sonotempo {__version__}, models: {', '.join(path.name for path in models)}")
    print("latency: from capture to the masks being ready, p50 / p95 ms")
    without: list[dict[str, float]] = []
    with_window: list[dict[str, float]] = []
    for number in range(rounds):
        without.append(engine_alone(recording, models, seconds, engine))
        with_window.append(in_window(recording, models, seconds, engine))
        _print(f"round {number + 1}", without[-1], with_window[-1])
    _print("median", _median(without), _median(with_window))


def _print(what: str, alone: dict[str, float], window: dict[str, float]) -> None:
    growth = window["p50"] / max(alone["p50"], 1e-9) - 1
    print(
        f"{what:8} engine alone {alone['fps']:5.1f} frames/s, {alone['p50']:5.1f} / "
        f"{alone['p95']:5.1f} ms;  in the window {window['fps']:5.1f} frames/s, "
        f"{window['p50']:5.1f} / {window['p95']:5.1f} ms ({growth:+.0%});  painted "
        f"{window['painted']:5.1f} frames/s;  events p50 {window['event p50']:5.1f}, "
        f"p95 {window['event p95']:5.1f} ms;  window's thread {window['cpu']:.1f} ms a frame",
        flush=True,
    )


def _median(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.median([one[key] for one in rounds])) for key in rounds[0]}


def simulated() -> Any:
    """Return a recording of simulated frames in memory."""
    from pathlib import Path  # noqa: PLC0415

    from sonotempo.live.buffer.ring_buffer import RingBuffer  # noqa: PLC0415
    from sonotempo.live.sources.simulated import SimulatedSource  # noqa: PLC0415
    from sonotempo.recording import Recording  # noqa: PLC0415
    from sonotempo.structures import AXILLARY  # noqa: PLC0415

    source = SimulatedSource("axillary")
    images, spacing = [], None
    with RingBuffer(_FRAMES, 1, *SHAPE_HW) as buffer, buffer.reader() as reader:
        source.start(buffer)
        while len(images) < _FRAMES:
            streamed = reader.next()
            if streamed is None:
                reader.wait(0.1)
                continue
            images.append(streamed.frame.image_HW)
            spacing = streamed.frame.spacing_mm
        source.stop()
    return Recording(
        source=Path("simulated"),
        subject="simulated",
        name="simulated",
        images=np.stack(images),
        timestamps_ns=(np.arange(_FRAMES) * 1e9 / _RATE_HZ).astype(np.int64),
        structures=AXILLARY,
        spacing_mm=spacing,
    )


def _request(recording: Any, models: tuple[Path, ...], engine: str) -> Any:
    from napari_sonotempo.live.session import LiveRequest  # noqa: PLC0415
    from sonotempo.live.sources.playback import PlaybackSource  # noqa: PLC0415

    return LiveRequest(
        "simulated", lambda: PlaybackSource(recording, loop=True), models, engine=engine
    )


def _counted(session: Any, seconds: float) -> dict[str, float]:
    """Sum up the last seconds of a session."""
    from sonotempo.live.stream_statistics import Timing  # noqa: PLC0415

    numbers = session.pipeline.history.numbers()
    results = [session.pipeline.history.get(number) for number in numbers]
    now_ns = time.monotonic_ns()
    latencies_ns = [
        result.ready_ns - result.captured_ns
        for result in results
        if result is not None and now_ns - result.ready_ns < seconds * 1e9
    ]
    timing = Timing.of(np.array(latencies_ns, np.int64))
    return {"fps": timing.count / seconds, "p50": timing.p50_ms, "p95": timing.p95_ms}


def engine_alone(
    recording: Any, models: tuple[Path, ...], seconds: float, engine: str
) -> dict[str, float]:
    """Run the same session without a window."""
    from napari_sonotempo.live.session import LiveSession  # noqa: PLC0415

    session = LiveSession(_request(recording, models, engine))
    try:
        time.sleep(_WARM_S + seconds)
        return _counted(session, seconds)
    finally:
        session.close()


def in_window(
    recording: Any, models: tuple[Path, ...], seconds: float, engine: str
) -> dict[str, float]:
    """Run it in the widget; count what is really painted, and how late events are."""
    import napari  # noqa: PLC0415
    from qtpy.QtCore import QEventLoop, QTimer  # noqa: PLC0415
    from qtpy.QtWidgets import QOpenGLWidget  # noqa: PLC0415

    from napari_sonotempo.live.view import ViewStyle  # noqa: PLC0415
    from napari_sonotempo.live.widget import LiveWidget  # noqa: PLC0415

    viewer = napari.Viewer(show=True)
    widget = LiveWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Live comparison")
    viewer.window.resize(1280, 800)
    link = widget.link
    link.set_style(ViewStyle(view="side"))
    widget.transport.loop.setChecked(True)

    def run(seconds: float) -> None:
        loop = QEventLoop()
        QTimer.singleShot(round(seconds * 1000), loop.quit)
        loop.exec()

    painted: list[int] = []

    def count() -> None:
        if link.shown is not None and (not painted or painted[-1] != link.shown.frame.index):
            painted.append(link.shown.frame.index)

    for canvas in widget.window().findChildren(QOpenGLWidget):
        canvas.frameSwapped.connect(count)
    link.start(_request(recording, models, engine))
    while link.shown is None:
        run(0.1)
    run(_WARM_S)
    painted.clear()
    cpu_s = time.thread_time()
    with _Events() as events:
        run(seconds)
    cpu_s = time.thread_time() - cpu_s
    session = link.session
    found = _counted(session, seconds)
    found["painted"] = len(painted) / seconds
    found["cpu"] = cpu_s * 1e3 / max(1, len(painted))
    found["event p50"], found["event p95"] = np.percentile(events.delays_ms, (50, 95)).tolist()
    widget.cleanup()
    viewer.close()
    run(0.2)
    return found


class _Events:
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
        while not self._stopping.wait(_POST_S):
            self._post.posted.emit(time.perf_counter())

    def __enter__(self) -> _Events:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
