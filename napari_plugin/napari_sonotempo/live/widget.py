"""The dock widget "Live comparison": assembles its panels and connects them with the stream."""

from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QFileDialog,
    QGroupBox,
    QMainWindow,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_sonotempo.live.framing.panel import FramingPanel
from napari_sonotempo.live.framing.setup import FramingSetup
from napari_sonotempo.live.health import Health, HealthBox
from napari_sonotempo.live.keys import Actions, Keys
from napari_sonotempo.live.link import LiveLink
from napari_sonotempo.live.marks import LiveMarks
from napari_sonotempo.live.opening import Opening
from napari_sonotempo.live.playback_box import PlaybackBox
from napari_sonotempo.live.saved_box import SavedBox
from napari_sonotempo.live.session import LiveRequest
from napari_sonotempo.live.sharing import ShareBox
from napari_sonotempo.live.source_box import SourceBox
from napari_sonotempo.live.view_box import ViewBox
from napari_sonotempo.shared.docks import main_window_of, tab_with_others
from napari_sonotempo.shared.layouts import row, scroll_area
from napari_sonotempo.shared.messages import Messages
from napari_sonotempo.shared.models_box import ModelsBox
from napari_sonotempo.shared.settings import LiveSettings
from sonotempo.errors import SonotempoError
from sonotempo.live.models.ready import ready_models
from sonotempo.structures import StructureSet

_WIDTH_PX = 340
_TABS = ("Setup", "View", "Saved", "Health")


class LiveWidget(QWidget):
    """Choose a source and models; start, view, freeze and record the stream.

    Args:
        napari_viewer: whose window shows the stream.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        settings = LiveSettings()
        self._settings = settings
        self._viewer = napari_viewer
        self._structures: StructureSet | None = None
        self._main_window: QMainWindow | None = None
        self._advice = ""
        self.link = LiveLink(napari_viewer)
        self.controls = self.link.stage.controls
        self.source_box = SourceBox(napari_viewer, settings)
        self.models_box = ModelsBox(settings)
        self.view_box = ViewBox(settings)
        self.playback_box = PlaybackBox()
        self.framing_panel = FramingPanel()
        self.framing = FramingSetup(self.link, self.framing_panel)
        self.saved_box = SavedBox()
        self.share_box = ShareBox(settings)
        self.health_box = HealthBox()
        self.start = QPushButton("Start")
        self.apply = QPushButton("Apply changes")
        self.apply.setToolTip("use the chosen source and models now")
        self.tabs = QTabWidget()
        self.messages = Messages()
        self._lay_out()
        self.marks = LiveMarks(self, self.link, settings)
        self.actions_by_name = self._actions()
        self._keys = [
            Keys(self, self.actions_by_name),
            Keys(self.link.stage.panel, self.actions_by_name),
        ]
        self._connect()
        self.saved_box.show_folder(self._folder())
        self._show_state("stopped")
        self.link.set_style(self.view_box.style_wanted())
        self.link.jobs.run(
            "ready models", ready_models, self._offer_ready, self.models_box.show_problem
        )

    def start_stream(
        self, source: str | None = None, models: tuple[Path, ...] | None = None, **options: Any
    ) -> None:
        """Start as the Start button does.

        Args:
            source: to choose first, as on the command line.
            models: to choose first.
            options: further attributes of :class:`LiveRequest`, ``sdk``; ``are_default``: whether
                the models may give way to those of another anatomy; ``opening``: of the same
                source and models, if it has begun already.
        """
        self.messages.clear_all()
        opening: Opening | None = options.pop("opening", None)
        try:
            if source is not None:
                self.source_box.choose(source, options.pop("sdk", None))
            if models is not None:
                self.models_box.choose(models, by_user=not options.pop("are_default", False))
            if "along_motion" in options:
                self.models_box.along_motion.setChecked(options.pop("along_motion"))
            request = self._request(**options)
        except SonotempoError as error:
            self.messages.say("error", str(error))
            if opening is not None:
                opening.close()
            return
        self.link.start(request, main_window_of(self), opening)

    # --- the end: with the dock, with the window, or with the program -----------------------

    def cleanup(self) -> None:
        """End everything that runs, and restore the viewer."""
        self.link.cleanup()
        window, self._main_window = self._main_window, None
        if window is not None:
            window.removeEventFilter(self)

    def event(self, event: QEvent) -> bool:
        """Clean up when napari takes the widget out of its dock, which is how it removes it."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.cleanup()
            self.deleteLater()  # napari leaves it as a window without a parent
        return bool(super().event(event))

    def sizeHint(self) -> QSize:
        """Leave the room to the pictures."""
        return QSize(_WIDTH_PX, super().sizeHint().height())

    def showEvent(self, event: Any) -> None:
        """Watch the window that the widget is in."""
        window = main_window_of(self)
        if window is not None and window is not self._main_window:
            self._main_window = window
            window.installEventFilter(self)
        QTimer.singleShot(0, self, lambda: tab_with_others(self))  # once it has its place
        super().showEvent(event)

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        """Clean up when the window has closed; a minimised one hides spontaneously."""
        is_hidden = event.type() == QEvent.Type.Hide and not event.spontaneous()
        if watched is self._main_window and is_hidden:
            self.cleanup()
        return False

    # --- assembly ---------------------------------------------------------------------------

    def _lay_out(self) -> None:
        # They say nothing about the box, and would push its controls out of sight.
        self._hidden_while_framing = (self.view_box, _group("Source", self.playback_box))
        pages: tuple[tuple[QWidget, ...], ...] = (
            (_group("Source", self.source_box), _group("Models", self.models_box)),
            (*self._hidden_while_framing, _group("Image and scale", self.framing_panel)),
            (self.saved_box, _group("Other programs", self.share_box)),
            (self.health_box,),
        )
        for title, widgets in zip(_TABS, pages, strict=True):
            page = QWidget()
            layout = QVBoxLayout(page)
            layout.setContentsMargins(4, 6, 4, 4)
            for widget in widgets:
                layout.addWidget(widget)
            layout.addStretch()
            self.tabs.addTab(scroll_area(page), title)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(6, 6, 6, 6)
        outer.setSpacing(6)
        for part in (row(self.start, self.apply), self.messages, self.tabs):
            outer.addWidget(part)
        self.setMinimumWidth(_WIDTH_PX)
        # After a click on a button, which takes no focus, the keys work.
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)

    def _actions(self) -> Actions:
        link = self.link
        return {
            "freeze": link.toggle_freeze,
            "back": lambda: link.step(-1),
            "on": lambda: link.step(1),
            "single": lambda: self.view_box.set_view(0),
            "side by side": lambda: self.view_box.set_view(1),
            "difference": lambda: self.view_box.set_view(2),
            "next view": lambda: self.view_box.set_view((self.view_box.views.checkedId() + 1) % 3),
            "mark": self.marks.ask,
            "record": lambda: link.record(self._folder()),
            "snapshot": lambda: link.snapshot(self._folder()),
            "full screen": self._press_full_screen,
            "layers": lambda: link.toggle_layers(main_window_of(self)),
        }

    def _connect(self) -> None:
        link, controls, act = self.link, self.controls, self.actions_by_name
        self.start.clicked.connect(self._press_start)
        self.apply.clicked.connect(self._press_apply)
        self.source_box.test.button.clicked.connect(self._test)
        self.source_box.structures_changed.connect(self.models_box.suggest)
        self.source_box.changed.connect(self._show_apply)
        self.models_box.changed.connect(self._show_apply)
        self.view_box.changed.connect(lambda: link.set_style(self.view_box.style_wanted()))
        controls.freeze_wanted.connect(act["freeze"])
        controls.step_wanted.connect(link.step)
        controls.position_wanted.connect(self._move_to)
        controls.snapshot_wanted.connect(act["snapshot"])
        controls.record_wanted.connect(act["record"])
        controls.presentation_wanted.connect(act["full screen"])
        controls.layers_wanted.connect(act["layers"])
        self.playback_box.command_wanted.connect(link.send)
        self.playback_box.playback_changed.connect(self._set_playback)
        self.saved_box.folder_wanted.connect(self._choose_folder)
        self.saved_box.open_wanted.connect(self._open_recording)
        self.saved_box.video_wanted.connect(lambda path: link.recordings.make_video(Path(path)))
        sharing = link.sharing
        self.share_box.changed.connect(lambda: sharing.serve_at(self.share_box.port_wanted))
        sharing.refused.connect(self.share_box.untick)
        recordings = link.recordings
        recordings.changed.connect(controls.show_recording)
        recordings.saved.connect(self._show_saved)
        recordings.video_saved.connect(self.saved_box.show_video)
        recordings.progress.connect(self.saved_box.show_progress)
        link.state_changed.connect(self._show_state)
        self.framing.changed.connect(self._make_room)
        for one in (link, self.framing):
            one.said.connect(self.messages.say)
        link.health_changed.connect(self._show_health)
        link.models_changed.connect(self._show_models)
        link.look_back.held_changed.connect(controls.show_held)
        link.look_back.position_changed.connect(controls.show_position)
        link.look_back.back_changed.connect(controls.time.show_back)
        link.layers_changed.connect(self.source_box.list_layers)
        link.stage.on_stage_changed.connect(self._show_stage)
        self.destroyed.connect(link.cleanup)

    # --- what the user does -----------------------------------------------------------------

    def _request(self, **options: Any) -> LiveRequest:
        """Return what is chosen.

        Raises:
            SonotempoError: nothing is chosen yet, or the choice is not valid.
        """
        title, make_source = self.source_box.wanted()
        options = {"engine": self.models_box.engine.currentText(), **options}
        return LiveRequest(
            title,
            make_source,
            self.models_box.wanted(),
            along_motion=self.models_box.along_motion.isChecked(),
            anatomy=self.source_box.anatomy,
            source_text=self.source_box.text(),
            **options,
        )

    def _press_start(self) -> None:
        if self.link.state == "stopped":
            self.start_stream()
        else:
            self.link.stop()

    def _press_apply(self) -> None:
        """Use other models at once; for another source, stop and start."""
        try:
            request = self._request()
        except SonotempoError as error:
            self.messages.say("error", str(error))
            return
        session = self.link.session
        if session is not None and session.request.source_text == request.source_text:
            self.link.change_models(request)
        else:
            self.link.restart(request, main_window_of(self))
        self._show_apply()

    def _press_full_screen(self) -> None:
        stage = self.link.stage
        stage.toggle_presentation()
        if stage.presentation is not None:
            Keys(stage.presentation, self.actions_by_name, Escape=stage.end_presentation)

    def _move_to(self, position: int) -> None:
        """Look back while frozen; while a recording plays, go to another place in it."""
        session = self.link.session
        if self.link.state == "live" and session is not None and session.playback is not None:
            session.playback.seek(position)
        else:
            self.link.show_held(position)

    def _set_playback(self) -> None:
        session = self.link.session
        if session is not None and session.playback is not None:
            session.playback.rate = self.playback_box.speed_wanted
            session.playback.loop = self.playback_box.loop.isChecked()

    def _test(self) -> None:
        if self.link.state != "stopped":
            self.messages.say(
                "warning", "Stop the stream first: a probe serves one connection at a time."
            )
            return
        self.messages.clear_all()
        box = self.source_box
        box.remember()
        work = box.test.work(box.host.text().strip(), box.port.value(), box.sdk_folder())
        self.link.jobs.follow(
            "connection test", work, lambda problem: self.messages.say("error", problem)
        )

    def _choose_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(
            self, "Save snapshots and recordings in", str(self._folder())
        )
        if path:
            self._settings.save("folder", path)
            self.saved_box.show_folder(self._folder())

    def _open_recording(self, path: str) -> None:
        self._viewer.open(path, plugin="sonotempo")
        if self.link.stage.is_shown:
            self.messages.say("info", "The recording is open as a layer: press Layers to see it.")

    # --- what is shown ----------------------------------------------------------------------

    def _offer_ready(self, ready: Any) -> None:
        self.models_box.offer(ready, self.source_box.structures)

    def _show_state(self, state: str) -> None:
        self._show_controls()
        words = {"stopped": "Start", "starting": "Cancel", "stopping": "Stopping…"}
        tips = {"stopped": "start the stream", "starting": "end the start"}
        self.start.setText(words.get(state, "Stop"))
        self.start.setToolTip(tips.get(state, "end the stream"))
        self.start.setEnabled(state != "stopping")
        for keys in self._keys:
            keys.enable(state in ("live", "frozen"))
        if state == "live":
            self._set_playback()
        if state == "starting":
            self.tabs.setCurrentIndex(_TABS.index("View"))
        if state == "stopped":
            self.tabs.setCurrentIndex(_TABS.index("Setup"))
            self.health_box.show_health(None)
        self._show_apply()

    def _show_models(self) -> None:
        session = self.link.session
        if session is not None and session.structures is not self._structures:
            self._structures = session.structures
            self.view_box.show_structures(session.structures)
            self.link.set_style(self.view_box.style_wanted())
        self._show_apply()

    def _show_apply(self) -> None:
        """Offer to apply what differs from what runs."""
        session = self.link.session
        running = session.request if session is not None else None
        chosen = (
            self.source_box.text(),
            self.models_box.chosen(),
            self.models_box.engine.currentText(),
            self.models_box.along_motion.isChecked(),
        )
        self.apply.setEnabled(
            running is not None
            and chosen
            != (running.source_text, running.models, running.engine, running.along_motion)
        )

    def _show_health(self, health: Health) -> None:
        self.health_box.show_health(health)
        self.share_box.show_connected(self.link.sharing.connected)
        if health.advice and not self._advice:
            self._advice = health.advice
            self.messages.say("warning", health.advice)
        elif not health.advice and self._advice:
            self.messages.withdraw(self._advice)
            self._advice = ""
        self._show_controls()

    def _show_controls(self) -> None:
        session = self.link.session
        playback = session.playback if session is not None else None
        self.playback_box.show_source(
            is_recording=playback is not None,
            commands=session.source.commands if session is not None else (),
        )
        has_ended = session is not None and session.source.state == "ended"
        self.controls.show_state(self.link.state, has_ended=has_ended)
        if playback is not None and self.link.state == "live":
            times_ns = playback.recording.timestamps_ns
            self.controls.show_place(playback.position, (times_ns - times_ns[0]) / 1e9)

    def _make_room(self, is_framing: bool) -> None:
        for widget in self._hidden_while_framing:
            widget.setVisible(not is_framing)

    def _show_stage(self, is_shown: bool) -> None:
        self.controls.layers.setText("Layers" if is_shown else "Live")

    def _show_saved(self, path: str) -> None:
        self.saved_box.show_recording(path)
        self.tabs.setCurrentIndex(_TABS.index("Saved"))

    def _folder(self) -> Path:
        return Path(self._settings.text("folder", str(Path.home() / "sonotempo"))).expanduser()


def _group(title: str, *contents: QWidget) -> QGroupBox:
    box = QGroupBox(title)
    layout = QVBoxLayout(box)
    layout.setContentsMargins(6, 4, 6, 4)
    for widget in contents:
        layout.addWidget(widget)
    return box
