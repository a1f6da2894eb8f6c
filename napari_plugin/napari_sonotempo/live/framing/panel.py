"""The controls for the image's box and its scale."""

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QDoubleSpinBox,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_sonotempo.live.framing.draft import Draft, Tool
from napari_sonotempo.shared.layouts import row
from sonotempo.recording import Box, Spacing

_TOOLS: tuple[Tool, ...] = ("box", "ruler")
_HELP = {
    "box": "Drag the box, its edges or its corners to the ultrasound image, without menus.",
    "ruler": "Click two ticks of the scanner's ruler, far apart, and enter their distance; or "
    "enter the depth of the box.",
}


class FramingPanel(QWidget):
    """Controls only: signals report what the user wants."""

    begin_wanted = Signal()
    tool_wanted = Signal(str)
    whole_wanted = Signal()
    find_wanted = Signal()
    corners_wanted = Signal()
    keep_wanted = Signal()
    cancel_wanted = Signal()
    scale_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.now = _text()
        self.begin = _button("Set box and scale…", "show the whole frame, and mark what is what")
        self.begin.clicked.connect(lambda _=False: self.begin_wanted.emit())
        self.help, self.measured = _text(), _text()
        self.tools = QButtonGroup(self)
        for number, (text, tip) in enumerate(
            (
                ("Box", "where the ultrasound image is in the frame"),
                ("Ruler", "how large a pixel is"),
            )
        ):
            button = _button(text, tip)
            button.setCheckable(True)
            self.tools.addButton(button, number)
        self.tools.idClicked.connect(lambda number: self.tool_wanted.emit(_TOOLS[number]))
        self.distance_mm = _millimetres("between the two ticks, as the ruler says", 10.0)
        self.depth_mm = _millimetres(
            "from the first to the last row of the box, as the scanner shows it", 0.0
        )
        self.depth_mm.setSpecialValueText("–")
        self.whole = _button("Whole frame", "the image fills the frame")
        self.search = _button("Find", "look for the part of the frame that changes while scanning")
        self.corners = _button(
            "Not a sector", "the image fills its box: its corners are segmented too"
        )
        self.keep = _button("Keep", "use the box and the scale from now on")
        self.cancel = _button("Cancel", "leave everything as it was")
        for button, signal in (
            (self.whole, self.whole_wanted),
            (self.search, self.find_wanted),
            (self.corners, self.corners_wanted),
            (self.keep, self.keep_wanted),
            (self.cancel, self.cancel_wanted),
        ):
            button.clicked.connect(lambda _=False, wanted=signal: wanted.emit())
        self.distance_mm.valueChanged.connect(lambda _: self._take_ruler())
        self.depth_mm.valueChanged.connect(lambda _: self.scale_changed.emit())
        self._steps = QWidget()
        steps = QVBoxLayout(self._steps)
        steps.setContentsMargins(0, 0, 0, 0)
        for widget in (
            row(*self.tools.buttons()),
            self.help,
            row(self.whole, self.search, self.corners),
            row(QLabel("Ticks are"), self.distance_mm, QLabel("apart")),
            row(QLabel("or the box is"), self.depth_mm, QLabel("deep")),
            self.measured,
            row(self.keep, self.cancel),
        ):
            steps.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.now, self.begin, self._steps):
            layout.addWidget(widget)
        self.show_draft(None, "")

    def show_now(self, area: Box | None, spacing_mm: Spacing | None, *, can_set: bool) -> None:
        """Say what holds for the frame on screen.

        Args:
            area: of it.
            spacing_mm: of it.
            can_set: whether the source takes another.
        """
        where = "the whole frame" if area is None else f"{area.shape[1]}×{area.shape[0]} pixels"
        scale = "no scale: nothing is given in mm"
        if spacing_mm is not None:
            scale = f"{spacing_mm[0]:.3g} mm per pixel"
        self.now.setText(f"Image: {where}; {scale}")
        self.begin.setEnabled(can_set)

    def show_draft(self, draft: Draft | None, measured: str) -> None:
        """Show the steps while something is set up, or the button that begins it.

        Args:
            draft: what has been drawn, or None.
            measured: the scale that results, in words.
        """
        self.begin.setVisible(draft is None)
        self._steps.setVisible(draft is not None)
        if draft is None:
            return
        with QSignalBlocker(self.tools):
            self.tools.button(_TOOLS.index(draft.tool)).setChecked(True)
        self.help.setText(_HELP[draft.tool])
        self.corners.setEnabled(draft.sector is not None)
        self.measured.setText(measured)

    def forget_depth(self) -> None:
        """Let the ticks count."""
        with QSignalBlocker(self.depth_mm):
            self.depth_mm.setValue(0.0)

    def _take_ruler(self) -> None:
        self.forget_depth()
        self.scale_changed.emit()


def _text() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return button


def _millimetres(tip: str, value: float) -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    field.setRange(0.0, 400.0)
    field.setDecimals(1)
    field.setSuffix(" mm")
    field.setValue(value)
    field.setToolTip(tip)
    return field
