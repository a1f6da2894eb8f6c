"""labelme polygons as masks, the format of Annotation Web's export "as geoJSON".

Source: https://github.com/wkentaro/labelme, version 4.5.6.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from sonotempo.errors import RecordingError
from sonotempo.recording import Image
from sonotempo.structures import StructureSet


def read_polygons(path: Path, shape_HW: tuple[int, int], structures: StructureSet) -> Image:
    """Draw the polygons of a labelme file as uint8 label values HW; later ones cover earlier ones.

    A label is the name of a structure, in upper or lower case, or its label value from 1.

    Args:
        path: the ``.json`` file.
        shape_HW: rows and columns of its image.
        structures: the label values.

    Raises:
        RecordingError: not a labelme file, an unknown label, a shape that is not a polygon, or a
            different image size.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        shapes = [(str(s["label"]), s.get("shape_type"), s["points"]) for s in content["shapes"]]
        drawn_HW = content.get("imageHeight"), content.get("imageWidth")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordingError(
            f"{path} is not a labelme file ({type(error).__name__}: {error}); export it again"
        ) from error
    if None not in drawn_HW and drawn_HW != shape_HW:
        raise RecordingError(
            f"{path} was drawn on an image of {drawn_HW[0]}x{drawn_HW[1]} pixels but its image is "
            f"{shape_HW[0]}x{shape_HW[1]} (rows x columns); export it again at the image's size"
        )
    canvas = Pillow.new("L", (shape_HW[1], shape_HW[0]))
    brush = ImageDraw.Draw(canvas)
    for label, kind, points in shapes:
        if kind not in (None, "polygon"):
            raise RecordingError(f"{path} holds a {kind}; only polygons enclose a structure")
        brush.polygon(_corners(points, path), fill=_label(label, structures, path))
    return np.array(canvas)


def _corners(points: Any, path: Path) -> list[tuple[float, float]]:
    try:
        corners = [(float(x), float(y)) for x, y in points]
    except (TypeError, ValueError) as error:
        raise RecordingError(
            f"{path} holds a polygon whose points are not pairs of numbers; export it again"
        ) from error
    if len(corners) < 3:
        raise RecordingError(
            f"{path} holds a polygon of {len(corners)} points; expected at least 3: draw it again"
        )
    return corners


def _label(label: str, structures: StructureSet, path: Path) -> int:
    names = [name.casefold() for name in structures.names]
    if label.strip().casefold() in names:
        return names.index(label.strip().casefold()) + 1
    if label.isdecimal() and 1 <= int(label) <= 254:
        return int(label)  # Recording.mask refuses values without a name
    raise RecordingError(
        f"{path} holds the label {label!r}, but the structures are named "
        f"{', '.join(structures.names)}; set data.structures to the labels' names"
    )
