"""Take the pictures of the napari plugin that the documentation shows.

python scripts/screenshot_napari.py recording --out docs/images/napari-recording.png

``recording``: a simulated recording with masks, opened from its folder. On Linux without a screen:
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
    parser.add_argument("picture", choices=["recording"])
    parser.add_argument("--out", type=Path, required=True, help="the .png file to write")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recording_picture(Path(folder), given.out)


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


def _wait(milliseconds: int) -> None:
    """Let the window paint."""
    from qtpy.QtTest import QTest  # noqa: PLC0415

    QTest.qWait(milliseconds)


if __name__ == "__main__":
    main()
