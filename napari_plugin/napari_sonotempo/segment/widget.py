"""The dock widget "Segment recording": choose a layer and models, get masks and their areas."""

import threading
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_sonotempo.segment.area_plot import AreaPlot
from napari_sonotempo.segment.areas import Areas, write_areas
from napari_sonotempo.segment.job import SegmentRequest, SegmentResult, segment
from napari_sonotempo.segment.layers import outline, result_layers
from napari_sonotempo.shared.docks import tab_with_others
from napari_sonotempo.shared.jobs import Jobs
from napari_sonotempo.shared.layers import LayerData, recording_of
from napari_sonotempo.shared.layouts import row
from napari_sonotempo.shared.messages import Level, Messages
from napari_sonotempo.shared.models_box import ModelsBox
from napari_sonotempo.shared.paint_box import PaintBox
from napari_sonotempo.shared.settings import LiveSettings
from sonotempo.errors import RecordingError, SonotempoError
from sonotempo.live.models.ready import ready_models
from sonotempo.structures import NAMED_SETS, StructureSet, structure_set

_WIDTH_PX = 345
_POLL_MS = 50
_END_S = 3.0  # to finish the current frame; a hanging disk is not waited for
_NOTHING_OPEN = (
    "no image layer is open to segment; open a recording first (File → Open, or "
    "File → Open Sample → sonotempo)"
)


class SegmentWidget(QWidget):
    """Runs one or two models over an open recording; masks become layers, areas a plot.

    Args:
        napari_viewer: holds the layers to segment.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._settings = LiveSettings()
        self._images: list[Any] = []  # in the order of the box of recordings
        self._areas: dict[Any, Areas] = {}  # of each Image layer, from its last run
        self._image: tuple[Any, LayerData] | None = None  # the layer that is being segmented
        self._is_cancelled = False
        self.jobs = Jobs()
        self.recordings = QComboBox()
        self.recordings.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.recordings.setMinimumContentsLength(12)
        self.models_box = ModelsBox(self._settings)
        self.structures = QLineEdit()
        self.structures.setPlaceholderText("for external models: nerve, vessel")
        self.structures.setToolTip(
            "For a model that was not exported by sonotempo: what its channels mean, in order, "
            "without the background"
        )
        self.segment = QPushButton("Segment")
        self.cancel = QPushButton("Cancel")
        self.bar = QProgressBar()
        self.messages = Messages()
        self.plot = AreaPlot(napari_viewer.theme)
        self.paint = PaintBox(napari_viewer)
        self.save_masks = QPushButton("Save masks…")
        self.save_masks.setToolTip("save the masks that are selected as an Annotation Web folder")
        self.save = QPushButton("Save areas…")
        self.save.setToolTip("save the areas over time as a table (CSV)")
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._lay_out()
        self._connect()
        self.list_layers()
        self._show_running(False)
        self.jobs.run("ready models", ready_models, self._offer, self.models_box.show_problem)
        self._timer.start()

    # --- user actions -----------------------------------------------------------------------

    def start(self) -> None:
        """Segment the chosen recording with the chosen models."""
        if self._image is not None:
            return
        self.messages.clear_all()
        try:
            layer = self._layer()
            image = layer.as_layer_data_tuple()
            request = SegmentRequest(
                recording_of(image[0], image[1]),
                self.models_box.wanted(),
                self.models_box.engine.currentText(),
                _structures(self.structures.text()),
                self.models_box.along_motion.isChecked(),
            )
        except SonotempoError as error:
            self.messages.say("error", str(error))
            return
        self._image, self._is_cancelled = (layer, image), False
        self.bar.setRange(0, 1)  # a busy bar would not show its text
        self.bar.setValue(0)
        self.bar.setFormat("opening the models…")
        self._show_running(True)

        def work(tell: Callable[..., None], cancelled: threading.Event) -> None:
            show_progress = partial(tell, self._show_progress, layer)
            tell(self._finish, segment(request, show_progress, cancelled.is_set))

        self.jobs.follow("segment", work, self._fail)
        self._timer.start()

    def stop(self) -> None:
        """Cancel; no layer is added."""
        if self._image is not None:
            self._is_cancelled = True
            self.cancel.setEnabled(False)
            self.jobs.cancel(0)

    def save_areas(self, path: Path) -> None:
        """Write the areas on display as a table."""
        areas = self.plot.areas
        if areas is None:
            return
        try:
            write_areas(path, areas)
        except SonotempoError as error:
            self.messages.say("error", str(error))
        else:
            self.messages.say("info", f"Saved the areas of {len(areas.times_s)} frames in {path}")

    # --- results ----------------------------------------------------------------------------

    def _show_progress(self, layer: Any, done: int, seconds: float) -> None:
        if self._is_cancelled:
            return
        frames = layer.data.shape[0] if layer.ndim == 3 else 1
        self.bar.setRange(0, frames)
        self.bar.setValue(done)
        rate = f" · {done / seconds:.0f} per s" if seconds > 0.5 else ""
        self.bar.setFormat(f"{done} of {frames} frames{rate}")

    def _finish(self, result: SegmentResult | None) -> None:
        assert self._image is not None
        (layer, image), self._image = self._image, None
        self._show_running(False)
        if result is None:
            self.messages.say("warning", "Cancelled; no masks were added")
            return
        for number, (data, about, _) in enumerate(result_layers(result, image)):
            added = self._viewer.add_labels(data, **about)
            if number > 0:
                outline(added)
        if layer in self._viewer.layers:
            self._areas[layer] = result.areas
            self._viewer.layers.selection.active = layer
            self.recordings.setCurrentIndex(self._images.index(layer))
        self._show_plot()
        self.messages.say(*_summary(result))

    def _fail(self, sentence: str) -> None:
        self._image = None
        self._show_running(False)
        self.messages.say("error", sentence)

    def _offer(self, ready: Any) -> None:
        self.models_box.offer(ready, self._structure_set())

    def _poll(self) -> None:
        self.jobs.poll()
        if not self.jobs.is_busy:
            self._timer.stop()

    # --- display ----------------------------------------------------------------------------

    def list_layers(self, *_: object) -> None:
        """Offer the open Image layers, and forget the areas of closed ones."""
        chosen = self._chosen()
        self._images = [layer for layer in self._viewer.layers if type(layer).__name__ == "Image"]
        self._areas = {
            layer: areas for layer, areas in self._areas.items() if layer in self._images
        }
        self.recordings.blockSignals(True)
        self.recordings.clear()
        self.recordings.addItems([layer.name for layer in self._images])
        if chosen in self._images:
            self.recordings.setCurrentIndex(self._images.index(chosen))
        self.recordings.blockSignals(False)
        self._choose_recording()

    def _choose_recording(self, *_: object) -> None:
        self.models_box.suggest(self._structure_set())
        self._show_plot()

    def _show_plot(self) -> None:
        areas = self._areas.get(self._chosen())
        if areas is not self.plot.areas:
            self.plot.show_areas(areas)
        self.save.setEnabled(areas is not None)
        self._follow()

    def _follow(self, *_: object) -> None:
        """Move the plot's line to the frame in the viewer."""
        areas, layer = self.plot.areas, self._chosen()
        if areas is None or layer is None:
            return
        if layer.ndim < 3:
            self.plot.show_frame(0)
            return
        place = layer.world_to_data(self._viewer.dims.point)[0]
        self.plot.show_frame(min(max(round(float(place)), 0), len(areas.times_s) - 1))

    def _set_theme(self, *_: object) -> None:
        self.plot.set_theme(self._viewer.theme)

    def _go_to(self, frame: int) -> None:
        """Show a frame in the viewer."""
        layer = self._layer()
        if layer.ndim >= 3:
            axis = self._viewer.dims.ndim - 3
            self._viewer.dims.set_point(axis, float(layer.data_to_world((frame, 0, 0))[0]))

    def _show_running(self, is_running: bool) -> None:
        self.segment.setEnabled(not is_running)
        self.cancel.setVisible(is_running)
        self.cancel.setEnabled(is_running)
        self.bar.setVisible(is_running)

    # --- private ----------------------------------------------------------------------------

    def _chosen(self) -> Any:
        """Return the chosen Image layer; None if there is none, or while it is being removed."""
        place = self.recordings.currentIndex()
        layer = self._images[place] if 0 <= place < len(self._images) else None
        return layer if layer is not None and layer in self._viewer.layers else None

    def _layer(self) -> Any:
        layer = self._chosen()
        if layer is None:
            raise RecordingError(_NOTHING_OPEN)
        return layer

    def _structure_set(self) -> str:
        """Return the name of the chosen recording's structure set, or nothing."""
        try:
            data, meta, _ = self._layer().as_layer_data_tuple()
            return str(recording_of(data, meta).structures.name)
        except SonotempoError:
            return ""  # reported when Segment is pressed

    def _choose_folder(self) -> None:
        """Save the Labels layer that is painted on, with its image."""
        layer = self.paint.layer
        if layer is None:
            self.messages.say("warning", "Select a Labels layer first: its masks are saved.")
            return
        start = str(Path(self._settings.text("folder", str(Path.home()))) / "masks")
        path, _ = QFileDialog.getSaveFileName(self, "Folder for the masks", start)
        if path:
            self.save_to(layer, Path(path))

    def save_to(self, layer: Any, path: Path) -> None:
        """Save a Labels layer to a folder, each mask with its origin."""
        try:
            saved = layer.save(str(path), plugin="sonotempo")
        except SonotempoError as error:
            self.messages.say("error", str(error))
        else:
            if saved:
                self.messages.say("info", f"Saved the masks in {path}")

    def _choose_table(self) -> None:
        name = f"{self.recordings.currentText()} areas.csv".replace("/", "-")
        start = str(Path(self._settings.text("folder", str(Path.home()))) / name)
        path, _ = QFileDialog.getSaveFileName(self, "Save areas", start, "Tables (*.csv)")
        if path:
            self.save_areas(Path(path))

    def showEvent(self, event: Any) -> None:
        """Share the place of this plugin's other docks."""
        QTimer.singleShot(0, self, lambda: tab_with_others(self))  # once it has its place
        super().showEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Stop when the dock is closed: napari takes the widget out before deleting it."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.stop()
        super().changeEvent(event)

    def cleanup(self) -> None:
        """Stop the job and disconnect from the viewer; may be called twice."""
        while self._connected:
            event, callback = self._connected.pop()
            event.disconnect(callback)
        self.jobs.cancel(_END_S)
        self.paint.cleanup()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Recording", self.recordings)
        own = QFormLayout()
        own.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        own.addRow("Structures", self.structures)
        buttons = QHBoxLayout()
        buttons.addWidget(self.segment)
        buttons.addWidget(self.cancel)
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(6)
        layout.addLayout(form)
        layout.addWidget(self.models_box)
        layout.addLayout(own)
        layout.addLayout(buttons)
        layout.addWidget(self.bar)
        layout.addWidget(self.messages)
        layout.addWidget(self.plot, stretch=1)
        layout.addWidget(self.paint)
        layout.addWidget(row(self.save_masks, self.save))
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)
        self.setMinimumWidth(_WIDTH_PX)

    def _connect(self) -> None:
        self.segment.clicked.connect(self.start)
        self.cancel.clicked.connect(self.stop)
        self.save.clicked.connect(self._choose_table)
        self.save_masks.clicked.connect(self._choose_folder)
        self.recordings.currentIndexChanged.connect(self._choose_recording)
        self.plot.frame_wanted.connect(self._go_to)
        self._timer.timeout.connect(self._poll)
        self._connected = [
            (self._viewer.layers.events.inserted, self.list_layers),
            (self._viewer.layers.events.removed, self.list_layers),
            (self._viewer.dims.events.current_step, self._follow),
            (self._viewer.events.theme, self._set_theme),
        ]
        renamed = getattr(self._viewer.layers.events, "renamed", None)
        if renamed is not None:  # since napari 0.7; before, the old name stays
            self._connected.append((renamed, self.list_layers))
        for event, callback in self._connected:
            event.connect(callback)
        # A bound method would keep the widget, and with it the viewer, alive in Qt.
        clean_up = partial(_clean_up, self.jobs, weakref.ref(self))
        self.destroyed.connect(clean_up)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(clean_up)


def _clean_up(jobs: Jobs, widget: "weakref.ref[SegmentWidget]", *_: object) -> None:
    """Stop the jobs when the widget or the program ends; Qt may have deleted its part already."""
    rest = widget()
    if rest is None:
        jobs.cancel(_END_S)
    else:
        rest.cleanup()


def _structures(text: str) -> StructureSet | None:
    """Return the structures that the user named, by the name of a set or one by one, or None."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        return None
    return NAMED_SETS[names[0]] if names[0] in NAMED_SETS else structure_set(names)


def _summary(result: SegmentResult) -> tuple[Level, str]:
    """Return a level, and a sentence that reports what was done and what was not."""
    frames = len(result.predictions)
    rate = frames / max(result.seconds, 1e-9)
    parts = [f"{frames} frames in {result.seconds:.1f} s ({rate:.0f} per s, {result.engine})"]
    breaks = [f"{reason} before frame {number}" for number, reason in result.resets[1:]]
    if breaks:
        more = f" and {len(breaks) - 3} more" if len(breaks) > 3 else ""
        parts.append(f"model state was reset {len(breaks)} times ({', '.join(breaks[:3])}{more})")
    if result.skipped:
        parts.append(
            f"{len(result.skipped)} could not be read and have no mask ({result.skipped[0]})"
        )
    if result.unread_masks:
        parts.append(f"{result.unread_masks} of the recording's own masks could not be read")
    if result.other_masks:
        parts.append(
            f"the recording's own masks show other structures ({', '.join(result.other_masks)}) "
            "and are not in the plot"
        )
    parts += dict.fromkeys(card.note for card in result.cards if card.note)
    is_whole = not result.skipped and not result.unread_masks
    return "info" if is_whole else "warning", "; ".join(parts)
