"""Layouts that several panels use."""

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QWidget,
)


def form(*rows: tuple[str, QWidget] | QWidget) -> QWidget:
    """Return labelled fields, and fields without a label, that take the whole width."""
    whole = QWidget()
    layout = QFormLayout(whole)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for one in rows:
        if isinstance(one, QWidget):
            layout.addRow(one)
        else:
            layout.addRow(*one)
    return whole


def row(*widgets: QWidget) -> QWidget:
    """Return widgets side by side."""
    whole = QWidget()
    layout = QHBoxLayout(whole)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for widget in widgets:
        layout.addWidget(widget)
    return whole


def browsing(field: QWidget, pressed: Callable[[], object], tip: str = "") -> QWidget:
    """Return a field with a "…" button that opens a file dialog."""
    button = QPushButton("…")
    button.setFixedWidth(28)
    button.setToolTip(tip)
    button.clicked.connect(lambda _=False: pressed())
    return row(field, button)


def scroll_area(inner: QWidget) -> QScrollArea:
    """Return contents that scroll vertically where they do not fit."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(inner)
    return area
