"""A time on the bar, in a width that does not change."""

from qtpy.QtCore import Qt
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QLabel

_WIDEST = "00:00 / 00:00"


class TimeLabel(QLabel):
    """Shows how far back the picture is, or where in a recording it is."""

    def __init__(self) -> None:
        super().__init__()
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMinimumHeight(1)  # not that of its text, which would move the buttons
        self.setFixedWidth(QFontMetrics(self.font()).horizontalAdvance(_WIDEST) + 8)

    def show_back(self, seconds: float) -> None:
        """Show how far before the freeze the picture is."""
        self.setText(f"−{abs(seconds):.2f} s")

    def show_place(self, seconds: float, whole_s: float) -> None:
        """Show where in a recording the picture is."""
        self.setText(f"{clock(seconds)} / {clock(whole_s)}")


def clock(seconds: float) -> str:
    """Return minutes and seconds.

    >>> clock(75.25), clock(3.0)
    ('1:15', '0:03')
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
