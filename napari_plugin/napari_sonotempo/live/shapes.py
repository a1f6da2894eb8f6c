"""Masks as outlines with sub-pixel edges, for drawing at any size."""

import cv2
import numpy as np
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QPainterPath, QPolygonF
from scipy import ndimage

from napari_sonotempo.live.picture import Mask
from sonotempo.recording import Image

_FINER = 4  # than the mask's pixels


def label_paths(mask: Mask) -> dict[int, QPainterPath]:
    """Return the outline of every label that occurs, in pixels of the frame.

    Each label is enlarged by linear interpolation, so that its edge has no steps. Holes are kept.
    """
    paths = {}
    for label, box in enumerate(ndimage.find_objects(mask.labels_HW), start=1):
        if box is not None:
            inside_HW = (mask.labels_HW[box] == label).astype(np.uint8)
            paths[label] = _path(inside_HW, (box[0].start, box[1].start), mask)
    return paths


def _path(inside_HW: Image, first: tuple[int, int], mask: Mask) -> QPainterPath:
    """Trace one label.

    Args:
        inside_HW: 1 inside, in the label's bounding box.
        first: the box's first row and column in the mask.
        mask: where the mask is in the frame.
    """
    rows, columns = mask.labels_HW.shape
    height, width = inside_HW.shape
    top, left = first
    # A border, so that the edge of the region is an edge of the enlarged one too; where the mask
    # ends, the border repeats it, so that the outline reaches the end.
    padded_HW = np.zeros((height + 2, width + 2), np.uint8)
    padded_HW[1:-1, 1:-1] = inside_HW * np.uint8(255)
    if top == 0:
        padded_HW[0] = padded_HW[1]
    if top + height == rows:
        padded_HW[-1] = padded_HW[-2]
    if left == 0:
        padded_HW[:, 0] = padded_HW[:, 1]
    if left + width == columns:
        padded_HW[:, -1] = padded_HW[:, -2]
    fine_HW = cv2.resize(
        padded_HW, None, fx=_FINER, fy=_FINER, interpolation=cv2.INTER_LINEAR_EXACT
    )
    _, inside_fine_HW = cv2.threshold(fine_HW, 127, 1, cv2.THRESH_BINARY)
    contours, _ = cv2.findContours(inside_fine_HW, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_TC89_L1)
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.OddEvenFill)
    step_y, step_x = mask.region.height / rows, mask.region.width / columns
    for contour in contours:
        if len(contour) < 3:
            continue
        points_N2 = (contour[:, 0] + 0.5) / _FINER - 1  # x, y from the box's first pixel
        # The repeated border reaches beyond the mask's end.
        xs = mask.region.left + np.clip(left + points_N2[:, 0], 0, columns) * step_x
        ys = mask.region.top + np.clip(top + points_N2[:, 1], 0, rows) * step_y
        points = zip(xs.tolist(), ys.tolist(), strict=True)
        path.addPolygon(QPolygonF([QPointF(x, y) for x, y in points]))
        path.closeSubpath()
    return path
