"""Pictures of a scanner's screen with a name on it, and files that hold it everywhere."""

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from sonotempo.recording import Box

#: Nobody's name; searched for in every copy.
MARKER = "ZQXPATIENT"
SHAPE = (120, 160)
#: Where the ultrasound is on the screen; the name is above it.
TISSUE = Box(30, 40, 110, 140)


def screens(count, *, shape=SHAPE, box=TISSUE, text=MARKER, seed=0):
    """Return uint8 frames: a static screen with a name, and tissue that changes in a box."""
    random = np.random.default_rng(seed)
    screen = Pillow.new("L", (shape[1], shape[0]), 20)
    ImageDraw.Draw(screen).text((4, 4), text, 255, ImageFont.load_default(14))
    made = []
    for _ in range(count):
        frame = np.array(screen)
        frame[box.top : box.bottom, box.left : box.right] = random.integers(
            60, 200, (box.bottom - box.top, box.right - box.left)
        )
        made.append(frame)
    return np.stack(made)


def inside(frames_THW, box=TISSUE):
    """Return the tissue of such frames."""
    return frames_THW[:, box.top : box.bottom, box.left : box.right]


def holds_marker(folder, marker=MARKER):
    """Return the files below a folder whose name or bytes hold the marker, in any case."""
    wanted = [marker.lower().encode(code) for code in ("ascii", "utf-16-le")]
    return [
        path
        for path in folder.rglob("*")
        if marker.lower() in str(path.relative_to(folder)).lower()
        or (path.is_file() and any(one in path.read_bytes().lower() for one in wanted))
    ]
