"""Between the engine and the window: one GUI timer pulls, and all that runs belongs to this object.

It alone owns the session (source, models, pipeline, recorder), the jobs, the layers and the timer;
:meth:`LiveLink.cleanup` ends all of it. Threads never touch a widget or a layer.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from qtpy.QtCore import QCoreApplication, QObject, QTimer, Signal

from napari_sonotempo.live.health import STALE_LIMIT_MS, health_of
from napari_sonotempo.live.hold import Held, hold
from napari_sonotempo.live.layers import LiveLayers
from napari_sonotempo.live.overlays import LiveOverlays, depth_words
from napari_sonotempo.live.session import LiveRequest, LiveSession, closed_quietly
from napari_sonotempo.live.snapshot import new_name, write_snapshot
from napari_sonotempo.live.view import ViewStyle
from napari_sonotempo.shared.jobs import Jobs
from napari_sonotempo.shared.messages import Level
from sonotempo.errors import SonotempoError
from sonotempo.live.history import StepResult
from sonotempo.live.sources.source import Command, SourceEvent

State = Literal["stopped", "starting", "live", "frozen", "stopping"]

_PERIOD_MS = 33
_LEAST_PAUSE_MS = 8  # between two ticks, for clicks and the engine
_HEALTH_S = 0.5
_CLEANUP_S = 3.0
_BROKEN = frozenset({"disconnected", "crashed"})
_SAID = frozenset({"error", "disconnected", "crashed", "restarted", "ended"})


class LiveLink(QObject):
    """Starts, draws, freezes, records and stops one stream at a time.

    Args:
        viewer: where it is drawn.
    """

    state_changed = Signal(str)
    said = Signal(str, str)  # Level, sentence
    health_changed = Signal(object)  # Health
    held_changed = Signal(int)  # how many frames can be scrubbed through
    position_changed = Signal(int)  # in them
    recording_changed = Signal(bool)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._state: State = "stopped"
        self._session: LiveSession | None = None
        self._layers: LiveLayers | None = None
        self._overlays = LiveOverlays(viewer)
        self._style = ViewStyle()
        self._held: Held | None = None
        self._position = 0
        self._is_connected = True
        self._drawn: deque[float] = deque(maxlen=60)
        self._health_at = 0.0
        self._is_gone = False
        self._to_start: LiveRequest | None = None
        self.jobs = Jobs()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._tick)
        self._timer.start(_PERIOD_MS)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.cleanup)

    @property
    def state(self) -> State:
        """What it is doing."""
        return self._state

    @property
    def session(self) -> LiveSession | None:
        """What is running, if anything."""
        return self._session

    @property
    def shown(self) -> StepResult | None:
        """The result that is drawn now."""
        return self._layers.shown if self._layers is not None else None

    @property
    def is_recording(self) -> bool:
        """Whether frames are being recorded."""
        return self._session is not None and self._session.recorder is not None

    @property
    def drawn_per_s(self) -> float:
        """Frames a second that were drawn lately."""
        now = time.monotonic()
        return sum(1 for at in self._drawn if now - at < 2.0) / 2.0

    # --- start and stop ---------------------------------------------------------------------

    def start(self, request: LiveRequest) -> None:
        """Open source and models in the background, then draw what comes."""
        if self._state == "stopping":
            self._to_start = request
            return
        if self._state != "stopped":
            return
        self._set_state("starting")

        def open_session(tell: Callable[..., None], cancelled: threading.Event) -> None:
            session = LiveSession(request)
            if cancelled.is_set():
                session.close()
            else:
                tell(self._begin, session)

        self.jobs.follow("start", open_session, self._not_started, must_end=True)

    def stop(self) -> None:
        """End the stream in the background; the last picture stays."""
        if self._session is None:
            return
        session, self._session = self._session, None
        if session.recorder is not None:
            self.recording_changed.emit(False)
        self._held = None
        self.held_changed.emit(0)
        self._set_state("stopping")
        self._overlays.write("stopped", is_warning=False)
        self.jobs.run(
            "stop", lambda: closed_quietly(session), self._ended, self._ended, must_end=True
        )

    def cleanup(self) -> None:
        """End everything for good; may be called twice.

        What hangs is waited for in a thread that ends by itself, not here.
        """
        if self._is_gone:
            return
        self._is_gone = True
        self._timer.stop()
        if self._session is not None:
            session, self._session = self._session, None
            self.jobs.run("stop", lambda: closed_quietly(session), _nobody, _nobody, must_end=True)
        self._held = None
        self.jobs.cancel(_CLEANUP_S)
        self.jobs.poll()  # a session that was being opened is closed by _begin
        self.jobs.cancel(_CLEANUP_S)
        self._layers = None
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.disconnect(self.cleanup)

    def remove_layers(self) -> None:
        """Take the pictures out of a viewer that stays open."""
        if self._layers is not None:
            self._layers.remove()
            self._layers = None
        self._overlays.end()

    def _begin(self, session: LiveSession) -> None:
        if self._is_gone:
            self.jobs.run("stop", lambda: closed_quietly(session), _nobody, _nobody, must_end=True)
            return
        if self._layers is not None:
            self._layers.remove()
        self._session = session
        self._layers = LiveLayers(self._viewer, session.structures, session.names)
        self._layers.set_style(self._style)
        self._is_connected = True
        self._drawn.clear()
        self._overlays.begin()
        self._overlays.write("waiting for the first frame", is_warning=False)
        self._set_state("live")

    def _not_started(self, sentence: str) -> None:
        if not self._is_gone:
            self.said.emit("error", sentence)
            self._set_state("stopped")

    def _ended(self, what_hangs: str) -> None:
        if self._is_gone:
            return
        if what_hangs:
            self.said.emit("error", what_hangs)
        self._set_state("stopped")
        request, self._to_start = self._to_start, None
        if request is not None:
            self.start(request)

    def _set_state(self, state: State) -> None:
        self._state = state
        self.state_changed.emit(state)

    # --- the timer --------------------------------------------------------------------------

    def _tick(self) -> None:
        began = time.perf_counter()
        try:
            self.jobs.poll()
            if self._session is not None and self._layers is not None:
                self._pull(self._session, self._layers)
        finally:
            if not self._is_gone:
                spent_ms = (time.perf_counter() - began) * 1e3
                self._timer.start(max(_LEAST_PAUSE_MS, round(_PERIOD_MS - spent_ms)))

    def _pull(self, session: LiveSession, layers: LiveLayers) -> None:
        """Hear what happened and draw the newest result, if it is another one."""
        pipeline = session.pipeline
        for event in pipeline.events():
            self._hear(event, session, layers)
        self._watch_recorder(session)
        if pipeline.error is not None:
            self.said.emit("error", f"{pipeline.error}. Choose another model and start again.")
            layers.clear_masks()
            self.stop()
            return
        newest = pipeline.newest()
        if self._state == "live":
            shown = layers.shown
            is_new = newest is not None and (
                shown is None or newest.frame.index != shown.frame.index
            )
            if newest is not None and is_new and self._is_connected:
                layers.show(newest, in_a_hurry=True)
                self._drawn.append(time.monotonic())
            self._mark(session, layers)
        now = time.monotonic()
        if now - self._health_at > _HEALTH_S:
            self._health_at = now
            self.health_changed.emit(health_of(session, self.drawn_per_s))

    def _hear(self, event: SourceEvent, session: LiveSession, layers: LiveLayers) -> None:
        if session.recorder is not None:
            session.recorder.note(event)
        if event.kind in _BROKEN:
            self._is_connected = False
            if self._state == "live":
                layers.clear_masks()
        elif event.kind in ("connected", "running"):
            self._is_connected = True
        if event.kind in _SAID:
            level: Level = "error" if event.kind in ("error", "crashed") else "info"
            detail = f": {event.detail}" if event.detail else ""
            self.said.emit(level, f"{event.kind}{detail}")

    def _mark(self, session: LiveSession, layers: LiveLayers) -> None:
        """Say on the canvas what is shown, and mark it if it is not what happens now."""
        shown, state = layers.shown, session.source.state
        if not self._is_connected or state in ("disconnected", "connecting"):
            words = "waiting for the source" if shown is None else f"NOT LIVE: {state}"
            self._overlays.write(words, is_warning=True)
            return
        if shown is None:
            return
        depth = depth_words(shown)
        age_ms = shown.age_ms(time.monotonic_ns())
        if state in ("frozen", "ended", "stopped"):
            self._overlays.write(f"{state}   {depth}", is_warning=False)
        elif age_ms > STALE_LIMIT_MS or session.pipeline.is_stale():
            self._overlays.write(f"STALE {age_ms / 1000:.1f} s   {depth}", is_warning=True)
        else:
            self._overlays.write(f"live   {depth}", is_warning=False)

    def _watch_recorder(self, session: LiveSession) -> None:
        if session.recorder is None:
            return
        for event in session.recorder.events():
            self.said.emit("error", event.detail)
        if session.recorder.problem is not None:
            self.stop_recording()

    # --- what the user does -----------------------------------------------------------------

    def set_style(self, style: ViewStyle) -> None:
        """Draw in another way from now on."""
        self._style = style
        if self._layers is not None:
            self._layers.set_style(style)

    def toggle_freeze(self) -> None:
        """Hold the picture to look back, or go on."""
        if self._state == "frozen":
            self._go_on()
        elif self._state == "live" and self._session is not None and self.shown is not None:
            session, last = self._session, self.shown.frame.index
            playback = session.playback
            if playback is not None and playback.state == "ended":
                playback.resume()
                return
            if playback is not None:
                playback.pause()
            self._set_state("frozen")
            self._overlays.write("FROZEN", is_warning=True)

            def held() -> Held:
                with session.buffer.reader() as reader:
                    return hold(reader, session.pipeline.history, last)

            self.jobs.run("freeze", held, self._hold, lambda why: self.said.emit("error", why))

    def _hold(self, held: Held) -> None:
        if self._state == "frozen" and held.results:
            self._held = held
            self._position = len(held.results) - 1
            self.held_changed.emit(len(held.results))
            self.show_held(self._position)

    def _go_on(self) -> None:
        self._held = None
        self.held_changed.emit(0)
        self._set_state("live")
        if self._session is not None and self._session.playback is not None:
            self._session.playback.resume()

    def show_held(self, position: int) -> None:
        """While frozen, show one of the frames of the last seconds."""
        if self._held is None or self._layers is None:
            return
        self._position = min(max(0, position), len(self._held.results) - 1)
        result = self._held.results[self._position]
        self._layers.show(result)
        back = self._held.seconds_back(self._position)
        words = f"FROZEN  −{back:.2f} s   frame {result.frame.index}   {depth_words(result)}"
        self._overlays.write(words, is_warning=True)
        self.position_changed.emit(self._position)

    def step(self, by: int) -> None:
        """Freeze if need be, or go to a frame before or after while frozen."""
        if self._state == "live":
            self.toggle_freeze()
        elif self._held is not None:
            self.show_held(self._position + by)

    def send(self, command: Command) -> None:
        """Turn depth or gain at the source, or freeze it."""
        if self._session is not None:
            try:
                self._session.source.send(command)
            except SonotempoError as error:
                self.said.emit("warning", str(error))

    def record(self, folder: Path) -> None:
        """Begin to record, or stop it."""
        if self.is_recording:
            self.stop_recording()
            return
        if self._session is None:
            self.said.emit("warning", "Nothing is running that could be recorded: press Start.")
            return
        path = folder / f"{new_name('recording')}.mkv"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._session.record(path)
        except OSError as error:
            self.said.emit(
                "error",
                f"{folder} cannot be made ({error.strerror or error}); choose another folder",
            )
        except SonotempoError as error:
            self.said.emit("error", str(error))
        else:
            self.recording_changed.emit(True)
            self.said.emit("info", f"recording to {path}")

    def stop_recording(self) -> None:
        """Finish the recording in the background: nothing that came is lost."""
        session = self._session
        if session is None or session.recorder is None:
            return
        recorder, session.recorder = session.recorder, None
        self.recording_changed.emit(False)

        def say(statistics: Any) -> None:
            if recorder.problem is None and not self._is_gone:
                self.said.emit("info", f"{statistics.frames} frames recorded to {recorder.path}")

        self.jobs.run(
            "recording", recorder.stop, say, lambda why: self.said.emit("error", why), must_end=True
        )

    def snapshot(self, folder: Path) -> None:
        """Write what is seen, with its frame and masks, to files."""
        shown, session = self.shown, self._session
        if shown is None or session is None:
            self.said.emit("warning", "There is no picture yet: press Start.")
            return
        view_HW4 = self._viewer.screenshot(canvas_only=True, flash=False)
        names, structures = session.names, session.structures
        facts = {"source": session.title, "notes": list(session.notes)}
        self.jobs.run(
            "snapshot",
            lambda: write_snapshot(folder, view_HW4, shown, names, structures, facts),
            lambda place: self.said.emit("info", f"snapshot in {place}"),
            lambda why: self.said.emit("error", why),
            must_end=True,
        )


def _nobody(_: object) -> None:
    """Hear a result that nobody waits for any more."""
