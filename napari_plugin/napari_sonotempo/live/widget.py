"""The dock widget "Live comparison": assembles its panels and connects them with the stream."""

import time
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QFileDialog,
    QGroupBox,
    QMainWindow,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_sonotempo.live.health import Health, HealthBox
from napari_sonotempo.live.link import LiveLink
from napari_sonotempo.live.session import LiveRequest
from napari_sonotempo.live.source_box import SourceBox
from napari_sonotempo.live.transport import Transport
from napari_sonotempo.live.view_box import ViewBox
from napari_sonotempo.shared.layouts import row, scrolling
from napari_sonotempo.shared.messages import Messages
from napari_sonotempo.shared.models_box import ModelsBox
from napari_sonotempo.shared.settings import LiveSettings
from sonotempo.errors import SonotempoError
from sonotempo.live.models.ready import ready_models
from sonotempo.structures import StructureSet

_MESSAGES = 3
_ADVICE_S = 5.0


class LiveWidget(QWidget):
    """Choose a source and models; start, view, freeze and record the stream.

    Args:
        napari_viewer: draws the stream.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        settings = LiveSettings()
        self._settings = settings
        self._structures: StructureSet | None = None
        self._main_window: QMainWindow | None = None
        self.link = LiveLink(napari_viewer)
        self.source_box = SourceBox(napari_viewer, settings)
        self.models_box = ModelsBox(settings)
        self.view_box = ViewBox(settings)
        self.transport = Transport()
        self.health_box = HealthBox()
        self.start = QPushButton("Start")
        self.setup = QPushButton("Source and models")
        self.setup.setCheckable(True)
        self.setup.setChecked(True)
        self.folder = QPushButton()
        self.folder.setToolTip("where snapshots and recordings are saved")
        self.messages = Messages(_MESSAGES)
        self.advice = Messages()
        self._advised_at = -_ADVICE_S
        self._lay_out()
        self._connect()
        self._show_folder()
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
            options: further attributes of :class:`LiveRequest`, ``sdk``, and ``are_default``:
                whether the models may give way to those of another anatomy.
        """
        self.messages.clear_all()
        try:
            if source is not None:
                self.source_box.choose(source, options.pop("sdk", None))
            if models is not None:
                self.models_box.choose(models, by_user=not options.pop("are_default", False))
            title, make_source = self.source_box.wanted()
            if "along_motion" in options:
                self.models_box.along_motion.setChecked(options.pop("along_motion"))
            options = {"engine": self.models_box.engine.currentText(), **options}
            options["along_motion"] = self.models_box.along_motion.isChecked()
            options["anatomy"] = self.source_box.anatomy
            request = LiveRequest(title, make_source, self.models_box.wanted(), **options)
        except SonotempoError as error:
            self.messages.say("error", str(error))
            return
        self.link.start(request)

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

    def showEvent(self, event: Any) -> None:
        """Watch the window that the widget is in."""
        parent = self.parent()
        while parent is not None and not isinstance(parent, QMainWindow):
            parent = parent.parent()
        if parent is not None and parent is not self._main_window:
            self._main_window = parent
            parent.installEventFilter(self)
        super().showEvent(event)

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        """Clean up when the window has closed; a minimised one hides spontaneously."""
        is_hidden = event.type() == QEvent.Type.Hide and not event.spontaneous()
        if watched is self._main_window and is_hidden:
            self.cleanup()
        return False

    # --- assembly ---------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self._setup_area = QWidget()
        setup = QVBoxLayout(self._setup_area)
        setup.setContentsMargins(0, 0, 0, 0)
        setup.addWidget(_group("Source", self.source_box))
        setup.addWidget(_group("Models", self.models_box))
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(6)
        for widget in (
            row(self.setup, self.start),
            self.messages,
            self.advice,
            self._setup_area,
            _group("View", self.view_box),
            _group("Transport", self.transport, self.folder),
            _group("Health", self.health_box),
        ):
            layout.addWidget(widget)
        layout.addStretch()
        scrolling(self, inner)

    def _connect(self) -> None:
        link, transport = self.link, self.transport
        self.start.clicked.connect(self._press_start)
        self.setup.toggled.connect(self._setup_area.setVisible)
        self.folder.clicked.connect(self._choose_folder)
        self.source_box.test.button.clicked.connect(self._test)
        self.source_box.structures_changed.connect(self.models_box.suggest)
        self.view_box.changed.connect(lambda: link.set_style(self.view_box.style_wanted()))
        transport.freeze_wanted.connect(link.toggle_freeze)
        transport.step_wanted.connect(link.step)
        transport.position_wanted.connect(link.show_held)
        transport.snapshot_wanted.connect(lambda: link.snapshot(self._folder()))
        transport.record_wanted.connect(self._press_record)
        transport.command_wanted.connect(link.send)
        transport.playback_changed.connect(self._set_playback)
        link.state_changed.connect(self._show_state)
        link.said.connect(self.messages.say)
        link.health_changed.connect(self._show_health)
        link.held_changed.connect(transport.show_held)
        link.position_changed.connect(transport.show_position)
        link.recording_changed.connect(transport.show_recording)
        link.layers_changed.connect(self.source_box.list_layers)
        for key, pressed in (
            ("Space", link.toggle_freeze),
            ("Left", lambda: link.step(-1)),
            ("Right", lambda: link.step(1)),
            ("1", lambda: self.view_box.set_view(0)),
            ("2", lambda: self.view_box.set_view(1)),
            ("3", lambda: self.view_box.set_view(2)),
            ("R", self._press_record),
        ):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
            shortcut.activated.connect(pressed)
        self.destroyed.connect(link.cleanup)

    # --- what the user does -----------------------------------------------------------------

    def _press_start(self) -> None:
        if self.link.state == "stopped":
            self.start_stream()
        else:
            self.link.stop()

    def _press_record(self) -> None:
        self.link.record(self._folder())
        self.transport.show_recording(self.link.is_recording)

    def _set_playback(self) -> None:
        session = self.link.session
        if session is not None and session.playback is not None:
            session.playback.rate = self.transport.speed_wanted
            session.playback.loop = self.transport.loop.isChecked()

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
            self._show_folder()

    # --- what is shown ----------------------------------------------------------------------

    def _offer_ready(self, ready: Any) -> None:
        self.models_box.offer(ready, self.source_box.structures)

    def _show_state(self, state: str) -> None:
        self.transport.show_state(state)
        words = {"stopped": "Start", "starting": "Starting…", "stopping": "Stopping…"}
        self.start.setText(words.get(state, "Stop"))
        self.start.setEnabled(state not in ("starting", "stopping"))
        session = self.link.session
        if state == "live" and session is not None:
            if session.structures is not self._structures:
                self._structures = session.structures
                self.view_box.show_structures(session.structures)
            self.setup.setChecked(False)
            self._set_playback()
        if state == "stopped":
            self.setup.setChecked(True)
            self.health_box.show_health(None)
            self.advice.clear_all()
            self._advised_at = -_ADVICE_S
        self._show_commands()

    def _show_health(self, health: Health) -> None:
        self.health_box.show_health(health)
        now = time.monotonic()
        if health.advice:
            self._advised_at = now
            self.advice.say("warning", health.advice)
        elif now - self._advised_at > _ADVICE_S:  # a moment longer, so that it does not flicker
            self.advice.clear_all()
        self._show_commands()

    def _show_commands(self) -> None:
        session = self.link.session
        self.transport.show_source(
            is_recording=session is not None and session.playback is not None,
            commands=session.source.commands if session is not None else (),
        )
        if session is not None and self.link.state == "live":
            has_ended = session.source.state == "ended"
            self.transport.freeze.setText("Play again (space)" if has_ended else "Freeze (space)")

    def _folder(self) -> Path:
        return Path(self._settings.text("folder", str(Path.home() / "sonotempo"))).expanduser()

    def _show_folder(self) -> None:
        folder = self._folder()
        at_home = folder.is_relative_to(Path.home())
        shown = Path("~", folder.relative_to(Path.home())) if at_home else folder
        self.folder.setText(f"Save to {shown}")


def _group(title: str, *contents: QWidget) -> QGroupBox:
    box = QGroupBox(title)
    layout = QVBoxLayout(box)
    layout.setContentsMargins(6, 4, 6, 4)
    for widget in contents:
        layout.addWidget(widget)
    return box
