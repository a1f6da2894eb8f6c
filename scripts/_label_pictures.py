"""Pictures of labelling: one path from a drawn mask to reviewed masks that are opened again."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from _window import open_viewer, save, wait, wait_for

FIRST, SECOND, CORRECTED, SHOWN = 8, 52, 30, 20


def picture_label(out: Path) -> None:
    """Draw on two frames of a simulated recording, propagate, review, save, open again."""
    from napari_sonotempo.label.widget import LabelWidget  # noqa: PLC0415
    from sonotempo.phantom.cohort import write_cohort  # noqa: PLC0415
    from sonotempo.phantom.settings import phantom_settings  # noqa: PLC0415

    viewer = open_viewer()
    viewer.window.resize(1280, 960)
    with tempfile.TemporaryDirectory(prefix="sonotempo-") as folder:
        cohort = Path(folder) / "cohort"
        write_cohort(cohort, phantom_settings(subjects=1, seconds=3.0, event_rate=0.0, seed=6))
        _, truth = viewer.open(cohort, plugin="sonotempo")
        truth_THW = np.asarray(truth.data)
        for mask in cohort.rglob("*_gt.*"):
            mask.unlink()
        viewer.layers.clear()
        viewer.open(cohort / "subject-000" / "sequence-0", plugin="sonotempo")
        widget = LabelWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Label recording")
        viewer.help = ""
        widget.target.structures.setCurrentText("axillary")
        widget.target.new.click()
        widget.target.labels.name = "masks"
        viewer.reset_view()
        for frame in (FIRST, SECOND):
            draw(widget, truth_THW, frame)
        go(viewer, widget, FIRST)
        widget.propagate.reach.setCurrentIndex(widget.propagate.reach.findData("end"))
        widget.propagate.buttons["both"].click()
        wait_for(lambda: not widget.filling.is_running, "the propagation")
        go(viewer, widget, SHOWN)
        save(viewer, out / "napari-label-propagated.png")

        draw(widget, truth_THW, CORRECTED)
        go(viewer, widget, CORRECTED - 5)
        widget.act("accept up to here")
        go(viewer, widget, 56)
        widget.act("reject")
        widget.marks.set_mark(FIRST + 4, "needle in")
        widget.marks.set_mark(SECOND, "block done")
        go(viewer, widget, CORRECTED)
        widget.act("next unreviewed")
        wait(1.0)
        save(viewer, out / "napari-label-reviewed.png")

        widget.files.save_to(Path(folder) / "labelled")
        viewer.layers.clear()
        viewer.open(cohort / "subject-000" / "sequence-0", plugin="sonotempo")
        widget.messages.clear_all()
        close_notifications()
        wait(1.0)
        save(viewer, out / "napari-label-offer.png")
        widget.cleanup()
        viewer.close()


def close_notifications() -> None:
    """Close what napari says about the saving: it would cover the picture."""
    from qtpy.QtWidgets import QApplication  # noqa: PLC0415

    for widget in QApplication.allWidgets():
        if type(widget).__name__ == "NapariQtNotification":
            widget.close()


def draw(widget: Any, truth_THW: Any, frame: int) -> None:
    """Paint a frame as napari's tools do."""
    labels = widget.target.labels
    mask_HW, drawn_HW = truth_THW[frame], labels.data[frame]
    for label in np.unique(mask_HW):
        rows, columns = np.nonzero((mask_HW == label) & (drawn_HW != label))
        if len(rows):
            labels.data_setitem((np.full(len(rows), frame), rows, columns), int(label))


def go(viewer: Any, widget: Any, frame: int) -> None:
    """Show a frame."""
    widget.target.go_to(frame)
    viewer.reset_view()
    wait(0.7)
