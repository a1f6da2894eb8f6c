"""How the stream is shown: view, whose masks, structures, opacity, outlines, names."""

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_sonotempo.live.view import SHOWN, VIEWS, ViewStyle
from napari_sonotempo.shared.layouts import row
from napari_sonotempo.shared.settings import LiveSettings
from sonotempo.structures import StructureSet

#: Structures that a model is less sure of than this are hatched at first, in percent.
UNSURE_BELOW = 60

_LABEL_ROLE = Qt.ItemDataRole.UserRole


class ViewBox(QWidget):
    """Lets the user choose how the stream is shown, and remembers the choice.

    Args:
        settings: the last choice.
    """

    changed = Signal()

    def __init__(self, settings: LiveSettings) -> None:
        super().__init__()
        self._settings = settings
        self.views = _choice(
            ("Single", "Side by side", "Difference"), VIEWS, settings.text("view", "side")
        )
        self.shown = _choice(SHOWN, SHOWN, settings.text("shown", "A"))
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(5, 100)
        self.opacity.setValue(int(settings.number("opacity", 50)))
        self.unsure_below = QSpinBox()
        self.unsure_below.setRange(0, 95)
        self.unsure_below.setSingleStep(5)
        self.unsure_below.setSuffix(" %")
        self.unsure_below.setSpecialValueText("never")
        self.unsure_below.setValue(int(settings.number("unsure below", UNSURE_BELOW)))
        self.outline = QCheckBox("Outlines")
        self.outline.setChecked(settings.flag("outline", False))
        self.names = QCheckBox("Names")
        self.names.setChecked(settings.flag("names", True))
        self.structures = QListWidget()
        self.structures.setSelectionMode(self.structures.SelectionMode.NoSelection)
        self.structures.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.whole_frame = QCheckBox("Whole frame")
        self.whole_frame.setChecked(settings.flag("whole frame", False))
        self.show_structures(None)
        self._shown_row = row(QLabel("Masks of"), *self.shown.buttons())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (
            row(*self.views.buttons()),
            self._shown_row,
            row(QLabel("Opacity"), self.opacity),
            row(QLabel("Hatch if less sure than"), self.unsure_below),
            row(self.outline, self.names),
            self.whole_frame,
            self.structures,
        ):
            layout.addWidget(widget)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        for signal in (
            self.views.idClicked,
            self.shown.idClicked,
            self.opacity.valueChanged,
            self.unsure_below.valueChanged,
            self.outline.toggled,
            self.names.toggled,
            self.whole_frame.toggled,
            self.structures.itemChanged,
        ):
            signal.connect(self._change)
        self._explain()
        self._show_rows()

    def _explain(self) -> None:
        """Say in tool tips what the controls do, and their keys."""
        for index, tip in enumerate(
            (
                "one picture (1; again: the masks of B, of both)",
                "the same frame twice, with the masks of A and of B (2)",
                "where A and B disagree (3)",
            )
        ):
            self.views.button(index).setToolTip(tip)
        for index, tip in enumerate(("model A", "model B", "both, as outlines")):
            self.shown.button(index).setToolTip(f"the single picture shows {tip}")
        self.opacity.setToolTip("opacity of the masks; fainter the less sure a model is")
        self.unsure_below.setToolTip(
            "structures that a model is less sure of than this are hatched: do not trust them. "
            "How sure it is: the share of such pixels that were right on validation frames, if the "
            "model was calibrated at its export; else the network's own probability"
        )
        self.outline.setToolTip("outlines instead of filled masks")
        self.names.setToolTip("names next to the structures; the legend always has them")
        self.whole_frame.setToolTip(
            "also what lies outside the ultrasound image, such as the scanner's texts"
        )
        self.structures.setToolTip("which structures are drawn")

    def style_wanted(self) -> ViewStyle:
        """Return what is chosen."""
        items = [self.structures.item(line) for line in range(self.structures.count())]
        return ViewStyle(
            VIEWS[self.views.checkedId()],
            SHOWN[self.shown.checkedId()],
            self.opacity.value() / 100,
            self.outline.isChecked(),
            self.names.isChecked(),
            self.whole_frame.isChecked(),
            frozenset(
                item.data(_LABEL_ROLE)
                for item in items
                if item.checkState() == Qt.CheckState.Unchecked
            ),
            self.unsure_below.value() / 100,
        )

    def set_view(self, index: int) -> None:
        """Choose a view; choosing the single view again cycles through A, B and both."""
        if index == 0 and self.views.checkedId() == 0:
            self.shown.button((self.shown.checkedId() + 1) % len(SHOWN)).setChecked(True)
        self.views.button(index).setChecked(True)
        self._change()

    def show_structures(self, structures: StructureSet | None) -> None:
        """List the structures that the models find, all visible."""
        with QSignalBlocker(self.structures):
            self.structures.clear()
            for label, structure in enumerate(structures or (), start=1):
                pixmap = QPixmap(12, 12)
                pixmap.fill(QColor(*structure.color_rgb))
                item = QListWidgetItem(QIcon(pixmap), structure.name)
                item.setData(_LABEL_ROLE, label)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Checked)
                self.structures.addItem(item)
        lines = min(8, self.structures.count())
        self.structures.setFixedHeight(lines * max(12, self.structures.sizeHintForRow(0)) + 6)
        self.structures.setVisible(lines > 0)

    def _change(self, *_: object) -> None:
        style = self.style_wanted()
        save = self._settings.save
        save("view", style.view)
        save("shown", style.shown)
        save("opacity", self.opacity.value())
        save("unsure below", self.unsure_below.value())
        save("outline", style.outline)
        save("names", style.names)
        save("whole frame", style.whole_frame)
        self._show_rows()
        self.changed.emit()

    def _show_rows(self) -> None:
        # Disabled, not hidden, so that nothing moves under the pointer.
        self._shown_row.setEnabled(VIEWS[self.views.checkedId()] == "one")


def _choice(texts: tuple[str, ...], values: tuple[str, ...], chosen: str) -> QButtonGroup:
    """Return one button for each value, of which one is pressed."""
    group = QButtonGroup()
    for index, text in enumerate(texts):
        button = QPushButton(text)
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        group.addButton(button, index)
    group.button(values.index(chosen) if chosen in values else 0).setChecked(True)
    return group
