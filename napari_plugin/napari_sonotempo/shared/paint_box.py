"""Choose by name which structure is painted on the selected Labels layer."""

from typing import Any

from qtpy.QtCore import QSignalBlocker
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from napari_sonotempo.shared.layers import structures_of
from napari_sonotempo.shared.layouts import row

_ICON_PX = 12


class PaintBox(QWidget):
    """Lists the structures of the selected Labels layer; choosing one selects its label.

    Args:
        viewer: whose selected layer is painted on.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self.layer: Any = None
        self.names = QComboBox()
        self.names.setToolTip(
            "the structure that napari's brush paints on the selected Labels layer; choosing one "
            "takes the brush"
        )
        self.names.activated.connect(self._choose)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(row(QLabel("Paint"), self.names))
        self._selected = viewer.layers.selection.events.active
        self._selected.connect(self._take)
        self._take()

    def cleanup(self) -> None:
        """Disconnect from the viewer; may be called twice."""
        self._selected.disconnect(self._take)
        self._leave()

    def _take(self, *_: object) -> None:
        """Follow the selected layer."""
        active = self._viewer.layers.selection.active
        # Not by its type, which is a proxy's in a plugin.
        is_labels = active is not None and active.as_layer_data_tuple()[2] == "labels"
        self._leave()
        self.layer = active if is_labels else None
        with QSignalBlocker(self.names):
            self.names.clear()
            for label, (name, icon) in enumerate(self._structures(), start=1):
                self.names.addItem(icon, name, label)
        self.names.setEnabled(self.names.count() > 0)
        if self.layer is not None:
            self.layer.events.selected_label.connect(self._follow)
            self._follow()

    def _leave(self) -> None:
        if self.layer is not None:
            self.layer.events.selected_label.disconnect(self._follow)
            self.layer = None

    def _structures(self) -> list[tuple[str, QIcon]]:
        if self.layer is None:
            return []
        structures = structures_of(self.layer.as_layer_data_tuple()[1])
        found = []
        for label, name in enumerate(structures.names if structures is not None else (), start=1):
            pixmap = QPixmap(_ICON_PX, _ICON_PX)
            pixmap.fill(QColor.fromRgbF(*(float(part) for part in self.layer.get_color(label)[:3])))
            found.append((name, QIcon(pixmap)))
        return found

    def _choose(self, _: int) -> None:
        """Paint the chosen structure."""
        if self.layer is not None and self.names.currentData() is not None:
            self.layer.selected_label = self.names.currentData()
            self.layer.mode = "paint"

    def _follow(self, *_: object) -> None:
        """Show the label that napari's own controls have selected."""
        place = self.names.findData(self.layer.selected_label if self.layer is not None else None)
        with QSignalBlocker(self.names):
            self.names.setCurrentIndex(place)
