"""Take the pictures of the napari plugin that the documentation shows.

python scripts/screenshot_napari.py recording --out docs/images/napari-recording.png
python scripts/screenshot_napari.py segment --out docs/images/napari-segment.png

``recording``: a simulated recording with masks, opened from its folder. ``segment``: a simulated
recording segmented by two models, with areas over time; by the ready-made ones for the femoral
block, or by those that ``--model`` names. On Linux without a screen:
``xvfb-run -a -s "-screen 0 1280x800x24" python scripts/screenshot_napari.py …``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

WIDTH, HEIGHT = 1280, 800
SHOWN_FRAME = 30


def main() -> None:
    """Take the picture that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("picture", choices=["recording", "segment"])
    parser.add_argument("--out", type=Path, required=True, help="the .png file to write")
    parser.add_argument("--model", type=Path, action="append", default=[], help="for segment")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.picture == "recording":
            recording_picture(Path(folder), given.out)
        else:
            segment_picture(Path(folder), given.out, tuple(given.model))


def recording_picture(folder: Path, out: Path) -> None:
    """Simulate a recording, open it, point at the median nerve and save what the window shows."""
    import napari  # noqa: PLC0415  # needs a display, which --help does not

    from sonotempo.phantom.cohort import write_cohort  # noqa: PLC0415
    from sonotempo.phantom.settings import phantom_settings  # noqa: PLC0415
    from sonotempo.structures import AXILLARY  # noqa: PLC0415

    settings = phantom_settings(subjects=1, seconds=3.0, event_rate=0.0, seed=6)
    write_cohort(folder / "cohort", settings)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(WIDTH, HEIGHT)
    _wait(500)
    _, masks = viewer.open(folder / "cohort", plugin="sonotempo")
    viewer.canvas.overlays.scale_bar.visible = True
    viewer.dims.set_current_step(0, SHOWN_FRAME)
    viewer.reset_view()
    _wait(1500)
    nerve = np.argwhere(masks.data[SHOWN_FRAME] == AXILLARY.label("median nerve")).mean(0)
    position = np.array([SHOWN_FRAME, *nerve]) * masks.scale
    viewer.cursor.position = tuple(position)
    viewer.help = ""  # it would take the status bar's room
    viewer.status = masks.get_status(position, dims_displayed=[1, 2], world=True)
    _wait(300)
    out.parent.mkdir(parents=True, exist_ok=True)
    viewer.window.screenshot(path=str(out), canvas_only=False, flash=False)
    viewer.close()


def segment_picture(folder: Path, out: Path, models: tuple[Path, ...]) -> None:
    """Simulate a recording, segment it with two models and save what the window shows."""
    import napari  # noqa: PLC0415  # needs a display, which --help does not
    from qtpy.QtCore import QSettings, Qt  # noqa: PLC0415
    from qtpy.QtTest import QTest  # noqa: PLC0415

    from napari_sonotempo.segment.widget import SegmentWidget  # noqa: PLC0415
    from sonotempo.live.models.card import read_card  # noqa: PLC0415
    from sonotempo.live.models.ready import models_for_source  # noqa: PLC0415

    models = models or models_for_source("phantom://femoral")

    # What the user has chosen in napari before is neither shown nor changed.
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder))
    viewer = napari.Viewer(show=True)
    viewer.window.resize(WIDTH, HEIGHT)
    _, masks = viewer.open_sample("sonotempo", read_card(models[0]).structures.name)
    masks.visible = False
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment recording")
    widget.models_box.choose(models)
    QTest.mouseClick(widget.segment, Qt.MouseButton.LeftButton)
    while widget.jobs.is_busy:
        _wait(100)
    viewer.canvas.overlays.scale_bar.visible = True
    viewer.dims.set_current_step(0, SHOWN_FRAME)
    viewer.reset_view()
    viewer.help = ""
    _wait(1500)
    out.parent.mkdir(parents=True, exist_ok=True)
    viewer.window.screenshot(path=str(out), canvas_only=False, flash=False)
    viewer.close()


def _wait(milliseconds: int) -> None:
    """Let the window paint."""
    from qtpy.QtTest import QTest  # noqa: PLC0415

    QTest.qWait(milliseconds)


if __name__ == "__main__":
    main()
