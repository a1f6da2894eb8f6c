"""Choose the recording and the masks; both follow the layers of the viewer."""

from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QPushButton, QVBoxLayout, QWidget

from napari_sonotempo.label.target import belongs, fits, is_kind, is_series, shape_of
from napari_sonotempo.shared.layouts import form, row
from sonotempo.errors import RecordingError, SonotempoError
from sonotempo.structures import NAMED_SETS, StructureSet, structure_set

_NOTHING_OPEN = (
    "no time series is open to label: open a recording first (File → Open, or "
    "File → Open Sample → sonotempo)"
)

_RECORDINGS = "the recording's structures"


class TargetBox(QWidget):
    """Lists the open recordings, and the Labels layers that fit the chosen one.

    Args:
        viewer: with the layers.
    """

    changed = Signal()  # another recording or other masks
    new_wanted = Signal(object)  # StructureSet | None
    load_wanted = Signal()
    said = Signal(str, str)  # Level, sentence

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._images: list[Any] = []  # in the order of the boxes
        self._labels: list[Any] = []
        self.recordings = _box("the recording to label")
        self.masks = _box("the layer of masks to work on")
        self.new = QPushButton("New")
        self.new.setToolTip("add an empty layer of masks over the recording")
        self.structures = QComboBox()
        self.structures.setEditable(True)
        self.structures.setToolTip(
            "what new masks show: a named set, or names such as nerve, vessel"
        )
        self.structures.addItems([_RECORDINGS, *NAMED_SETS])
        self.load = QPushButton("Load…")
        self.load.setToolTip("lay masks that were saved in a folder on the recording")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(
            form(
                ("Recording", self.recordings),
                ("Masks", row(self.masks, self.load)),
                ("New masks of", row(self.structures, self.new)),
            )
        )
        self.new.clicked.connect(lambda _=False: self._press_new())
        self.load.clicked.connect(lambda _=False: self.load_wanted.emit())
        self.recordings.activated.connect(lambda _: self._choose_recording())
        self.masks.activated.connect(lambda _: self._choose_masks())
        self._connected = [
            (viewer.layers.events.inserted, self.list_layers),
            (viewer.layers.events.removed, self.list_layers),
            (viewer.layers.selection.events.active, self._follow),
        ]
        renamed = getattr(viewer.layers.events, "renamed", None)
        if renamed is not None:  # since napari 0.7; before, the old name stays
            self._connected.append((renamed, self.list_layers))
        for event, callback in self._connected:
            event.connect(callback)
        self.list_layers()

    @property
    def image(self) -> Any:
        """The chosen Image layer; None if there is none."""
        return _chosen(self.recordings, self._images, self._viewer)

    @property
    def labels(self) -> Any:
        """The chosen Labels layer; None if there is none."""
        return _chosen(self.masks, self._labels, self._viewer)

    @property
    def frame(self) -> int:
        """The position of the frame that the viewer shows."""
        image = self.image
        if image is None:
            return 0
        place = round(float(image.world_to_data(self._viewer.dims.point)[0]))
        return min(max(place, 0), shape_of(image)[0] - 1)

    def go_to(self, frame: int) -> None:
        """Show a frame in the viewer."""
        image = self.image
        if image is not None:
            axis = self._viewer.dims.ndim - 3
            self._viewer.dims.set_point(axis, float(image.data_to_world((frame, 0, 0))[0]))

    def required(self) -> tuple[Any, Any]:
        """Return the chosen layers.

        Raises:
            RecordingError: nothing is open, or no Labels layer fits the recording.
        """
        image, labels = self.image, self.labels
        if image is None:
            raise RecordingError(_NOTHING_OPEN)
        if labels is None:
            raise RecordingError(self._why_no_masks(image))
        return image, labels

    def required_image(self) -> Any:
        """Return the chosen Image layer.

        Raises:
            RecordingError: nothing is open.
        """
        if self.image is None:
            raise RecordingError(_NOTHING_OPEN)
        return self.image

    def list_layers(self, *_: object) -> None:
        """Offer the layers that are open now; the choice stays where it can."""
        chosen = self.image
        self._images = [layer for layer in self._viewer.layers if is_series(layer)]
        _fill(self.recordings, self._images, chosen)
        self._list_masks(self.labels)

    def choose(self, labels: Any) -> None:
        """Choose a Labels layer of the chosen recording."""
        self._list_masks(labels)
        self.changed.emit()

    def cleanup(self) -> None:
        """Disconnect from the viewer; may be called twice."""
        while self._connected:
            event, callback = self._connected.pop()
            event.disconnect(callback)

    def _list_masks(self, chosen: Any) -> None:
        image = self.image
        layers = [layer for layer in self._viewer.layers if image is not None]
        self._labels = [layer for layer in layers if fits(layer, image)]
        own = [layer for layer in self._labels if belongs(layer, image)]
        if chosen not in self._labels:
            chosen = (own or self._labels or [None])[0]
        _fill(self.masks, self._labels, chosen)
        self.changed.emit()

    def _press_new(self) -> None:
        text = self.structures.currentText().strip()
        try:
            wanted = None if text in {"", _RECORDINGS} else _structures(text)
        except SonotempoError as error:
            self.said.emit("warning", str(error))
        else:
            self.new_wanted.emit(wanted)

    def _choose_recording(self) -> None:
        self._list_masks(None)

    def _choose_masks(self) -> None:
        """Select the chosen layer, so that napari's tools paint on it."""
        self._viewer.layers.selection.active = self.labels
        self.changed.emit()

    def _follow(self, *_: object) -> None:
        """Work on the masks that the user selects."""
        active = self._viewer.layers.selection.active
        if active in self._labels and active != self.labels:
            with QSignalBlocker(self.masks):
                self.masks.setCurrentIndex(self._labels.index(active))
            self.changed.emit()

    def _why_no_masks(self, image: Any) -> str:
        frames, rows, columns = shape_of(image)
        others = [layer for layer in self._viewer.layers if is_kind(layer, "Labels")]
        sentence = (
            f"no layer of masks fits {image.name!r} with its {frames} frames of {rows}x{columns} "
            "pixels (rows x columns)"
        )
        if others:
            shape = "x".join(str(side) for side in others[0].data.shape)
            sentence += f"; {others[0].name!r} is {shape}"
        return f"{sentence}: press New to add one"


def _structures(text: str) -> StructureSet:
    """Return structures by the name of their set, or by their own names."""
    if text in NAMED_SETS:
        return NAMED_SETS[text]
    return structure_set([name.strip() for name in text.split(",") if name.strip()])


def _box(tip: str) -> QComboBox:
    box = QComboBox()
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(12)
    box.setToolTip(tip)
    return box


def _chosen(box: QComboBox, layers: list[Any], viewer: Any) -> Any:
    """Return the chosen layer; None if there is none, or while it is being removed."""
    place = box.currentIndex()
    layer = layers[place] if 0 <= place < len(layers) else None
    return layer if layer is not None and layer in viewer.layers else None


def _fill(box: QComboBox, layers: list[Any], chosen: Any) -> None:
    with QSignalBlocker(box):
        box.clear()
        box.addItems([layer.name for layer in layers])
        if chosen in layers:
            box.setCurrentIndex(layers.index(chosen))
