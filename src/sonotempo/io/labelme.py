"""labelme shapes as masks, the format of Annotation Web's export "as geoJSON".

Source: https://github.com/wkentaro/labelme, version 5.5: shapes cover the pixels that labelme's own
export gives them. labelme turns an image as its EXIF tag asks before it is drawn on; masks are
turned back to the pixels of the file.
"""

import base64
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from sonotempo.errors import RecordingError
from sonotempo.guard import guarded, shortened, shown
from sonotempo.io.limits import limits
from sonotempo.io.pillow_files import opened_image
from sonotempo.recording import Image
from sonotempo.structures import StructureSet

_EXIF_ORIENTATION = 0x0112
# What turns the image as shown back to the stored one, by the value of the EXIF tag.
_BACK = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_90,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_270,
}
_ON_ITS_SIDE = frozenset({5, 6, 7, 8})
# Drawing takes time that grows with the shape, not with the image.
_FARTHEST_PX = 1e6
_OUTLINES = ("polygon", "rectangle", "circle", "mask")

Point = tuple[float, float]


def is_labelme(path: Path) -> bool:
    """Whether a ``.json`` file looks like labelme's."""
    try:
        return '"shapes"' in limits().text_of(path, "utf-8-sig")
    except (OSError, UnicodeDecodeError, RecordingError):
        return False


def read_shapes(
    path: Path, shape_HW: tuple[int, int], structures: StructureSet, image: Path | None = None
) -> Image:
    """Draw the shapes of a labelme file as uint8 label values HW; later ones cover earlier ones.

    A label is the name of a structure, in upper or lower case, or its label value from 1.

    Args:
        path: the ``.json`` file.
        shape_HW: rows and columns of its image, as stored.
        structures: the label values.
        image: the image's file, whose EXIF tag may turn it.

    Raises:
        RecordingError: not a labelme file, an unknown label, a shape that encloses nothing, or a
            different image size.
    """
    with guarded(f"{path} is not a labelme file", "export it again", RecordingError):
        content = json.loads(limits().text_of(path, "utf-8-sig"))
        shapes = [
            (str(s["label"]), str(s.get("shape_type") or "polygon"), s) for s in content["shapes"]
        ]
        drawn_HW = content.get("imageHeight"), content.get("imageWidth")
    turn = _exif_orientation(image)
    shown_HW = shape_HW[::-1] if turn in _ON_ITS_SIDE else shape_HW
    if None not in drawn_HW and drawn_HW != shown_HW:
        raise RecordingError(
            f"{path} was drawn on an image of {shown(drawn_HW[0])}x{shown(drawn_HW[1])} pixels but "
            f"its image is {shown_HW[0]}x{shown_HW[1]} (rows x columns); export it again at the "
            "image's size"
        )
    canvas = Pillow.new("L", (shown_HW[1], shown_HW[0]))
    for label, kind, shape in shapes:
        value = _label(label, structures, path)
        if kind not in _OUTLINES:
            raise RecordingError(
                f"{path} holds a {shortened(kind, 60)}, which encloses no area; draw a "
                f"{', a '.join(_OUTLINES)}"
            )
        _draw(canvas, kind, shape, value, path)
    if turn in _BACK:
        canvas = canvas.transpose(_BACK[turn])
    return np.array(canvas)


def _draw(canvas: Pillow.Image, kind: str, shape: Any, value: int, path: Path) -> None:
    brush = ImageDraw.Draw(canvas)
    points = _points(shape, kind, path)
    if kind == "polygon":
        brush.polygon(points, outline=value, fill=value)
        return
    (x, y), (other_x, other_y) = points[:2]
    left, right, top, bottom = min(x, other_x), max(x, other_x), min(y, other_y), max(y, other_y)
    if kind == "rectangle":
        brush.rectangle((left, top, right, bottom), outline=value, fill=value)
    elif kind == "circle":
        radius = math.hypot(other_x - x, other_y - y)
        brush.ellipse((x - radius, y - radius, x + radius, y + radius), outline=value, fill=value)
    else:
        canvas.paste(value, (round(left), round(top)), _bitmap(shape, path))


def _bitmap(shape: Any, path: Path) -> Pillow.Image:
    """Return the black and white image that a shape of kind ``mask`` holds."""
    what = f"{path} holds a mask whose image cannot be read"
    with guarded(what, "export it again", RecordingError):
        packed = base64.b64decode(shape["mask"], validate=True)
        with Pillow.open(io.BytesIO(packed), formats=("PNG",)) as bitmap:
            limits().check_frame(path, bitmap.height, bitmap.width)
            return bitmap.convert("L").point(lambda grey: 255 if grey else 0)


def _points(shape: Any, kind: str, path: Path) -> list[Point]:
    what = f"{path} holds a {kind} whose points are not pairs of numbers"
    with guarded(what, "export it again", RecordingError):
        points = [(float(x), float(y)) for x, y in shape["points"]]
    needed = 3 if kind == "polygon" else 2
    if len(points) < needed or not all(abs(number) < _FARTHEST_PX for p in points for number in p):
        raise RecordingError(
            f"{path} holds a {kind} of {len(points)} points, or with one far outside the image; "
            f"expected at least {needed} points: draw it again"
        )
    return points


def _exif_orientation(image: Path | None) -> int:
    if image is None or image.suffix.lower() == ".mhd":
        return 1
    try:
        with opened_image(image) as opened:
            return int(opened.getexif().get(_EXIF_ORIENTATION, 1))
    except RecordingError:
        return 1  # the image's own reader reports what is wrong


def _label(label: str, structures: StructureSet, path: Path) -> int:
    names = [name.casefold() for name in structures.names]
    if label.strip().casefold() in names:
        return names.index(label.strip().casefold()) + 1
    if label.isdecimal() and 1 <= int(label) <= 254:
        return int(label)  # Recording.mask refuses values without a name
    raise RecordingError(
        f"{path} holds the label {shown(label)}, but the structures are named "
        f"{', '.join(structures.names)}; set data.structures to the labels' names"
    )
