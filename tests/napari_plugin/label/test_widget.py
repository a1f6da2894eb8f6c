"""Labelling a recording in a real window: draw, propagate, correct, accept, save, open again."""

import os
import threading

import numpy as np
import pytest

from fakes.onnx_models import write_model
from sonotempo.io.marks import marks_path, read_marks
from sonotempo.label_origin import Origin
from sonotempo.structures import AXILLARY, NERVE_VESSEL

pytestmark = pytest.mark.gui

if not os.environ.get("SONOTEMPO_SKIP_GUI"):
    from qtpy.QtCore import Qt
    from qtpy.QtGui import QShortcut
    from qtpy.QtTest import QTest

    from fakes.label_window import FRAMES, LabelWindow, hold, label_threads, write_unlabelled
    from napari_sonotempo.label.draft_keeper import DraftKeeper
    from napari_sonotempo.label.drafts import read_draft
    from napari_sonotempo.label.keys import KEYS
    from napari_sonotempo.label.labelling import Labelling
    from napari_sonotempo.shared.jobs import Jobs
    from napari_sonotempo.shared.lazy_masks import LazyMasks
    from napari_sonotempo.shared.mark_menu import mark_texts, save_mark_texts


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
    assert "propagated masks: 13" in window.message
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
    window.key(Qt.Key.Key_G)
    window.click_strip(6)
    assert window.viewer.dims.current_step[0] == 6
    window.key(Qt.Key.Key_G, Qt.KeyboardModifier.ShiftModifier)
    window.viewer.dims.set_current_step(0, FRAMES - 1)
    window.key(Qt.Key.Key_N)
    window.viewer.dims.set_current_step(0, 0)
    window.key(Qt.Key.Key_0)
    kinds = ("empty", "none", "human", *("accepted",) * 4, "propagated", "human")
    assert window.kinds == (*kinds, *("propagated",) * (FRAMES - 10), "none")
    assert "not saved" in window.widget.saving.summary.text()

    masks, origins = np.array(window.masks), window.masks.origins
    window.widget.files.save_to(tmp_path / "out")
    window.wait(lambda: "not saved" not in window.widget.saving.summary.text(), "the state")

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


def test_a_propagation_is_cancelled_undone_as_one_step_and_keeps_paint(window, tmp_path):
    recording, truth_THW = write_unlabelled(tmp_path / "scan")
    held = hold(recording, 9)
    window.open(recording)
    window.click(window.widget.target.new)
    window.draw(2, truth_THW[2])
    box = window.widget.propagate
    box.reach.setCurrentIndex(box.reach.findData("end"))
    window.click(box.buttons["after"])
    window.wait(held.reached.is_set, "the frame that waits")
    assert not box.buttons["after"].isEnabled()
    window.draw(FRAMES - 1, truth_THW[2])  # somebody paints meanwhile
    window.key(Qt.Key.Key_W)
    assert "cancel the propagation first" in window.message
    window.click(box.cancel)
    held.released.set()
    window.wait_end()
    assert "Cancelled" in window.message
    done = window.kinds.count("propagated")
    assert 0 < done < FRAMES - 4
    window.draw(4, truth_THW[4])
    window.key(Qt.Key.Key_W)
    assert "changed since: 1" in window.message
    humans = {index for index, kind in enumerate(window.kinds) if kind == "human"}
    assert (humans, window.kinds.count("none")) == ({2, 4, FRAMES - 1}, FRAMES - 3)
    window.labels.undo()  # napari's own: the last strokes, which were on frame 4
    window.labels.undo()
    assert window.kinds[4] in {"none", "human"}
    np.testing.assert_array_equal(window.masks[2], truth_THW[2])


def test_every_mistake_is_one_sentence(window, tmp_path):
    widget, viewer = window.widget, window.viewer
    for name in widget.review.buttons:
        window.click(widget.review.buttons[name])
    window.click(widget.propagate.buttons["both"])
    window.click(widget.target.new)
    widget.files.save_to(tmp_path / "out")
    assert "no time series is open to label" in window.message
    viewer.add_image(np.zeros((4, 4)), name="still")
    assert widget.target.image is None

    recording, truth_THW = write_unlabelled(tmp_path / "scan")
    window.open(recording)
    viewer.add_labels(np.ones((3, 5, 6), np.uint8), name="small")
    window.click(widget.propagate.buttons["both"])
    assert "no layer of masks fits" in window.message
    assert "'small' is 3x5x6: press New" in window.message

    big = viewer.add_labels(np.full((FRAMES, 64, 64), 300, np.int32), name="big")
    assert "holds label values from 300 to 300" in window.message
    viewer.layers.remove(big)
    mine = np.zeros((FRAMES, 64, 64), np.int32)
    mine[5] = truth_THW[5]
    layer = viewer.add_labels(mine, name="mine")
    assert window.labels == layer
    assert window.kinds[4:7] == ("none", "human", "none")
    assert list(layer.features["structure"])[1:] == list(NERVE_VESSEL.names)
    assert np.array_equal(layer.data[5], truth_THW[5])
    window.draw(6, truth_THW[6])
    assert window.kinds[6] == "human"

    viewer.dims.set_current_step(0, 0)
    window.click(widget.propagate.buttons["after"])
    assert "draw, correct or accept it" in window.message
    (tmp_path / "taken").write_text("a file")
    widget.files.save_to(tmp_path / "taken")
    assert "✗" in widget.messages.toPlainText()
    widget.files.load(tmp_path / "scan" / "anna" / "one")
    assert "holds no masks" in window.message
    write_model(tmp_path / "armpit.onnx", structures=AXILLARY)
    widget.propagate.choose_model(tmp_path / "armpit.onnx")
    viewer.dims.set_current_step(0, 5)
    window.propagate("after", "end")
    assert "choose a model of the same structures" in window.message
    assert widget.target.structures.currentText() == "the recording's structures"
    widget.target.structures.setCurrentText("nerve, nerve")
    window.click(widget.target.new)
    assert "nerve" in window.message.splitlines()[-1]
    viewer.layers.clear()
    assert window.kinds == ()


def test_a_frame_that_cannot_be_read_is_passed_over_and_named(window, tmp_path):
    recording, truth_THW = write_unlabelled(tmp_path / "scan")
    (tmp_path / "scan" / "anna" / "one" / "frame_7.zraw").unlink(missing_ok=True)
    (tmp_path / "scan" / "anna" / "one" / "frame_7.raw").unlink(missing_ok=True)
    window.open(recording)
    window.click(window.widget.target.new)
    window.draw(5, truth_THW[5])
    window.propagate("after", "end")
    assert "frame 7 cannot be read" in window.message
    assert window.kinds[6:9] == ("propagated", "none", "propagated")


def test_marks_are_set_shown_removed_and_exported(window, drawn, tmp_path):
    widget = window.widget
    window.viewer.dims.set_current_step(0, 4)
    window.key(Qt.Key.Key_K)
    menu = widget.marks.menu
    window.wait(menu.isVisible, "the list of marks")
    window.viewer.dims.set_current_step(0, 9)  # the frame at the key's time counts
    QTest.keyClick(menu, Qt.Key.Key_2)
    widget.marks.set_mark(6, "spread, circular")
    assert [(mark.index, mark.text) for mark in widget.review.strip.marks] == [
        (4, "needle out"), (6, "spread, circular")
    ]  # fmt: skip
    window.viewer.dims.set_current_step(0, 4)
    assert widget.marks.here.text() == "2 marks; here: needle out"
    widget.marks.save_table(tmp_path / "marks.csv")
    rows = (tmp_path / "marks.csv").read_text().splitlines()
    assert rows == ["time_s,frame,mark", "0.200,4,needle out", '0.300,6,"spread, circular"']
    window.click(widget.marks.remove)
    recording, _ = write_unlabelled(tmp_path / "scan")
    assert [mark.text for mark in read_marks(recording)] == ["spread, circular"]
    marks_path(recording).unlink()
    marks_path(recording).mkdir()  # as good as a folder that cannot be written
    widget.marks.set_mark(7, "block done")
    assert "cannot be written" in window.message
    assert "stay here until you export them" in window.message
    assert len(widget.review.strip.marks) == 2
    save_mark_texts(widget._settings, ("a; b", "", " c "))
    assert mark_texts(widget._settings) == ("a, b", "c")


def test_keys_are_none_of_naparis(window):
    from napari.settings import get_settings

    shortcuts = get_settings().shortcuts.shortcuts.values()
    taken = {str(key) for keys in shortcuts for key in keys}
    assert "Shift+V" in taken  # spelt as ours are
    assert set(KEYS) & taken == set()
    pressed = []
    for shortcut in window.window.findChildren(QShortcut):
        key = shortcut.key().toString()
        if key in KEYS:  # in the menus too, one of two would be ambiguous
            shortcut.activated.connect(lambda key=key: pressed.append(key))
    for key in KEYS:
        is_shifted = key.startswith("Shift+")
        modifier = Qt.KeyboardModifier.ShiftModifier if is_shifted else None
        code = getattr(Qt.Key, f"Key_{key.removeprefix('Shift+')}")
        window.key(code, modifier or Qt.KeyboardModifier.NoModifier)
    assert pressed == list(KEYS)
    window.widget.hide()
    window.key(Qt.Key.Key_U)
    assert pressed == list(KEYS)


# --- closed in the middle ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["window", "dock"])
def test_closing_in_the_middle_loses_nothing(window, tmp_path, how):
    recording, truth_THW = write_unlabelled(tmp_path / "scan")
    held = hold(recording, 9)
    window.open(recording)
    window.click(window.widget.target.new)
    window.draw(2, truth_THW[2])
    box = window.widget.propagate
    box.reach.setCurrentIndex(box.reach.findData("end"))
    window.click(box.buttons["after"])
    window.wait(held.reached.is_set, "the frame that waits")
    threading.Timer(0.3, held.released.set).start()
    if how == "window":
        window.viewer.close()
    else:
        window.dock.destroyOnClose()
    window.widget = window.dock = None
    (path,) = (tmp_path / "settings" / "sonotempo" / "drafts").glob("*.zip")  # at once
    window.qtbot.waitUntil(lambda: not label_threads(), timeout=10_000)
    draft = read_draft(path)
    assert draft.origins[2] == Origin()
    np.testing.assert_array_equal(draft.masks[2], truth_THW[2])
    if how == "dock":
        window.viewer.dims.set_current_step(0, 1)  # nobody answers any more


def test_a_draft_is_offered_and_given_back(window, tmp_path):
    recording, truth_THW = write_unlabelled(tmp_path / "scan")
    masks = LazyMasks(recording, masks={})
    masks.give(3, truth_THW[3], Origin())
    masks.give(4, truth_THW[4], Origin("propagated"))
    keeper = DraftKeeper(window.widget._settings.folder / "drafts", Jobs())
    keeper.follow(Labelling(masks, NERVE_VESSEL))
    keeper.finish()
    offer = window.widget.offer
    assert offer.isHidden()
    window.open(recording)
    assert not offer.isHidden()
    window.click(offer.take)
    assert offer.isHidden()
    assert window.kinds[2:6] == ("none", "human", "propagated", "none")
    np.testing.assert_array_equal(window.masks[3], truth_THW[3])
    assert "not saved" in window.widget.saving.summary.text()
    window.widget.files.save_to(tmp_path / "out")
    folder = window.widget._settings.folder / "drafts"
    window.wait(lambda: not list(folder.glob("*.zip")), "the draft to go")
    window.viewer.layers.clear()
    window.wait(lambda: not window.widget.work, "the memory to be freed")
    window.open(recording)
    assert "were saved in" in offer.sentence.text()
    window.click(offer.take)
    assert window.kinds[2:6] == ("none", "human", "propagated", "none")
