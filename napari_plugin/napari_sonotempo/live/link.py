"""Connects the engine with the window: one GUI timer pulls results and draws them.

The link owns the session (source, models, pipeline, recorder), the jobs, the layers and the
timer; :meth:`LiveLink.cleanup` ends all of them. Threads never touch a widget or a layer.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from qtpy.QtCore import QCoreApplication, QObject, QTimer, Signal

from napari_sonotempo.live.health import health_of
from napari_sonotempo.live.layers import LiveLayers
from napari_sonotempo.live.overlays import LiveOverlays, depth_words
from napari_sonotempo.live.session import (
    WINDOW_TITLE,
    LiveRequest,
    LiveSession,
    closed_quietly,
)
from napari_sonotempo.live.snapshot import new_name, write_snapshot
from napari_sonotempo.live.view import ViewStyle
from napari_sonotempo.shared.jobs import Jobs
from sonotempo.errors import SonotempoError
from sonotempo.live.history import StepResult
from sonotempo.live.recording.recorder import RecorderStatistics
from sonotempo.live.sources.source import Command, SourceEvent

State = Literal["stopped", "starting", "live", "frozen", "stopping"]

_PERIOD_MS = 33
_LEAST_PAUSE_MS = 8  # between two ticks, for clicks and the engine
_HEALTH_S = 0.5
_CLEANUP_S = 3.0
_DISCONNECTED = frozenset({"disconnected", "crashed"})
_REPORTED = frozenset({"error", "disconnected", "crashed", "restarted", "ended"})


class LiveLink(QObject):
    """Starts, draws, freezes, records and stops one stream at a time.

    Args:
        viewer: draws the stream.
    """

    state_changed = Signal(str)
    said = Signal(str, str)  # Level, sentence
    health_changed = Signal(object)  # Health
    held_changed = Signal(int)  # how many frames the user can look back through
    position_changed = Signal(int)  # in these frames
    recording_changed = Signal(bool)
    layers_changed = Signal()  # the viewer's layers, not only those of the stream

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self.state: State = "stopped"
        self.session: LiveSession | None = None  # what is running, if anything
        self._layers: LiveLayers | None = None
        self._overlays = LiveOverlays(viewer)
        self._style = ViewStyle()
        self._held: tuple[StepResult, ...] = ()
        self._position = 0
        self._is_connected = True
        self._drawn: deque[float] = deque(maxlen=60)
        self._health_at = 0.0
        self._is_gone = False
        self.jobs = Jobs()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._tick)
        self._timer.start(_PERIOD_MS)
        viewer.layers.events.inserted.connect(self._note_layers)
        viewer.layers.events.removed.connect(self._note_layers)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.cleanup)

    @property
    def shown(self) -> StepResult | None:
        """The result that is drawn now."""
        return self._layers.shown if self._layers is not None else None

    @property
    def is_recording(self) -> bool:
        """Whether frames are being recorded."""
        return self.session is not None and self.session.recorder is not None

    # --- start and stop ---------------------------------------------------------------------

    def start(self, request: LiveRequest) -> None:
        """Open source and models in the background, then draw the stream."""
        if self.state != "stopped":
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
        if self.session is None:
            return
        session, self.session = self.session, None
        if session.recorder is not None:
            self.recording_changed.emit(False)
        self._forget_held()
        self._set_state("stopping")
        self._overlays.write("stopped")
        self._close(session)

    def cleanup(self) -> None:
        """End everything, and remove from the viewer what the stream added; may be called twice.

        A source that hangs is waited for in a thread that ends by itself, not here.
        """
        if self._is_gone:
            return
        self._is_gone = True
        self._timer.stop()
        self._viewer.layers.events.inserted.disconnect(self._note_layers)
        self._viewer.layers.events.removed.disconnect(self._note_layers)
        if self.session is not None:
            session, self.session = self.session, None
            self._close(session)
        self._held = ()
        self.jobs.cancel(_CLEANUP_S)
        self.jobs.poll()  # a session that was being opened is closed by _begin
        self.jobs.cancel(_CLEANUP_S)
        if self._layers is not None:
            self._layers.remove()
            self._layers = None
        self._overlays.end()
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.disconnect(self.cleanup)

    def _begin(self, session: LiveSession) -> None:
        if self._is_gone:
            self._close(session)
            return
        if self._layers is not None:
            self._layers.remove()
        self.session = session
        if str(self._viewer.title).startswith(WINDOW_TITLE):  # not a window of the user's own
            self._viewer.title = f"{WINDOW_TITLE}{session.title}"
        self._layers = LiveLayers(self._viewer, session.structures, session.names)
        self._layers.set_style(self._style)
        self._is_connected = True
        self._drawn.clear()
        self._overlays.begin()
        self._overlays.write("waiting for the first frame")
        self._set_state("live")

    def _not_started(self, sentence: str) -> None:
        if not self._is_gone:
            self._report_error(sentence)
            self._set_state("stopped")

    def _close(self, session: LiveSession) -> None:
        self.jobs.run(
            "stop", lambda: closed_quietly(session), self._ended, self._ended, must_end=True
        )

    def _ended(self, problem: str) -> None:
        if self._is_gone:
            return
        if problem:
            self._report_error(problem)
        self._set_state("stopped")

    def _set_state(self, state: State) -> None:
        self.state = state
        self.state_changed.emit(state)

    def _report_error(self, sentence: str) -> None:
        self.said.emit("error", sentence)

    def _note_layers(self, _: object) -> None:
        self.layers_changed.emit()

    # --- the timer --------------------------------------------------------------------------

    def _tick(self) -> None:
        began = time.perf_counter()
        try:
            self.jobs.poll()
            if self.session is not None and self._layers is not None:
                self._pull(self.session, self._layers)
        finally:
            if not self._is_gone:
                spent_ms = (time.perf_counter() - began) * 1e3
                self._timer.start(max(_LEAST_PAUSE_MS, round(_PERIOD_MS - spent_ms)))

    def _pull(self, session: LiveSession, layers: LiveLayers) -> None:
        """Report events, and draw the newest result if it is not drawn yet."""
        pipeline = session.pipeline
        for event in pipeline.events():
            self._handle(event, session, layers)
        if session.recorder is not None:
            for event in session.recorder.events():
                self._report_error(event.detail)
            if session.recorder.problem is not None:
                self.stop_recording()
        if pipeline.error is not None:
            self._report_error(f"{pipeline.error}. Choose another model and start again.")
            layers.clear_masks()
            self.stop()
            return
        now = time.monotonic()
        if self.state == "live":
            newest, shown = pipeline.newest(), layers.shown
            drawn = None if shown is None else shown.frame.index
            if newest is not None and newest.frame.index != drawn and self._is_connected:
                layers.show(newest, in_a_hurry=True)
                self._drawn.append(now)
            self._overlays.mark(
                layers.shown,
                session.source.state,
                is_connected=self._is_connected,
                is_late=pipeline.is_stale(),
            )
        if now - self._health_at > _HEALTH_S:
            self._health_at = now
            drawn_per_s = sum(1 for at in self._drawn if now - at < 2.0) / 2.0
            self.health_changed.emit(health_of(session, drawn_per_s))

    def _handle(self, event: SourceEvent, session: LiveSession, layers: LiveLayers) -> None:
        if session.recorder is not None:
            session.recorder.note(event)
        if event.kind in _DISCONNECTED:
            self._is_connected = False
            if self.state == "live":
                layers.clear_masks()
        elif event.kind in ("connected", "running"):
            self._is_connected = True
        if event.kind in _REPORTED:
            level = "error" if event.kind in ("error", "crashed") else "info"
            detail = f": {event.detail}" if event.detail else ""
            self.said.emit(level, f"{event.kind}{detail}")

    # --- looking back -----------------------------------------------------------------------

    def set_style(self, style: ViewStyle) -> None:
        """Change how the stream is drawn."""
        self._style = style
        if self._layers is not None:
            self._layers.set_style(style)

    def toggle_freeze(self) -> None:
        """Freeze the picture to look back, or resume; a recording that has ended plays again."""
        session, shown = self.session, self.shown
        if session is None or shown is None:
            return
        if self.state == "frozen":
            self._forget_held()
            self._set_state("live")
            if session.playback is not None:
                session.playback.resume()
        elif self.state == "live":
            if session.playback is not None and session.playback.state == "ended":
                session.playback.resume()
                return
            if session.playback is not None:
                session.playback.pause()
            self._set_state("frozen")
            self._overlays.write("FROZEN", is_warning=True)
            last = shown.frame.index
            self.jobs.run("freeze", lambda: session.hold(last), self._hold, self._report_error)

    def _hold(self, held: tuple[StepResult, ...]) -> None:
        if self.state == "frozen" and held:
            self._held = held
            self.held_changed.emit(len(held))
            self.show_held(len(held) - 1)

    def _forget_held(self) -> None:
        self._held = ()
        self.held_changed.emit(0)

    def show_held(self, position: int) -> None:
        """While frozen, show one of the frames of the last seconds."""
        if not self._held or self._layers is None:
            return
        self._position = min(max(0, position), len(self._held) - 1)
        result = self._held[self._position]
        self._layers.show(result)
        back_s = (self._held[-1].captured_ns - result.captured_ns) / 1e9
        words = f"FROZEN  −{back_s:.2f} s   frame {result.frame.index}   {depth_words(result)}"
        self._overlays.write(words, is_warning=True)
        self.position_changed.emit(self._position)

    def step(self, by: int) -> None:
        """Freeze a live stream, or move by some frames while frozen."""
        if self.state == "live":
            self.toggle_freeze()
        else:
            self.show_held(self._position + by)

    # --- commands, recording, snapshots -----------------------------------------------------

    def send(self, command: Command) -> None:
        """Change depth or gain at the source, or freeze it."""
        if self.session is not None:
            try:
                self.session.source.send(command)
            except SonotempoError as error:
                self.said.emit("warning", str(error))

    def record(self, folder: Path) -> None:
        """Start or stop a recording."""
        if self.is_recording:
            self.stop_recording()
            return
        if self.session is None:
            self.said.emit("warning", "Nothing is running: press Start before you record.")
            return
        path = folder / f"{new_name('recording')}.mkv"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.session.record(path)
        except OSError as error:
            self._report_error(
                f"{folder} cannot be created ({error.strerror or error}); choose another folder"
            )
        except SonotempoError as error:
            self._report_error(str(error))
        else:
            self.recording_changed.emit(True)
            self.said.emit("info", f"recording to {path}")

    def stop_recording(self) -> None:
        """Finish the recording in the background; no frame received so far is lost."""
        session = self.session
        if session is None or session.recorder is None:
            return
        recorder, session.recorder = session.recorder, None
        self.recording_changed.emit(False)

        def report(statistics: RecorderStatistics) -> None:
            if recorder.problem is None and not self._is_gone:
                self.said.emit("info", f"{statistics.frames} frames recorded to {recorder.path}")

        self.jobs.run("recording", recorder.stop, report, self._report_error, must_end=True)

    def snapshot(self, folder: Path) -> None:
        """Write the view, its frame and its masks to files."""
        shown, session = self.shown, self.session
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
            self._report_error,
            must_end=True,
        )
