"""Take the pictures of napari that the README and the documentation show.

    python scripts/make_screenshots.py                      # all of them, into docs/images
    python scripts/make_screenshots.py recording segment    # only these

``recording`` opens a simulated recording with masks from its folder: ``napari-recording.png``.
``segment`` segments a simulated recording with two models: ``napari-segment.png``. ``label`` draws,
propagates, reviews, saves and opens masks again: ``napari-label-propagated.png``,
``napari-label-reviewed.png`` and ``napari-label-offer.png``. ``live`` drives
the live comparison with clicks and keys on a simulated stream: ``napari-live.png`` (side by side),
``napari-live-both.png`` (both as outlines on one picture), ``napari-live-difference.png``,
``napari-live-unsure.png`` (structures hatched that the models are unsure of),
``napari-live-frozen.png`` (looking back), ``napari-live-layers.png`` (the frozen frames as layers),
``napari-live-saved.png`` (after a recording), ``napari-live-full.png`` (the full screen) and the
clip ``napari-live.webp``. ``framing`` captures a window that plays a simulated scan and sets its
box and scale: ``napari-framing.png`` and ``napari-framing-kept.png``; the screen must have room for
both windows. ``--model`` replaces the ready-made models, ``--theme light`` and
``--size 1920x1080`` change the window. On Linux without a screen:
``xvfb-run -a -s "-screen 0 2560x1440x24" python scripts/make_screenshots.py …``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from _framing_pictures import picture_framing
from _label_pictures import picture_label
from _window import open_viewer, save, settings_apart, wait, wait_for

PICTURES = ("all", "recording", "segment", "label", "live", "framing")
SHOWN_FRAME = 30
CLIP_WIDTH = 960
STEPS_BACK = 12
# So that something is hatched whatever the simulation shows.
UNSURE_BELOW = 80


def main() -> None:
    """Take the pictures that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", nargs="*", choices=PICTURES, default="all")
    parser.add_argument("--model", type=Path, action="append", help="an .onnx file; twice for two")
    parser.add_argument("--source", default="phantom://axillary", help="what is streamed")
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="a folder")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of the clip")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark", help="napari's")
    parser.add_argument("--size", default="1280x800", help="of the window, in pixels")
    given = parser.parse_args()
    pictures = PICTURES if "all" in given.pictures else given.pictures
    models = tuple(given.model or ())
    given.out.mkdir(parents=True, exist_ok=True)
    width, height = (int(side) for side in given.size.split("x"))
    with settings_apart():
        if "recording" in pictures:
            picture_recording(given.out)
        if "segment" in pictures:
            picture_segment(given.out, models)
        if "label" in pictures:
            picture_label(given.out)
        if "live" in pictures:
            picture_live(
                given.source, models, given.out, given.seconds, given.theme, (width, height)
            )
        if "framing" in pictures:
            picture_framing(given.out, (width, height))


def picture_recording(out: Path) -> None:
    """Simulate a recording, open it, point at the median nerve and save what the window shows."""
    from sonotempo.phantom.cohort import write_cohort  # noqa: PLC0415
    from sonotempo.phantom.settings import phantom_settings  # noqa: PLC0415
    from sonotempo.structures import AXILLARY  # noqa: PLC0415

    viewer = open_viewer()
    with tempfile.TemporaryDirectory() as folder:
        cohort = Path(folder) / "cohort"
        write_cohort(cohort, phantom_settings(subjects=1, seconds=3.0, event_rate=0.0, seed=6))
        _, masks = viewer.open(cohort, plugin="sonotempo")
        show_frame(viewer)
        nerve = np.argwhere(masks.data[SHOWN_FRAME] == AXILLARY.label("median nerve")).mean(0)
        position = np.array([SHOWN_FRAME, *nerve]) * masks.scale
        viewer.cursor.position = tuple(position)
        viewer.status = masks.get_status(position, dims_displayed=[1, 2], world=True)
        wait(0.3)
        save(viewer, out / "napari-recording.png")
        viewer.close()


def picture_segment(out: Path, models: tuple[Path, ...]) -> None:
    """Simulate a recording, segment it with two models and save what the window shows."""
    from qtpy.QtCore import Qt  # noqa: PLC0415
    from qtpy.QtTest import QTest  # noqa: PLC0415

    from napari_sonotempo.segment.widget import SegmentWidget  # noqa: PLC0415
    from sonotempo.live.models.card import read_card  # noqa: PLC0415
    from sonotempo.live.models.ready import models_for_source  # noqa: PLC0415

    models = models or models_for_source("phantom://femoral")
    viewer = open_viewer()
    _, masks = viewer.open_sample("sonotempo", read_card(models[0]).structures.name)
    masks.visible = False
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment recording")
    widget.models_box.choose(models)
    QTest.mouseClick(widget.segment, Qt.MouseButton.LeftButton)
    wait_for(lambda: not widget.jobs.is_busy, "the masks")
    show_frame(viewer)
    save(viewer, out / "napari-segment.png")
    viewer.close()


def show_frame(viewer: Any) -> None:
    """Show one frame with a scale bar."""
    viewer.canvas.overlays.scale_bar.visible = True
    viewer.dims.set_current_step(0, SHOWN_FRAME)
    viewer.reset_view()
    viewer.help = ""  # it would take the status bar's room
    wait(1.5)


def picture_live(  # noqa: PLR0917
    source: str,
    models: tuple[Path, ...],
    out: Path,
    seconds: float,
    theme: str,
    size: tuple[int, ...],
) -> None:
    """Start the stream and save every view of it, and a clip."""
    from napari_sonotempo.live.open import open_live  # noqa: PLC0415
    from sonotempo.live.models.ready import models_for_source  # noqa: PLC0415

    viewer, widget = open_live(source, models or models_for_source(source))
    viewer.theme = theme
    viewer.window.resize(*size)
    window, link = widget.window(), widget.link
    window.activateWindow()
    with tempfile.TemporaryDirectory() as folder:
        widget._settings.save("folder", folder)
        wait_for(lambda: link.shown is not None and bool(link.shown.predictions), "masks")
        wait_for(window.isActiveWindow, "the window")
        wait(8.0)  # for the legend's times, and until the first messages have gone
        widget.messages.clear_all()
        save(viewer, out / "napari-live.png")
        if seconds:
            save_clip(viewer, link, out / "napari-live.webp", seconds)
        picture_views(viewer, widget, out)
        picture_recording_saved(viewer, widget, out)
        picture_full_screen(widget, out)
        picture_frozen(viewer, widget, out)
        widget.cleanup()
        viewer.close()


def press(widget: Any, key: str, seconds: float = 1.0) -> None:
    """Press a key on the live picture."""
    from qtpy.QtCore import Qt  # noqa: PLC0415
    from qtpy.QtTest import QTest  # noqa: PLC0415

    stage = widget.link.stage
    QTest.keyClick(stage.presentation or stage.canvas, getattr(Qt.Key, f"Key_{key}"))
    wait(seconds)


def picture_views(viewer: Any, widget: Any, out: Path) -> None:
    """Save the single picture with both outlines, the difference, and what is unsure."""
    for _ in range(3):
        press(widget, "1")
    save(viewer, out / "napari-live-both.png")
    press(widget, "3")
    save(viewer, out / "napari-live-difference.png")
    press(widget, "2")
    limit = widget.view_box.unsure_below.value()
    widget.view_box.unsure_below.setValue(UNSURE_BELOW)
    wait(1.0)
    save(viewer, out / "napari-live-unsure.png")
    widget.view_box.unsure_below.setValue(limit)


def picture_recording_saved(viewer: Any, widget: Any, out: Path) -> None:
    """Record, make the video and save what the window then shows."""
    press(widget, "R", 4.0)
    press(widget, "R")
    wait_for(widget.saved_box.video.isEnabled, "the recording")
    widget.saved_box.video.click()
    wait_for(lambda: "Video" in widget.saved_box.last.text(), "the video")
    save(viewer, out / "napari-live-saved.png")
    widget.tabs.setCurrentIndex(1)


def picture_full_screen(widget: Any, out: Path) -> None:
    """Save the full screen."""
    press(widget, "F", 2.0)
    full_HW4 = widget.link.stage.presentation.picture()
    Image.fromarray(full_HW4).convert("RGB").save(out / "napari-live-full.png")
    press(widget, "Escape")
    wait_for(widget.window().isActiveWindow, "the window")


def picture_frozen(viewer: Any, widget: Any, out: Path) -> None:
    """Freeze, look back, go to the layers, stop."""
    link = widget.link
    press(widget, "Space")
    wait_for(widget.controls.slider.isEnabled, "the frames to look back at", 20)
    # Further back if that frame was left out: the picture is to show masks.
    steps = 0
    while steps < STEPS_BACK or not link.shown.predictions:
        press(widget, "Left", 0.0)
        steps += 1
    wait(1.0)
    widget.messages.clear_all()
    save(viewer, out / "napari-live-frozen.png")
    press(widget, "L", 2.0)
    save(viewer, out / "napari-live-layers.png")
    widget.start.click()
    wait_for(lambda: link.state == "stopped", "the stop")


def save_clip(viewer: Any, link: Any, path: Path, seconds: float) -> None:
    """Save what the window shows for some seconds, each picture as long as it was there."""
    pictures: list[Image.Image] = []
    times: list[float] = []
    began = time.monotonic()
    shown = -1
    while (now := time.monotonic()) - began < seconds:
        if link.shown.frame.index != shown:
            shown = link.shown.frame.index
            whole_HW4 = viewer.window.screenshot(canvas_only=False, flash=False)
            picture = Image.fromarray(np.ascontiguousarray(whole_HW4[..., :3]))
            height = round(picture.height * CLIP_WIDTH / picture.width)
            pictures.append(picture.resize((CLIP_WIDTH, height), Image.Resampling.LANCZOS))
            times.append(now)
        wait(0.02)
    spans_ms = [round((after - before) * 1000) for before, after in pairwise(times)]
    pictures[0].save(
        path,
        save_all=True,
        append_images=pictures[1:],
        duration=[*spans_ms, spans_ms[-1]],
        loop=0,
        quality=60,
        method=4,
    )
    print(f"wrote {path}: {len(pictures)} pictures, {path.stat().st_size / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
