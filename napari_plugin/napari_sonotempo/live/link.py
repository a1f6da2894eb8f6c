"""Connects the engine with the window: one GUI timer pulls results and shows them.

The link owns the session (source, models, pipeline, recorder), the jobs, the stage and the timer;
:meth:`LiveLink.cleanup` ends all of them. Threads never touch a widget or a layer.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from qtpy.QtCore import QCoreApplication, QObject, QTimer, Signal
from qtpy.QtWidgets import QMainWindow

from napari_sonotempo.live.health import health_of
from napari_sonotempo.live.held_layers import held_layers
from napari_sonotempo.live.look_back import LookBack
from napari_sonotempo.live.opening import Opening
from napari_sonotempo.live.recordings import Recordings
from napari_sonotempo.live.scene import Verdict
from napari_sonotempo.live.screen import Screen
from napari_sonotempo.live.session import (
    WINDOW_TITLE,
    LiveRequest,
    LiveSession,
    closed_quietly,
)
from napari_sonotempo.live.sharing import Sharing
from napari_sonotempo.live.snapshot import write_snapshot
from napari_sonotempo.live.stage import Stage
from napari_sonotempo.live.verdict import frozen_verdict, live_verdict
from napari_sonotempo.live.view import ViewStyle
from napari_sonotempo.shared.jobs import Jobs
from sonotempo.errors import SonotempoError
from sonotempo.live.history import StepResult
from sonotempo.live.sources.address import source_name, without_places
from sonotempo.live.sources.source import Command, SourceEvent

State = Literal["stopped", "starting", "live", "frozen", "stopping"]

_PERIOD_MS = 16
_LEAST_PAUSE_MS = 4  # between two ticks, for clicks
_HEALTH_S = 0.5
_CANVAS_MS = 150
_CLEANUP_S = 3.0
_DISCONNECTED = frozenset({"disconnected", "crashed"})
_REPORTED = frozenset({"error", "disconnected", "crashed", "restarted", "ended", "framing"})


class LiveLink(QObject):
    """Starts, shows, freezes, records and stops one stream at a time.

    Args:
        viewer: the frozen frames become its layers, if the user wants that.
    """

    state_changed = Signal(str)
    said = Signal(str, str)  # Level, sentence
    health_changed = Signal(object)  # Health
    models_changed = Signal()  # other structures or names
    layers_changed = Signal()  # the viewer's layers
    frame_shown = Signal()  # another frame

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self.state: State = "stopped"
        self.session: LiveSession | None = None  # what is running, if anything
        self.stage = Stage()
        self.jobs = Jobs()
        self.recordings = Recordings(self.jobs)
        self.sharing = Sharing(self.jobs)
        self.screen = Screen(self.stage)
        self.look_back = LookBack()
        self._is_connected = True
        self._drawn: deque[float] = deque(maxlen=120)
        self._rates = ""
        self._health_at = 0.0
        self._began_at = 0.0
        self._opening: Opening | None = None
        self._next: tuple[LiveRequest, QMainWindow | None] | None = None
        self._is_gone = False
        self.recordings.said.connect(self.said)
        self.sharing.said.connect(self.said)
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
        """The result that is shown now."""
        return self.screen.shown

    @property
    def is_recording(self) -> bool:
        """Whether frames are being recorded."""
        return self.session is not None and self.session.recorder is not None

    # --- start and stop ---------------------------------------------------------------------

    def start(
        self,
        request: LiveRequest,
        window: QMainWindow | None = None,
        opening: Opening | None = None,
    ) -> None:
        """Open source and models in the background; pictures are shown before the models are ready.

        Args:
            request: what to open.
            window: in whose middle the picture is shown.
            opening: of the same request, if it has begun already.
        """
        is_taken = not self.stage.is_shown and Stage.is_taken(window)
        if is_taken:
            self._report_error(
                "Another live comparison is shown in this window. Stop it and press its Layers "
                "button, or open a second napari window."
            )
        if is_taken or self.state != "stopped":
            if opening is not None:
                self.jobs.run("stop", opening.close, lambda _: None, self._report_error)
            return
        self._began_at = time.monotonic()
        self.screen.clear()
        self.stage.show_in(window)
        self._set_state("starting")
        self._show_waiting()

        opening = opening or Opening(request)
        self._opening = opening

        def follow(tell: Callable[..., None], _: threading.Event) -> None:
            session = opening.session.result()
            tell(self._begin, session, opening)
            try:
                opening.models.result()
            except SonotempoError as error:
                tell(self._fail, session, str(error))
            else:
                tell(self._models_are_ready, session)

        self.jobs.follow("start", follow, self._not_started, must_end=True)

    def change_models(self, request: LiveRequest) -> None:
        """Use other models while the stream continues."""
        session = self.session
        if session is None:
            return
        self.said.emit("info", "The other models are being opened; the stream continues.")
        self.jobs.run(
            "models",
            lambda: session.open_models(request),
            lambda _: self._models_are_ready(session),
            self._report_error,
            must_end=True,
        )

    def stop(self) -> None:
        """End the stream, or its start, in the background; the last picture stays."""
        if self.state == "starting" and self._opening is not None:
            self._opening.cancel()
            self._opening = None
            self._set_state("stopping")
            self.screen.show(verdict=Verdict("STOPPING"))
            return
        if self.session is None:
            return
        session, self.session = self.session, None
        self.recordings.stream_ended(session)
        self.sharing.close()
        self.look_back.forget()
        self._set_state("stopping")
        self.screen.show(verdict=Verdict("STOPPED"), recording="")
        self._close(session)

    def restart(self, request: LiveRequest, window: QMainWindow | None) -> None:
        """End the stream, then start another one."""
        self._next = (request, window)
        self.stop()

    def cleanup(self) -> None:
        """End everything, and give the window back as it was; may be called twice.

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
        self.look_back.hold(())
        self.screen.clear()
        if self._opening is not None:
            self._opening.cancel()
        self.sharing.close()
        self.jobs.cancel(_CLEANUP_S)
        self.jobs.poll()  # a session that was being opened is closed by _begin
        self.jobs.cancel(_CLEANUP_S)
        self.stage.remove()
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.disconnect(self.cleanup)

    def _begin(self, session: LiveSession, opening: Opening) -> None:
        if self._is_gone or opening is not self._opening:  # cancelled meanwhile
            self._close(session)
            return
        self._opening = None
        self.session = session
        if str(self._viewer.title).startswith(WINDOW_TITLE):  # not a window of the user's own
            self._viewer.title = f"{WINDOW_TITLE}{session.title}"
        self._is_connected = True
        self._drawn.clear()
        self._rates = ""
        self._set_state("live")
        self._take_models(session)

    def _take_models(self, session: LiveSession) -> None:
        # Frozen frames have masks of the former models.
        self.look_back.drop_masks()
        self.screen.take_models(session)
        self.models_changed.emit()

    def _models_are_ready(self, session: LiveSession) -> None:
        if session is self.session:
            if not self.screen.is_for(session):
                self._take_models(session)
            took_s = time.monotonic() - self._began_at
            if session.names and took_s >= 1:
                self.said.emit("info", f"The models are ready after {took_s:.0f} s.")

    def _fail(self, session: LiveSession, sentence: str) -> None:
        """Stop a stream whose models cannot be opened."""
        if self._is_gone:
            return
        self._report_error(sentence)
        if session is self.session:
            self.stop()

    def _not_started(self, sentence: str) -> None:
        if not self._is_gone:
            self._report_error(sentence)
            self.screen.show(waiting="nothing is running", verdict=Verdict())
            self._set_state("stopped")
            self.stage.leave()

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
        following, self._next = self._next, None
        if following is not None:
            self.start(*following)
        elif self.shown is None:
            self.stage.leave()

    def _set_state(self, state: State) -> None:
        self.state = state
        self.state_changed.emit(state)

    def _report_error(self, sentence: str) -> None:
        self.said.emit("error", sentence)

    def _note_layers(self, _: object) -> None:
        self.layers_changed.emit()
        if self.state == "stopped" and len(self._viewer.layers):
            self.stage.leave()  # the user has opened something: show it

    # --- the timer --------------------------------------------------------------------------

    def _tick(self) -> None:
        began = time.perf_counter()
        try:
            self.jobs.poll()
            if self.session is not None:
                self._pull(self.session)
            elif self.state == "starting":
                self._show_waiting()
        finally:
            if not self._is_gone:
                spent_ms = (time.perf_counter() - began) * 1e3
                self._timer.start(max(_LEAST_PAUSE_MS, round(_PERIOD_MS - spent_ms)))

    def _pull(self, session: LiveSession) -> None:
        """Report events, and show the newest result if it is not shown yet."""
        pipeline = session.pipeline
        for event in pipeline.events():
            self._handle(event, session)
        self.recordings.pull(session)
        self.sharing.pull(session)
        if pipeline.error is not None:
            self._report_error(f"{pipeline.error}. Choose another model and start again.")
            self.screen.drop_masks()
            self.stop()
            return
        now = time.monotonic()
        if self.state == "live":
            self._show_newest(session, now)
        if now - self._health_at > _HEALTH_S:
            self._health_at = now
            drawn_per_s = sum(1 for at in self._drawn if now - at < 2.0) / 2.0
            health = health_of(session, drawn_per_s)
            self._rates = health.verdict
            self.health_changed.emit(health)

    def _show_newest(self, session: LiveSession, now: float) -> None:
        if session.is_segmenting and not self.screen.is_for(session):
            self._take_models(session)
        newest, shown = session.pipeline.newest(), self.shown
        if newest is not None and not session.is_segmenting:
            newest = replace(newest, predictions=())
        drawn = None if shown is None else (shown.frame.index, len(shown.predictions))
        is_new = newest is not None and (newest.frame.index, len(newest.predictions)) != drawn
        result = newest if is_new and self._is_connected else None
        if result is None and shown is None:
            self._show_waiting()
            return
        if result is not None:
            self._drawn.append(now)
        verdict = live_verdict(
            result or shown,
            session.source.state,
            is_connected=self._is_connected,
            is_late=session.pipeline.is_stale(),
            rates=self._rates,
        )
        if not session.is_segmenting and verdict.level != "warning":
            waited_s = now - self._began_at
            words = f"the models are being opened: {waited_s:.0f} s"
            verdict = Verdict("WITHOUT MODELS", "still", words)
        self.screen.show_live(result, verdict, self.recordings.words(session))
        if result is not None:
            self.frame_shown.emit()

    def _show_waiting(self) -> None:
        what = "waiting for the first frame" if self.session is not None else "opening the source"
        self.screen.wait_for(what, time.monotonic() - self._began_at)

    def _handle(self, event: SourceEvent, session: LiveSession) -> None:
        if session.recorder is not None:
            said = without_places(event.detail, session.title)
            session.recorder.note(replace(event, detail=said))
        if event.kind in _DISCONNECTED:
            self._is_connected = False
            if self.state == "live":
                self.screen.drop_masks()
        elif event.kind in ("connected", "running"):
            self._is_connected = True
        if event.kind in _REPORTED:
            level = "error" if event.kind in ("error", "crashed") else "info"
            detail = f": {event.detail}" if event.detail else ""
            words = event.detail if event.kind == "framing" else f"{event.kind}{detail}"
            self.said.emit(level, words)

    # --- looking back -----------------------------------------------------------------------

    def set_style(self, style: ViewStyle) -> None:
        """Change how the stream is shown."""
        self.screen.show(style=style)

    def toggle_freeze(self) -> None:
        """Freeze the picture to look back, or resume; a recording that has ended plays again."""
        session, shown = self.session, self.shown
        if session is None or shown is None:
            return
        if self.state == "frozen":
            self.look_back.forget()
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
            self.screen.show(verdict=Verdict("FROZEN"))
            last = shown.frame.index
            self.jobs.run("freeze", lambda: session.hold(last), self._hold, self._report_error)

    def _hold(self, held: tuple[StepResult, ...]) -> None:
        if self.state == "frozen" and held:
            self.look_back.hold(held)
            self.show_held(len(held) - 1)

    def show_held(self, position: int) -> None:
        """While frozen, show one of the frames of the last seconds."""
        found = self.look_back.move_to(position)
        if found is not None:
            result, back_s = found
            self.screen.show_held(result, frozen_verdict(result, back_s))

    def step(self, by: int) -> None:
        """Freeze a live stream, or move by some frames while frozen."""
        if self.state == "live":
            self.toggle_freeze()
        else:
            self.show_held(self.look_back.position + by)

    def toggle_layers(self, window: QMainWindow | None) -> None:
        """Go between the live picture and napari's canvas; frozen frames become layers there."""
        if not self.stage.is_shown:
            self.stage.show_in(window)
            self.stage.show_scene(self.screen.scene)
            return
        if self.state == "frozen" and self.look_back.held:
            scene = self.screen.scene
            for data, meta, kind in held_layers(self.look_back.held, scene.names, scene.structures):
                getattr(self._viewer, f"add_{kind}")(data, **meta)
            self._viewer.dims.set_current_step(0, self.look_back.position)
            # Once the canvas has its size again.
            QTimer.singleShot(_CANVAS_MS, self, self._viewer.reset_view)
        self.stage.leave()

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
        if self.session is None:
            self.said.emit("warning", "Nothing is running: press Start before you record.")
        elif self.is_recording:
            self.recordings.stop(self.session)
        else:
            self.recordings.start(self.session, folder)

    def snapshot(self, folder: Path) -> None:
        """Write the view, its frame and its masks to files."""
        shown, session = self.shown, self.session
        if shown is None or session is None:
            self.said.emit("warning", "There is no picture yet: press Start.")
            return
        canvas = self.stage.presentation or self.stage.canvas
        view_HW4 = canvas.picture()
        names, structures = session.names, session.structures
        facts = {"source": source_name(session.title), "notes": list(session.notes)}
        self.jobs.run(
            "snapshot",
            lambda: write_snapshot(folder, view_HW4, shown, names, structures, facts),
            lambda place: self.said.emit("info", f"snapshot in {place}"),
            self._report_error,
            must_end=True,
        )
