"""Outlines of masks lie where the masks are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import QPointF

from napari_sonotempo.live.picture import Mask, Region
from napari_sonotempo.live.shapes import label_paths


@given(
    top=st.integers(0, 20), left=st.integers(0, 20), height=st.integers(2, 12),
    width=st.integers(2, 12), scale=st.floats(0.5, 4.0),
)  # fmt: skip
def test_an_outline_goes_round_its_label(top, left, height, width, scale):
    labels_HW = np.zeros((32, 32), np.uint8)
    labels_HW[top : top + height, left : left + width] = 2
    mask = Mask(labels_HW, Region(5.0, 7.0, 32 * scale, 32 * scale))
    ((label, path),) = label_paths(mask).items()
    assert label == 2
    box = path.boundingRect()
    # Within half a pixel of the mask.
    assert box.top() == pytest.approx(5 + top * scale, abs=0.5 * scale)
    assert box.left() == pytest.approx(7 + left * scale, abs=0.5 * scale)
    assert box.bottom() == pytest.approx(5 + (top + height) * scale, abs=0.5 * scale)
    assert box.right() == pytest.approx(7 + (left + width) * scale, abs=0.5 * scale)
    middle = QPointF(7 + (left + width / 2) * scale, 5 + (top + height / 2) * scale)
    assert path.contains(middle)


def test_holes_are_kept():
    labels_HW = np.ones((20, 20), np.uint8)
    labels_HW[8:12, 8:12] = 0
    path = label_paths(Mask(labels_HW, Region(0, 0, 20, 20)))[1]
    assert path.contains(QPointF(3, 3))
    assert not path.contains(QPointF(10, 10))


def test_nothing_gives_no_outline():
    assert label_paths(Mask(np.zeros((8, 8), np.uint8), Region(0, 0, 8, 8))) == {}
