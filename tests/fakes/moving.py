"""Speckle that moves by known steps, and the discs that move with it."""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

SIZE = 96
y, x = np.mgrid[:SIZE, :SIZE].astype(float)


def tissue(seed=0):
    """Return speckle larger than a frame, so that it can move."""
    random = np.random.default_rng(seed)
    grey = gaussian_filter(random.rayleigh(1.0, (3 * SIZE, 3 * SIZE)), 1.5) * 90
    return np.clip(grey, 0, 255)


TISSUE = tissue()


def seen(picture, down, right, order=1):
    """Return a frame of moved tissue; ``down`` and ``right``: numbers or HW arrays of pixels."""
    places = (y + SIZE - down, x + SIZE - right)
    return map_coordinates(picture, places, order=order, mode="nearest").astype(np.uint8)


def discs(labels=(1,)):
    """Return discs of different labels in rows, in the coordinates of the tissue."""
    rows, columns = np.mgrid[: 3 * SIZE, : 3 * SIZE]
    mask = np.zeros((3 * SIZE, 3 * SIZE), np.uint8)
    for place, label in enumerate(labels):
        middle = (SIZE + 30 + 16 * (place // 3), SIZE + 24 + 22 * (place % 3))
        mask[(rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 < 49] = label
    return mask


def steady(count=10, step=(0.6, 1.0)):
    """Return where the tissue is in every frame: (down, right) in pixels."""
    return [(step[0] * index, step[1] * index) for index in range(count)]


def scene(moves, labels=(1,)):
    """Return the frames THW of moved tissue and their true masks."""
    frames = np.stack([seen(TISSUE, *move) for move in moves])
    return frames, np.stack([seen(discs(labels), *move, order=0) for move in moves])


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())
