"""Carry masks: the side, how far, refined by which model; progress and cancel."""

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_sonotempo.label.propagation import Reach, Side, Wanted
from napari_sonotempo.shared.layouts import browsing, form, row
from napari_sonotempo.shared.settings import LiveSettings

_SIDES: dict[Side, tuple[str, str]] = {
    "before": ("← Propagate", "carry this frame's mask to the frames before it"),
    "both": ("both ways", "carry this frame's mask to the frames before and after it"),
    "after": ("Propagate →", "carry this frame's mask to the frames after it"),
}
_REACHES: dict[Reach, str] = {
    "reviewed": "to the next reviewed frame",
    "frames": "a number of frames",
    "end": "to the end",
}
_NO_MODEL = "no model"


class PropagateBox(QWidget):
    """Fields and buttons only: signals report what the user wants.

    Args:
        settings: where the choices are remembered.
    """

    wanted = Signal(object)  # Wanted
    cancel_wanted = Signal()

    def __init__(self, settings: LiveSettings) -> None:
        super().__init__()
        self._settings = settings
        self.buttons: dict[Side, QPushButton] = {}
        for side, (text, tip) in _SIDES.items():
            button = QPushButton(text)
            button.setToolTip(f"{tip}; masks that a person made or accepted stay")
            button.clicked.connect(lambda _=False, side=side: self.wanted.emit(self._wanted(side)))
            self.buttons[side] = button
        self.reach = QComboBox()
        for reach, text in _REACHES.items():
            self.reach.addItem(text, reach)
        self.reach.setCurrentIndex(max(0, self.reach.findData(settings.text("label reach"))))
        self.frames = QSpinBox()
        self.frames.setRange(1, 100_000)
        self.frames.setValue(int(settings.number("label frames", 20)))
        self.frames.setSuffix(" frames")
        self.model = QComboBox()
        self.model.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.model.setMinimumContentsLength(10)
        self.model.setToolTip(
            "a model of the same structures that draws the carried outlines again"
        )
        self.model.addItem(_NO_MODEL, "")
        self.bar = QProgressBar()
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("end here; the masks so far stay, and Undo removes them")
        self.cancel.clicked.connect(lambda _=False: self.cancel_wanted.emit())
        self.running = row(self.bar, self.cancel)
        keeps = self.running.sizePolicy()
        keeps.setRetainSizeWhenHidden(True)
        self.running.setSizePolicy(keeps)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(row(*self.buttons.values()))
        layout.addWidget(
            form(
                ("Reach", row(self.reach, self.frames)),
                ("Refine with", browsing(self.model, self._browse, "choose an .onnx file")),
            )
        )
        layout.addWidget(self.running)
        self.reach.currentIndexChanged.connect(lambda _: self._show_reach())
        self._show_reach()
        self.show_running(False)

    def offer(self, ready: Any) -> None:
        """Offer the ready-made models."""
        for model in ready:
            self._add(str(model.path), model.title)

    def choose_model(self, path: Path | None) -> None:
        """Choose a file to refine with, or none."""
        if path is None:
            self.model.setCurrentIndex(0)
            return
        self._add(str(path), path.name)
        self.model.setCurrentIndex(self.model.findData(str(path)))

    @property
    def model_wanted(self) -> Path | None:
        """The chosen file."""
        return Path(self.model.currentData()) if self.model.currentData() else None

    def show_running(self, is_running: bool) -> None:
        """Show whether masks are being carried."""
        for button in self.buttons.values():
            button.setEnabled(not is_running)
        self.running.setVisible(is_running)
        self.cancel.setEnabled(is_running)
        if is_running:
            self.show_progress(0, 1, 0.0)

    def show_progress(self, done: int, frames: int, seconds: float) -> None:
        """Show how far it is."""
        self.bar.setRange(0, frames)
        self.bar.setValue(done)
        rate = f" · {1000 * seconds / done:.0f} ms a frame" if done and seconds > 0.5 else ""
        self.bar.setFormat(f"{done} of {frames} frames{rate}" if done else "following the tissue…")

    def _wanted(self, side: Side) -> Wanted:
        reach: Reach = self.reach.currentData()
        self._settings.save("label reach", reach)
        self._settings.save("label frames", self.frames.value())
        return Wanted(side, reach, self.frames.value())

    def _show_reach(self) -> None:
        self.frames.setVisible(self.reach.currentData() == "frames")

    def _add(self, path: str, title: str) -> None:
        if self.model.findData(path) < 0:
            self.model.addItem(title, path)
            tip = Qt.ItemDataRole.ToolTipRole
            self.model.setItemData(self.model.count() - 1, path, tip)

    def _browse(self) -> None:
        start = self._settings.text("model folder")
        path, _ = QFileDialog.getOpenFileName(self, "Model", start, "ONNX models (*.onnx)")
        if path:
            self._settings.save("model folder", str(Path(path).parent))
            self.choose_model(Path(path))
