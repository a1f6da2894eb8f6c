"""The shape of a curved or phased array's image in its frame."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sonotempo.errors import RecordingError

_FAR_PX = 1e6
_STEEP_RAD = 1.5
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Sector:
    """The shape of a curved or phased array's image: a ring's sector around an apex.

    Places are in pixels of the frame, which are square; angles are from straight down, positive to
    the right.

    Attributes:
        apex_row: of the point where the scan lines meet, above the image or at its top.
        apex_column: likewise.
        inner_px: radius of the transducer's surface; 0 of a phased array.
        outer_px: radius of the deepest points.
        left_rad: of the first scan line.
        right_rad: of the last one.
    """

    apex_row: float
    apex_column: float
    inner_px: float
    outer_px: float
    left_rad: float
    right_rad: float

    def __post_init__(self) -> None:
        if not (
            0 <= self.inner_px < self.outer_px < _FAR_PX
            and -_STEEP_RAD < self.left_rad < self.right_rad < _STEEP_RAD
            and abs(self.apex_row) < _FAR_PX
            and abs(self.apex_column) < _FAR_PX
        ):
            raise RecordingError(
                f"{self} is no sector; expected 0 <= inner_px < outer_px and "
                "-1.5 < left_rad < right_rad < 1.5"
            )

    def within(self, top: int, left: int) -> "Sector":
        """Return it in the pixels of a part of the frame that begins at a row and a column.

        >>> Sector(10.0, 30.0, 5.0, 50.0, -0.5, 0.5).within(4, 20).apex_column
        10.0
        """
        return replace(self, apex_row=self.apex_row - top, apex_column=self.apex_column - left)

    def inside(self, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which places of a grid are in the sector, HW.

        >>> wedge = Sector(0.0, 2.0, 0.0, 4.0, -0.7, 0.7)
        >>> wedge.inside(np.arange(3.0), np.arange(5.0)).astype(int)
        array([[0, 0, 1, 0, 0],
               [0, 0, 1, 0, 0],
               [0, 1, 1, 1, 0]])

        Args:
            rows: of the grid, in pixels of the frame.
            columns: likewise.
        """
        down, right = rows[:, None] - self.apex_row, columns[None] - self.apex_column
        radius, angle = np.hypot(down, right), np.arctan2(right, np.maximum(down, 1e-9))
        within: NDArray[np.bool_] = (
            (self.inner_px <= radius)
            & (radius <= self.outer_px)
            & (down >= 0)
            & (
                (self.left_rad - _ROUNDING <= angle) & (angle <= self.right_rad + _ROUNDING)
                | (radius == 0)
            )
        )
        return within
