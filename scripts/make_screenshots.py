"""Take the pictures of the live comparison that the README and the documentation show.

python scripts/make_screenshots.py --out docs/images

It drives the widget as a person does, with clicks and keys, on a simulated stream, and saves
``napari-live.png`` (side by side), ``napari-live-both.png`` (both as outlines on one picture),
``napari-live-difference.png``, ``napari-live-frozen.png`` (looking back) and the clip
``napari-live.webp``. Without ``--model`` the ready-made models are used. On Linux without a screen:
``xvfb-run -a -s "-screen 0 1280x1024x24" python scripts/make_screenshots.py …``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

CLIP_WIDTH = 960
_WAIT_S = 120.0
_STEPS_BACK = 12


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, action="append", help="an .onnx file; twice for two")
    parser.add_argument("--source", default="phantom://axillary", help="what is streamed")
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="a folder")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of the clip")
    given = parser.parse_args()

    from sonotempo.live.models.ready import models_for_source  # noqa: PLC0415

    models = tuple(given.model or models_for_source(given.source))
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as settings:
        take_pictures(given.source, models, given.out, given.seconds, Path(settings))


def take_pictures(
    source: str, models: tuple[Path, ...], out: Path, seconds: float, settings: Path
) -> None:
    """Start the stream and go through the views."""
    from qtpy.QtCore import QSettings, Qt  # noqa: PLC0415
    from qtpy.QtTest import QTest  # noqa: PLC0415

    from napari_sonotempo.live.open import open_live  # noqa: PLC0415

    # The user's own settings are neither shown nor changed.
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(settings))
    viewer, widget = open_live(source, models)
    window, link = widget.window(), widget.link
    window.activateWindow()

    def press(key: Any) -> None:
        QTest.keyClick(window, key)
        _wait(1.0)

    def save(name: str) -> None:
        viewer.window.screenshot(path=str(out / name), canvas_only=False, flash=False)
        print(f"wrote {out / name}", flush=True)

    _wait_for(lambda: link.shown is not None and link.shown.frame.index > 60, "the stream")
    _wait_for(window.isActiveWindow, "the window")
    save("napari-live.png")
    write_clip(viewer, link, out / "napari-live.webp", seconds)
    press(Qt.Key.Key_1)
    press(Qt.Key.Key_1)
    press(Qt.Key.Key_1)
    save("napari-live-both.png")
    press(Qt.Key.Key_3)
    save("napari-live-difference.png")
    press(Qt.Key.Key_2)
    press(Qt.Key.Key_Space)
    _wait_for(widget.transport.slider.isEnabled, "the frames to look back at")
    # Further back if that frame was left out: the picture is to show masks.
    steps = 0
    while steps < _STEPS_BACK or not link.shown.predictions:
        QTest.keyClick(window, Qt.Key.Key_Left)
        steps += 1
    _wait(1.0)
    save("napari-live-frozen.png")
    QTest.mouseClick(widget.start, Qt.MouseButton.LeftButton)
    _wait_for(lambda: link.state == "stopped", "the stop")
    widget.cleanup()
    viewer.close()


def write_clip(viewer: Any, link: Any, path: Path, seconds: float) -> None:
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
        _wait(0.02)
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


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > _WAIT_S:
            raise SystemExit(f"waited {_WAIT_S:g} s in vain for {what}")
        _wait(0.05)


def _wait(seconds: float) -> None:
    """Let the window live."""
    from qtpy.QtTest import QTest  # noqa: PLC0415

    QTest.qWait(round(seconds * 1000))


if __name__ == "__main__":
    main()
