"""A window that plays a simulated scan among a scanner's texts and its ruler."""

from itertools import islice

from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtGui import QColor, QImage, QPainter, QPixmap
from qtpy.QtWidgets import QLabel, QWidget

from sonotempo.phantom.settings import phantom_settings
from sonotempo.phantom.simulate import cast, simulate

#: Where the image is in the window.
LEFT, TOP = 120, 60
TICK_MM = 10


class ScannerWindow(QWidget):
    """Shows the scan, with a tick of the ruler every 10 mm to the left of the image."""

    def __init__(self, *, size: int = 256, frames: int = 40, seed: int = 1) -> None:
        super().__init__(None, Qt.WindowType.ToolTip)
        scene = phantom_settings(procedure="axillary", subjects=1, seconds=4, size=size, seed=seed)
        shown = list(islice(simulate(cast(scene, 0), scene), frames))
        self.images = [frame.image_HW for frame in shown]
        spacing_mm = shown[0].spacing_mm
        assert spacing_mm is not None  # of a simulation it is known
        self.mm_per_px = spacing_mm[0]
        height, width = self.images[0].shape
        self.setGeometry(0, 0, width + LEFT + 40, height + TOP + 40)
        self.setStyleSheet("background: #202428; color: #d0d0d0")
        QLabel("GENERAL HOSPITAL   MI 0.9  TIS 0.2   12 MHz", self).move(8, 8)
        QLabel("B-MODE\nGain 52\nDR 60\nPersist 2", self).move(8, 90)
        self._ruler = QLabel(self)
        self._ruler.setGeometry(LEFT - 30, TOP, 26, height)
        self._ruler.setPixmap(self._drawn_ruler(height))
        self._picture = QLabel(self)
        self._picture.setGeometry(LEFT, TOP, width, height)
        self._number = 0
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._play)
        self._timer.start(40)

    def tick(self, mm: float) -> tuple[float, float]:
        """Return row and column in the window of a tick of the ruler."""
        return TOP + mm / self.mm_per_px, LEFT - 10

    def _drawn_ruler(self, height: int) -> QPixmap:
        ruler = QPixmap(26, height)
        ruler.fill(QColor("#202428"))
        painter = QPainter(ruler)
        painter.setPen(QColor("#d0d0d0"))
        for number in range(1 + int(height * self.mm_per_px / TICK_MM)):
            row = round(number * TICK_MM / self.mm_per_px)
            painter.drawLine(QPoint(14, row), QPoint(25, row))
        painter.end()
        return ruler

    def _play(self) -> None:
        image = self.images[self._number % len(self.images)].copy()
        height, width = image.shape
        self._picture.setPixmap(
            QPixmap(QImage(image.data, width, height, width, QImage.Format.Format_Grayscale8))
        )
        self._number += 1
