"""Labelling a recording in a real window: draw, propagate, correct, accept, save, open again."""

import os

import numpy as np
import pytest

from sonotempo.structures import NERVE_VESSEL

pytestmark = pytest.mark.gui

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from qtpy.QtCore import Qt

    from fakes.label_window import FRAMES, LabelWindow, write_unlabelled


@pytest.fixture
def window(tmp_path, nothing_left, make_napari_viewer_proxy, qtbot):
    window = LabelWindow(make_napari_viewer_proxy(show=True), qtbot, tmp_path / "settings")
    yield window
    window.__dict__.clear()


@pytest.fixture
def drawn(window, tmp_path):
    """A recording with one drawn frame."""
    recording, truth_THW = write_unlabelled(tmp_path / "scan")
    window.open(recording)
    window.click(window.widget.target.new)
    window.draw(2, truth_THW[2])
    return truth_THW


def test_a_persons_path_from_the_first_stroke_to_training(window, drawn, tmp_path):
    from sonotempo.data.references import with_masks_of
    from sonotempo.io import open_dataset

    truth_THW = drawn
    assert window.kinds == ("none",) * 2 + ("human",) + ("none",) * (FRAMES - 3)
    window.propagate("after", "end")
    assert window.kinds == ("none",) * 2 + ("human",) + ("propagated",) * (FRAMES - 3)
    assert "13 frames have a propagated mask" in window.message
    carried_HW = np.array(window.masks[8])
    overlap = 2 * np.sum((carried_HW > 0) & (truth_THW[8] > 0))
    assert overlap / (np.sum(carried_HW > 0) + np.sum(truth_THW[8] > 0)) > 0.8

    window.draw(8, truth_THW[8])  # correct one
    assert window.kinds[8] == "human"
    window.propagate("before", "reviewed")
    assert window.kinds[3:8] == ("propagated",) * 5

    window.viewer.dims.set_current_step(0, 2)
    window.key(Qt.Key.Key_U)
    assert window.viewer.dims.current_step[0] == 3
    window.key(Qt.Key.Key_Y)
    window.click_strip(6)
    assert window.viewer.dims.current_step[0] == 6
    window.key(Qt.Key.Key_Y, Qt.KeyboardModifier.ShiftModifier)
    window.viewer.dims.set_current_step(0, FRAMES - 1)
    window.key(Qt.Key.Key_N)
    window.viewer.dims.set_current_step(0, 0)
    window.key(Qt.Key.Key_0)
    kinds = ("empty", "none", "human", *("accepted",) * 4, "propagated", "human")
    assert window.kinds == (*kinds, *("propagated",) * (FRAMES - 10), "none")
    assert "not saved" in window.widget.saving.summary.text()

    masks, origins = np.array(window.masks), window.masks.origins
    window.widget.files.save_to(tmp_path / "out")
    assert "not saved" not in window.widget.saving.summary.text()

    # Opened again: over the whole recording, and as the data set that models are trained on.
    drawn_in = window.labels
    window.widget.files.load(tmp_path / "out" / "anna" / "one")
    assert window.labels != drawn_in
    assert "14 masks from" in window.message
    assert window.masks.origins == origins
    np.testing.assert_array_equal(np.array(window.masks), masks)
    assert window.kinds[:9] == kinds
    (saved,) = open_dataset(tmp_path / "out", NERVE_VESSEL).recordings
    assert saved.name == "anna/one"
    numbers = saved.frame_numbers.tolist()
    assert {numbers[index]: saved.origin(index) for index in saved.labelled} == origins
    used = with_masks_of(saved, ["human", "accepted"])
    assert [numbers[index] for index in used.labelled] == [0, 2, 3, 4, 5, 6, 8]
    for index in used.labelled:
        np.testing.assert_array_equal(used.mask(index), masks[numbers[index]])
    assert len(with_masks_of(saved, ["human", "accepted", "propagated"]).labelled) == FRAMES - 2
