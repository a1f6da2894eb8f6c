"""The screen of a scanner: an image that changes, among letters, a ruler and a clock."""

import numpy as np

from sonotempo.framing import Framing
from sonotempo.recording import Box

SHAPE = (240, 320)
AREA = Box(40, 80, 200, 280)
FRAMING = Framing(SHAPE, AREA, 0.1)


def screen(seed=0, *, menu=0, clock=0):
    """A frame of a scanner: noise in the image, letters around it."""
    frame = np.full(SHAPE, 30, np.uint8)
    letters = np.random.default_rng(menu)
    for row in range(4, 230, 12):
        for column in range(4, 70, 6):
            frame[row : row + 7, column : column + 4] = 30 if letters.random() < 0.4 else 220
    frame[4:12, 290:298] = 200 if clock % 2 else 30
    # Speckle is correlated over a few pixels.
    speckle = np.random.default_rng(seed).gamma(2, 25, (AREA.shape[0] // 4, AREA.shape[1] // 4))
    tissue = np.kron(speckle, np.ones((4, 4))).clip(0, 255)
    frame[AREA.top : AREA.bottom, AREA.left : AREA.right] = tissue
    return frame
