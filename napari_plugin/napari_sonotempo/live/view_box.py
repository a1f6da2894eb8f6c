"""How the stream is looked at: view, whose masks, structures, opacity, outlines, names."""

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_sonotempo.live.layers import DIFFERENCE_NAMES, DIFFERENCE_RGB
from napari_sonotempo.live.view import SHOWN, VIEWS, ViewStyle
from napari_sonotempo.shared.settings import LiveSettings
from sonotempo.structures import StructureSet

_LABEL_ROLE = Qt.ItemDataRole.UserRole


class ViewBox(QWidget):
    """Says how the stream is wanted, and remembers it.

    Args:
        settings: what was chosen last.
    """

    changed = Signal()

    def __init__(self, settings: LiveSettings) -> None:
        super().__init__()
        self._settings = settings
        self.views = _choice(["1 Single", "2 Side by side", "3 Difference"])
        self.shown = _choice(["A", "B", "both"])
        self.views.button(_index(VIEWS, settings.text("view", "side"))).setChecked(True)
        self.shown.button(_index(SHOWN, settings.text("shown", "A"))).setChecked(True)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(5, 100)
        self.opacity.setValue(int(settings.number("opacity", 50)))
        self.outline = QCheckBox("Outlines")
        self.outline.setChecked(settings.flag("outline", False))
        self.names = QCheckBox("Names")
        self.names.setChecked(settings.flag("names", True))
        self.structures = QListWidget()
        self.structures.setSelectionMode(self.structures.SelectionMode.NoSelection)
        self.structures.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.show_structures(None)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(_row(*self.views.buttons()))
        self._shown_row = QWidget()
        shown_row = _row(QLabel("Masks of"), *self.shown.buttons())
        shown_row.setContentsMargins(0, 0, 0, 0)
        self._shown_row.setLayout(shown_row)
        layout.addWidget(self._shown_row)
        layout.addWidget(self.legend)
        layout.addWidget(self.structures)
        layout.addLayout(_row(QLabel("Opacity"), self.opacity, self.outline, self.names))
        self.views.idClicked.connect(self._change)
        self.shown.idClicked.connect(self._change)
        self.opacity.valueChanged.connect(self._change)
        self.outline.toggled.connect(self._change)
        self.names.toggled.connect(self._change)
        self.structures.itemChanged.connect(self._change)
        self._show_rows()

    def style_wanted(self) -> ViewStyle:
        """Return what is chosen."""
        items = [self.structures.item(row) for row in range(self.structures.count())]
        return ViewStyle(
            VIEWS[self.views.checkedId()],
            SHOWN[self.shown.checkedId()],
            self.opacity.value() / 100,
            self.outline.isChecked(),
            self.names.isChecked(),
            frozenset(
                item.data(_LABEL_ROLE)
                for item in items
                if item.checkState() == Qt.CheckState.Unchecked
            ),
        )

    def set_view(self, index: int) -> None:
        """Choose a view; the single picture chosen again goes on to A, B, both."""
        if index == 0 and self.views.checkedId() == 0:
            self.shown.button((self.shown.checkedId() + 1) % len(SHOWN)).setChecked(True)
        self.views.button(index).setChecked(True)
        self._change()

    def show_structures(self, structures: StructureSet | None) -> None:
        """List what the models find, all visible."""
        with QSignalBlocker(self.structures):
            self.structures.clear()
            for label, structure in enumerate(structures or (), start=1):
                item = QListWidgetItem(_swatch(structure.color_rgb), structure.name)
                item.setData(_LABEL_ROLE, label)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Checked)
                self.structures.addItem(item)
        rows = min(8, self.structures.count())
        self.structures.setFixedHeight(rows * max(12, self.structures.sizeHintForRow(0)) + 6)
        self.structures.setVisible(rows > 0)

    def _change(self, *_: object) -> None:
        style = self.style_wanted()
        save = self._settings.save
        save("view", style.view)
        save("shown", style.shown)
        save("opacity", self.opacity.value())
        save("outline", style.outline)
        save("names", style.names)
        self._show_rows()
        self.changed.emit()

    def _show_rows(self) -> None:
        view = VIEWS[self.views.checkedId()]
        self._shown_row.setVisible(view == "one")
        self.legend.setVisible(view == "difference")
        self.legend.setText(
            "   ".join(
                f'<span style="color:rgb{rgb}">■</span> {name}'
                for name, rgb in zip(DIFFERENCE_NAMES, DIFFERENCE_RGB, strict=True)
            )
        )


def _index(options: tuple[str, ...], wanted: str) -> int:
    return options.index(wanted) if wanted in options else 0


def _choice(texts: list[str]) -> QButtonGroup:
    """Return buttons of which one is pressed."""
    group = QButtonGroup()
    for index, text in enumerate(texts):
        button = QPushButton(text)
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        group.addButton(button, index)
    return group


def _row(*widgets: QWidget) -> QHBoxLayout:
    layout = QHBoxLayout()
    layout.setSpacing(4)
    for widget in widgets:
        layout.addWidget(widget)
    return layout


def _swatch(rgb: tuple[int, int, int]) -> QIcon:
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor(*rgb))
    return QIcon(pixmap)
