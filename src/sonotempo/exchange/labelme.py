"""A data set for labelme: each frame as PNG, with its shapes in a ``.json`` of the same name.

Source: https://github.com/wkentaro/labelme, version 5.5. Corners of labelme's polygons are
centres of pixels, and the pixels on an outline belong to the shape.
"""

import base64
import io
import json
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from sonotempo.exchange.run_lengths import Binary
from sonotempo.exchange.targets import Export, Shapes
from sonotempo.recording import Image
from sonotempo.structures import StructureSet

_VERSION = "5.5.0"
# Corners of a polygon.
_FEWEST = 3


def write_labelme(what: Export) -> None:
    """Write ``<subject>/<recording>/frame_<number>.png``, and ``.json`` for labelled frames."""
    for entry in what.entries:
        folder = entry.folder(what.folder)
        for frame in entry.frames():
            path = folder / f"frame_{frame.number:06d}.png"
            Pillow.fromarray(frame.image_HW).save(path)
            if frame.mask_HW is not None:
                content = {
                    "version": _VERSION,
                    "flags": {},
                    "shapes": shapes_of(frame.mask_HW, what.structures, what.shapes),
                    "imagePath": path.name,
                    "imageData": None,
                    "imageHeight": frame.image_HW.shape[0],
                    "imageWidth": frame.image_HW.shape[1],
                }
                text = json.dumps(content, indent=1) + "\n"
                path.with_suffix(".json").write_text(text, encoding="utf-8")
            what.on_frame()


def shapes_of(mask_HW: Image, structures: StructureSet, shapes: Shapes) -> list[dict[str, Any]]:
    """Return the shapes of a mask; what polygons cannot say is a mask even if they are asked for.

    >>> from sonotempo.structures import NERVE_VESSEL
    >>> square_HW = np.zeros((5, 5), np.uint8)
    >>> square_HW[1:4, 1:4] = 1
    >>> (shape,) = shapes_of(square_HW, NERVE_VESSEL, "polygons")
    >>> str(shape["points"])
    '[[1, 1], [1, 3], [3, 3], [3, 1]]'
    """
    found = []
    for label, structure in enumerate(structures, start=1):
        inside_HW = mask_HW == label
        if not inside_HW.any():
            continue
        parts = _polygons(inside_HW) if shapes == "polygons" else None
        if parts is None:
            found.append(_shape(structure.name, "mask", *_mask(inside_HW)))
        else:
            found += [_shape(structure.name, "polygon", points) for points in parts]
    return found


def _shape(
    label: str, kind: str, points: list[list[int]], mask: str | None = None
) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "label": label,
        "points": points,
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {},
    }
    return shape if mask is None else {**shape, "mask": mask}


def _mask(inside_HW: Binary) -> tuple[list[list[int]], str]:
    """Return the first and the last pixel of the bounding box, and its pixels as PNG in base64."""
    rows, columns = (np.flatnonzero(inside_HW.any(axis)) for axis in (1, 0))
    top, bottom, left, right = (int(n) for n in (rows[0], rows[-1], columns[0], columns[-1]))
    packed = io.BytesIO()
    crop = inside_HW[top : bottom + 1, left : right + 1].astype(np.uint8) * np.uint8(255)
    Pillow.fromarray(crop).save(packed, "PNG")
    corners = [[left, top], [right, bottom]]
    return corners, base64.b64encode(packed.getvalue()).decode("ascii")


def _polygons(inside_HW: Binary) -> list[list[list[int]]] | None:
    """Return the outlines of a structure's parts; None if polygons cannot say what it covers.

    Drawn as labelme draws them they must give the structure: a hole would be filled, a dot is no
    polygon, and older versions of Pillow fill narrow corners differently.
    """
    found, _ = cv2.findContours(
        inside_HW.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    parts: list[list[list[int]]] = [contour[:, 0, :].tolist() for contour in found]
    if any(len(part) < _FEWEST for part in parts):
        return None
    canvas = Pillow.new("L", inside_HW.shape[::-1])
    brush = ImageDraw.Draw(canvas)
    for part in parts:
        brush.polygon([(x, y) for x, y in part], outline=1, fill=1)
    return parts if np.array_equal(np.asarray(canvas) > 0, inside_HW) else None
