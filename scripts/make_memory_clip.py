"""Draw the README's clip: a frame model frame by frame, and along the motion, as contact is lost.

    .venv/bin/python scripts/make_memory_clip.py

Writes docs/images/memory.webp from the ready-made femoral frame model on a simulated stream.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw

from sonotempo.live.models.onnx_predictor import OnnxPredictor
from sonotempo.live.models.ready import models_for_source
from sonotempo.phantom.disturbances import Disturbance
from sonotempo.phantom.settings import phantom_settings
from sonotempo.phantom.simulate import Scan, cast
from sonotempo.recording import Frame, Image
from sonotempo.structures import StructureSet

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "images" / "memory.webp"
FRAMES, WARM_UP = 70, 12
# The frames in which contact is lost, how much of the width, and where.
LOSSES = {(18, 36): (0.75, 0.35), (50, 62): (0.6, 0.7)}
TITLES = ("frame by frame", "along the motion")
_SIDE = 360
_HEAD = 30


def main() -> None:
    """Draw the clip."""
    (path,) = models_for_source("phantom://femoral", along_motion=True)[:1]
    settings = phantom_settings(procedure="femoral", size=256, event_rate=0, fading=0.3)
    scan = Scan(cast(settings, 1), settings)
    pictures = []
    with OnnxPredictor(path, along_motion=True) as predictor:
        for index in range(FRAMES + WARM_UP):
            simulated = scan.next(index, disturbance_at(index - WARM_UP))
            frame = Frame(
                simulated.image_HW, index, simulated.timestamp_ns, simulated.spacing_mm, scan.area
            )
            made = predictor.step(frame)
            if index >= WARM_UP:
                masks = [one.mask_HW for one in made]
                pictures.append(side_by_side(frame.image_HW, masks, predictor.model.structures))
    period_ms = round(1000 / settings.frame_rate_hz)
    pictures[0].save(
        OUT, save_all=True, append_images=pictures[1:], duration=period_ms, loop=0, quality=55
    )
    print(f"{OUT}: {len(pictures)} frames, {OUT.stat().st_size / 1e6:.1f} MB")


def disturbance_at(index: int) -> Disturbance:
    """Return what happens in a frame: contact is lost gradually and found again."""
    for (first, last), (share, centre) in LOSSES.items():
        if first <= index < last:
            along = (index - first + 1) / (last - first)
            lifted = share * min(1.0, 4 * along, 4 * (1.1 - along))
            return Disturbance(lifted=lifted, centre=centre)
    return Disturbance()


def side_by_side(image_HW: Image, masks: list[Image], structures: StructureSet) -> Pillow.Image:
    """Draw both masks as outlines on the same frame, with titles."""
    sheet = Pillow.new("RGB", (2 * _SIDE + 8, _SIDE + _HEAD), (20, 20, 20))
    pen = ImageDraw.Draw(sheet)
    for place, (mask_HW, title) in enumerate(zip(masks, TITLES, strict=True)):
        left = place * (_SIDE + 8)
        sheet.paste(outlined(image_HW, mask_HW, structures), (left, _HEAD))
        pen.text((left + 8, 8), title, fill=(235, 235, 235), font_size=15)
    return sheet


def outlined(image_HW: Image, mask_HW: Image, structures: StructureSet) -> Pillow.Image:
    """Return the frame at the clip's size with a line around every structure."""
    size = (_SIDE, _SIDE)
    grey = Pillow.fromarray(image_HW).resize(size, Pillow.Resampling.BILINEAR)
    picture_HW3: NDArray[np.uint8] = np.stack([np.asarray(grey)] * 3, axis=-1)
    labels_HW = np.asarray(Pillow.fromarray(mask_HW).resize(size, Pillow.Resampling.NEAREST))
    for label, structure in enumerate(structures, start=1):
        inside = labels_HW == label
        shrunk = inside.copy()
        for axis in (0, 1):
            for shift in (-2, 2):
                shrunk &= np.roll(inside, shift, axis)
        picture_HW3[inside & ~shrunk] = structure.color_rgb
    return Pillow.fromarray(picture_HW3)


if __name__ == "__main__":
    main()
